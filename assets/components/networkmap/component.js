// The whole network from left to right with its maps, and a strip of what each operation costs.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".cl");
  const find = (selector) => parentElement.querySelector(selector);
  const theme = applyTheme(root);
  const state = stateOf(parentElement, () => ({ open: new Set(), metric: "macs", zoom: 0, images: new Map(), at: null, lit: [] }));
  const pack = unpack(data);
  const { meta } = pack;
  const operations = meta.operations;
  const graph = find(".graph");
  const strip = find(".strip");
  const family = getComputedStyle(root).fontFamily;
  const colour = (i) => colourOf(familyOf(operations[i].kind), theme);
  const title = (node) => (node.type === "stage" ? node.title : node.type === "block" ? operations[node.stop - 1].block : operations[node.start].name);

  const signature = `${meta.network}|${meta.picture}|${theme.mode}`;
  if (state.signature !== signature) state.images.clear();
  if (state.network !== meta.network) {
    state.open.clear();
    [state.at, state.zoom, state.tree] = [null, 0, treeOf(operations)];
    graph.scrollLeft = graph.scrollTop = 0;
  }
  [state.signature, state.network, state.chosen] = [signature, meta.network, meta.chosen];
  const tree = state.tree;

  const sumOf = (node, metric) => {
    let sum = 0;
    for (let i = node.start; i < node.stop; i++) sum += operations[i][METRICS[metric].field];
    return sum;
  };
  const whole = { start: 0, stop: operations.length };

  // ---- thumbnails ----------------------------------------------------------------------------------------------
  const thumbs = new Map();
  for (let k = 0; k < pack.table.shape[0]; k++) {
    const [operation, channel, height, width, start, signed] = pack.table.data.subarray(6 * k, 6 * k + 6);
    if (!thumbs.has(operation)) thumbs.set(operation, []);
    thumbs.get(operation).push({ key: k, channel, height, width, start, signed });
  }
  function imageOf(thumb) {
    if (!state.images.has(thumb.key)) {
      const table = scaleTable(thumb.signed ? "diverging" : "sequential", theme.mode);
      const top = thumb.signed ? 254 : 255; // diverging scales have 255 colours, so that zero has one of its own
      const image = colourise(pack.thumbs.data, thumb.start, thumb.height, thumb.width, table, 0, top);
      state.images.set(thumb.key, canvasOf(image).toDataURL());
    }
    return state.images.get(thumb.key);
  }
  /** The strongest maps that stand for a card: those of its last operation that has any. */
  function mapsOf(node) {
    for (let i = node.stop - 1; i >= node.start; i--) if (thumbs.has(i) && thumbs.get(i)[0].height > 1) return thumbs.get(i);
    return thumbs.get(node.stop - 1) || [];
  }
  if (state.jpegOf !== meta.picture) {
    state.jpegOf = meta.picture;
    state.jpeg = `data:image/jpeg;base64,${btoa(Array.from(pack.jpeg.data, (byte) => String.fromCharCode(byte)).join(""))}`;
  }

  // ---- the graph -----------------------------------------------------------------------------------------------
  function text(parent, x, y, words, room, size, fill, weight = 400) {
    const shown = cut(words, `${weight} ${size}px ${family}`, room);
    return draw("text", { x, y, "font-size": size, fill, "font-weight": weight, "font-family": family.replace(/"/g, "'") }, parent, shown);
  }
  function row(group, list, x, y, side, most) {
    list.slice(0, most).forEach((thumb, k) => {
      const flat = thumb.height === 1;
      const place = { x: x + k * (side + 4), y: flat ? y + side / 3 : y, width: side, height: flat ? side / 3 : side };
      const image = draw("image", { ...place, preserveAspectRatio: "none", style: "image-rendering:pixelated" }, group);
      if (!state.waiting.has(group)) state.waiting.set(group, []);
      state.waiting.get(group).push([image, thumb]);
    });
  }
  function costBar(group, node, x, y, width) {
    if (!meta.costs) return;
    const total = sumOf(whole, state.metric);
    const share = total ? sumOf(node, state.metric) / total : 0;
    draw("rect", { x, y: y + 5, width, height: 4, rx: 2, fill: theme.line }, group);
    draw("rect", { x, y: y + 5, width: Math.max(share > 0 ? 1 : 0, share * width), height: 4, rx: 2, fill: theme.kernel }, group);
    text(group, x, y, `${percent(share)} of ${node.type === "stage" ? METRICS[state.metric].of : "all"}`, width, 12, theme.quiet);
  }
  function skips(node) {
    for (let i = node.start; i < node.stop; i++) if (["add", "mul"].includes(operations[i].kind) && operations[i].inputs.length > 1) return true;
    return false;
  }

  function card(node, parent) {
    const { left, top, width, height, type } = node;
    const last = operations[node.stop - 1];
    const group = draw("g", { class: "card", "data-id": node.id, transform: `translate(${left} ${top})` }, parent);
    if (type === "stage" || type === "block") {
      for (const shift of [6, 3]) draw("rect", { x: shift, y: shift, width: width - 6, height: height - 6, rx: 8, fill: theme.page, stroke: theme.line }, group);
    }
    const inner = type === "stage" || type === "block" ? [width - 6, height - 6] : [width, height];
    draw("rect", { class: "frame", width: inner[0], height: inner[1], rx: 8, fill: theme.page, stroke: theme.line }, group);
    const room = inner[0] - 24;
    if (type === "op") {
      draw("path", { d: `M0 8a8 8 0 0 1 6 -8V${height}a8 8 0 0 1 -6 -8z`, fill: colour(node.start) }, group);
      text(group, 14, 19, last.short, width - 20, 13, theme.text, 600);
      text(group, 14, 35, shapeOf(last.shape), width - 20, 12, theme.quiet);
      row(group, mapsOf(node), 14, 44, 40, 1);
    } else if (type === "input") {
      text(group, 12, 20, "Picture", room, 13, theme.input, 600);
      draw("image", { href: state.jpeg, x: 12, y: 29, width: 100, height: 100 }, group);
      text(group, 12, 147, shapeOf(last.shape), room, 11, theme.quiet);
    } else if (type === "end") {
      text(group, 12, 20, last.short, room, 12, theme.output, 600);
      predictions(group, 12, 42, room);
    } else if (type === "stage") {
      text(group, 12, 23, node.title, room, 15, theme.text, 600);
      text(group, 12, 42, shapeOf(last.shape), room, 13, theme.quiet);
      if (node.stop === operations.length) predictions(group, 12, 68, room);
      else {
        row(group, mapsOf(node), 12, 52, 42, 3);
        text(group, 12, 114, inside(node), room, 12, theme.quiet);
      }
      costBar(group, node, 12, 150, room);
    } else {
      const [path, kind] = node.title.split(" · ");
      text(group, 12, 22, kind || path, room, 13, theme.text, 600);
      text(group, 12, 39, kind ? path : "", room, 12, theme.quiet);
      text(group, 12, 56, `${shapeOf(last.shape)}${skips(node) ? " · skip" : ""}`, room, 12, theme.quiet);
      row(group, mapsOf(node), 12, 64, 36, 2);
      costBar(group, node, 12, 126, room);
    }
    return group;
  }
  function predictions(group, x, y, room) {
    meta.top.forEach(({ name, share }, k) => {
      draw("rect", { x, y: y + 22 * k + 5, width: Math.max(1, share * room), height: 3, fill: theme.output }, group);
      text(group, x, y + 22 * k, name, room - 46, 12, theme.text, k ? 400 : 600);
      text(group, x + room, y + 22 * k, share.toFixed(3), 46, 11, theme.quiet).setAttribute("text-anchor", "end");
    });
  }
  function inside(node) {
    const blocks = node.children.filter((child) => child.type === "block").length;
    const single = node.stop - node.start;
    return `${blocks ? `${blocks} block${blocks > 1 ? "s" : ""}, ` : ""}${single} operations`;
  }

  function paint() {
    const plan = layoutOf(tree, operations, state.open);
    state.plan = plan;
    if (!state.zoom) state.zoom = fitting();
    state.waiting = new Map();
    state.lit = [];
    const svg = draw("svg", { xmlns: NAMESPACE, viewBox: `0 0 ${plan.width} ${plan.height}`, width: plan.width * state.zoom, height: plan.height * state.zoom });
    plan.boxes.forEach((node, depth) => {
      const group = draw("g", { "data-id": node.id }, svg);
      draw("rect", { class: "frame", x: node.left, y: node.top, width: node.width, height: node.height, rx: 10, fill: node.type === "stage" ? theme.panel : theme.page, "fill-opacity": node.type === "stage" ? 1 : 0.6, stroke: theme.quiet, "stroke-opacity": 0.45, "stroke-dasharray": node.type === "stage" ? "" : "4 3" }, group);
      text(group, node.left + 12, node.top + 19, `▾ ${node.title}`, node.width - 20, node.type === "stage" ? 14 : 12, theme.text, 600);
    });
    state.lines = plan.edges.map((edge) => {
      const line = draw("path", { class: "edge", d: edge.path, fill: "none", stroke: theme.quiet, "stroke-width": 1.5, "stroke-opacity": edge.arc ? 0.55 : 0.8 }, svg);
      return { ...edge, line };
    });
    state.groups = new Map(plan.cards.map((node) => [node.id, card(node, svg)]));
    graph.style.height = `${Math.max(240, Math.min(560, plan.height * state.zoom + 20))}px`;
    graph.replaceChildren(svg);
    mark();
  }
  const fitting = () => legibleZoom((graph.clientWidth - 8) / layoutOf(tree, operations, state.open).width);

  /** Light the card that is pointed at, what feeds it, and what it feeds; only what changes is touched. */
  function mark() {
    const { plan } = state;
    for (const element of state.lit) element.classList.remove("mine", "source", "feeds", "fed", "chosen");
    state.lit = [];
    const light = (element, name) => {
      element.classList.add(name);
      state.lit.push(element);
    };
    const node = state.at && plan.cards.find((c) => c.start <= state.at.start && c.stop > state.at.start && state.at.stop <= c.stop);
    graph.firstElementChild.classList.toggle("dim", Boolean(node));
    for (const { from, to, line } of node ? state.lines : []) {
      if (to === node) {
        light(line, "feeds");
        light(state.groups.get(from.id), "source");
      } else if (from === node) light(line, "fed");
    }
    if (node) light(state.groups.get(node.id), "mine");
    const open = state.groups.get(`o${operations.findIndex((operation) => operation.name === state.chosen)}`);
    if (open) light(open, "chosen");
    sight();
    tell();
  }
  /** What the scrolled window shows: its thumbnails are made now, and the strip marks it. */
  function sight() {
    const [from, to] = [graph.scrollLeft / state.zoom - 300, (graph.scrollLeft + graph.clientWidth) / state.zoom + 300];
    for (const node of state.plan.cards) if (node.left < to && node.left + node.width > from) fill(state.groups.get(node.id));
    drawStrip(strip, state, { operations, meta, theme, family, colour });
  }
  function fill(group) {
    for (const [image, thumb] of state.waiting.get(group) || []) image.setAttribute("href", imageOf(thumb));
    state.waiting.delete(group);
  }

  function tell() {
    const node = state.at;
    if (!node) {
      find(".what").textContent = `${meta.title}: ${operations.length} operations`;
      find(".numbers").textContent = "Point at anything to read it. Click a stage to unfold it, an operation to open its arithmetic.";
      return;
    }
    const one = node.stop - node.start === 1;
    const operation = operations[node.stop - 1];
    find(".what").textContent = one ? operation.title : title(node);
    const costs = meta.costs || one ? ["parameters", "macs", "memory"].filter((m) => sumOf(node, m) > 0).map((m) => `${amount(m, sumOf(node, m))} ${m === "memory" ? "of activations" : METRICS[m].of}`) : [];
    const reads = one && operation.inputs.length ? `reads ${operation.inputs.slice(0, 4).map((i) => operations[i].name).join(", ")}${operation.inputs.length > 4 ? ` and ${operation.inputs.length - 4} more` : ""}` : "";
    find(".numbers").textContent = [one ? operation.name : inside(node), `output ${shapeOf(operation.shape)}`, ...costs, reads].filter(Boolean).join(" · ");
    strip.setAttribute("aria-valuemin", 1);
    strip.setAttribute("aria-valuemax", operations.length);
    strip.setAttribute("aria-valuenow", node.start + 1);
    strip.setAttribute("aria-valuetext", `${operation.name}, ${operation.title}`);
  }

  // ---- acting --------------------------------------------------------------------------------------------------
  const nodeOf = (id) => state.plan.cards.find((c) => c.id === id) || state.plan.boxes.find((b) => b.id === id);
  const under = (event) => {
    const element = event.target.closest("[data-id]");
    return element ? nodeOf(element.dataset.id) : null;
  };
  function point(node) {
    if (node === state.at) return;
    state.at = node;
    mark();
  }
  /** Keep the thing that was clicked where it was on the screen. */
  function anchored(node, change) {
    const before = node.left * state.zoom - graph.scrollLeft;
    change();
    paint();
    const after = nodeOf(node.id);
    if (after) graph.scrollLeft = after.left * state.zoom - before;
  }
  function toggle(node) {
    anchored(node, () => (state.open.has(node.id) ? state.open.delete(node.id) : state.open.add(node.id)));
  }
  function activate(node) {
    if (node.children.length) return toggle(node);
    state.chosen = operations[node.start].name;
    mark();
    setTriggerValue("open", state.chosen);
  }
  function show(node) {
    const [x, y] = [node.left * state.zoom, node.top * state.zoom];
    const [right, bottom] = [x + node.width * state.zoom, y + node.height * state.zoom];
    if (x < graph.scrollLeft + 20) graph.scrollLeft = x - 60;
    if (right > graph.scrollLeft + graph.clientWidth - 20) graph.scrollLeft = right - graph.clientWidth + 60;
    if (y < graph.scrollTop || bottom > graph.scrollTop + graph.clientHeight) graph.scrollTop = y - 30;
  }
  /** Unfold whatever hides an operation, and bring it into sight. */
  function reveal(i) {
    const walk = (nodes) => {
      for (const node of nodes) {
        if (i < node.start || i >= node.stop || !node.children.length) continue;
        state.open.add(node.id);
        walk(node.children);
      }
    };
    walk(tree);
    paint();
    point(state.plan.card[i]);
    show(state.plan.card[i]);
  }

  graph.onpointerover = (event) => {
    const node = under(event);
    point(node && node.open ? null : node);
  };
  graph.onpointerleave = () => point(null);
  graph.onclick = (event) => {
    const node = under(event);
    if (node) activate(node);
  };
  graph.onscroll = oncePerFrame(sight);
  graph.onkeydown = (event) => {
    const { cards } = state.plan;
    const at = state.at ? cards.findIndex((c) => c.start <= state.at.start && c.stop > state.at.start) : -1;
    const beside = (sign) => {
      const here = cards[at];
      const same = cards.filter((c) => c !== here && c.left < here.left + here.width && c.left + c.width > here.left && (c.top - here.top) * sign > 0);
      return same.sort((a, b) => (a.top - b.top) * sign)[0] || here;
    };
    let target = null;
    if (event.key === "ArrowRight") target = cards[Math.min(cards.length - 1, at + 1)];
    else if (event.key === "ArrowLeft") target = cards[Math.max(0, at - 1)];
    else if (event.key === "ArrowDown" && at >= 0) target = beside(1);
    else if (event.key === "ArrowUp" && at >= 0) target = beside(-1);
    else if (event.key === "Home") target = cards[0];
    else if (event.key === "End") target = cards.at(-1);
    else if ((event.key === "Enter" || event.key === " ") && at >= 0) {
      const node = cards[at];
      activate(node);
      if (node.children.length) point(state.plan.card[node.start]);
    } else if (event.key === "Escape") {
      const around = at >= 0 ? state.plan.boxes.filter((b) => b.start <= cards[at].start && b.stop >= cards[at].stop).at(-1) : null;
      if (around) {
        toggle(around);
        point(state.plan.card[around.start]);
      } else point(null);
    } else return;
    event.preventDefault();
    if (target) {
      point(target);
      show(target);
    }
  };
  const leaf = (i) => ({ id: `o${i}`, start: i, stop: i + 1, children: [] });
  strip.onpointermove = (event) => {
    const box = strip.getBoundingClientRect();
    const i = Math.max(0, Math.min(operations.length - 1, Math.floor(((event.clientX - box.left) / box.width) * operations.length)));
    if (!state.at || state.at.start !== i || state.at.stop !== i + 1) point(leaf(i));
  };
  strip.onpointerleave = () => point(null);
  strip.onclick = () => state.at && reveal(state.at.start);
  strip.onkeydown = (event) => {
    const at = state.at ? state.at.start : 0;
    const target = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, PageUp: at + 10, PageDown: at - 10, Home: 0, End: operations.length - 1 }[event.key];
    if (target !== undefined) point(leaf(Math.max(0, Math.min(operations.length - 1, target))));
    else if (event.key === "Enter" || event.key === " ") reveal(at);
    else if (event.key === "Escape") point(null);
    else return;
    event.preventDefault();
  };

  find(".fold").onclick = () => {
    state.open.clear();
    state.at = null;
    paint();
  };
  find(".unfold").onclick = () => {
    const walk = (nodes) => nodes.forEach((node) => {
      if (node.children.length) state.open.add(node.id);
      walk(node.children);
    });
    walk(tree);
    paint();
  };
  function zoom(value) {
    const middle = (graph.scrollLeft + graph.clientWidth / 2) / state.zoom;
    state.zoom = Math.max(0.2, Math.min(2, value));
    paint();
    graph.scrollLeft = middle * state.zoom - graph.clientWidth / 2;
  }
  find(".smaller").onclick = () => zoom(state.zoom / 1.25);
  find(".larger").onclick = () => zoom(state.zoom * 1.25);
  find(".whole").onclick = () => zoom(Math.min((graph.clientWidth - 8) / state.plan.width, (graph.clientHeight - 8) / state.plan.height));
  find(".svg").onclick = () => {
    for (const group of state.groups.values()) fill(group);
    const copy = graph.querySelector("svg").cloneNode(true);
    copy.setAttribute("width", state.plan.width);
    copy.setAttribute("height", state.plan.height);
    copy.classList.remove("dim");
    copy.prepend(draw("rect", { width: state.plan.width, height: state.plan.height, fill: theme.page }));
    download(`${meta.network.replace(/[^\w.-]+/g, "_")}_graph.svg`, new XMLSerializer().serializeToString(copy), "image/svg+xml");
  };

  const metrics = find(".metrics");
  metrics.replaceChildren(...Object.entries(METRICS).map(([key, { label }]) => {
    const button = make("button", "", label);
    button.type = "button";
    button.setAttribute("role", "radio");
    button.dataset.metric = key;
    button.onclick = () => choose(key);
    return button;
  }));
  function choose(key) {
    state.metric = key;
    for (const button of metrics.children) {
      button.setAttribute("aria-checked", String(button.dataset.metric === key));
      button.tabIndex = button.dataset.metric === key ? 0 : -1;
    }
    find(".total").textContent = `in all: ${amount(key, sumOf(whole, key))} ${key === "memory" ? "of activations" : METRICS[key].of}`;
    const painted = [state.signature, key, meta.costs].join("|");
    if (state.painted === painted) return mark();
    state.painted = painted;
    paint();
  }
  metrics.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const keys = Object.keys(METRICS);
    choose(keys[(keys.indexOf(state.metric) + step + keys.length) % keys.length]);
    metrics.querySelector("[aria-checked=true]").focus();
  };
  find(".kinds").replaceChildren(...KINDS.filter((entry) => operations.some((o) => familyOf(o.kind) === entry)).map((entry) => {
    const item = make("span");
    const swatch = make("i");
    swatch.style.background = colourOf(entry, theme);
    item.append(swatch, entry.name);
    return item;
  }));
  find(".costs").hidden = !meta.costs;
  graph.setAttribute("aria-label", `${meta.title} from left to right. Arrow keys move, Enter unfolds or opens, Escape folds.`);
  choose(state.metric);
  root.dataset.network = meta.network;
  return onResize(root, oncePerFrame(sight));
}
