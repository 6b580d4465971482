// The whole network from left to right with its maps: moved and zoomed here, opened by a click, ranked by what it costs.
export default function ({ data, parentElement, setTriggerValue }) {
  const began = performance.now();
  const root = parentElement.querySelector(".cl");
  const find = (selector) => parentElement.querySelector(selector);
  const theme = applyTheme(root);
  const state = stateOf(parentElement, () => ({
    open: new Set(), metric: "macs", colour: "kind", images: new Map(), at: null, layout: 0, sort: { key: "value", up: false },
    lit: { at: null, feeds: [], fed: [] },
  }));
  const pack = unpack(data);
  const { meta } = pack;
  const { operations } = meta;
  const [graph, strip] = [find(".graph"), find(".strip")];
  const family = getComputedStyle(root).fontFamily;
  const whole = { start: 0, stop: operations.length };
  const thumbs = new Map();
  for (let k = 0; k < pack.table.shape[0]; k++) {
    const [operation, channel, height, width, start, signed] = pack.table.data.subarray(6 * k, 6 * k + 6);
    if (!thumbs.has(operation)) thumbs.set(operation, []);
    thumbs.get(operation).push({ key: k, channel, height, width, start, signed });
  }
  const app = { state, operations, meta, theme, whole, mapsOf, imageOf, hover, click };

  const signature = `${meta.network}|${meta.picture}|${theme.mode}`;
  if (state.signature !== signature) state.images.clear();
  const fresh = state.network !== meta.network;
  if (fresh) {
    state.open.clear();
    cancelAnimationFrame(state.flight);
    Object.assign(state, { at: null, view: null, root: treeOf(operations), lit: { at: null, feeds: [], fed: [] } });
  }
  Object.assign(state, { signature, network: meta.network, chosen: meta.chosen });
  if (state.pictureOf !== meta.picture) {
    state.pictureOf = meta.picture;
    state.picture = new Image();
    state.picture.onload = () => state.draw();
    state.picture.src = `data:image/jpeg;base64,${btoa(Array.from(pack.jpeg.data, (byte) => String.fromCharCode(byte)).join(""))}`;
  }

  // ---- thumbnails: made when they are first seen ---------------------------------------------------------------
  function imageOf(thumb) {
    if (!state.images.has(thumb.key)) {
      const table = scaleTable(thumb.signed ? "diverging" : "sequential", theme.mode);
      const top = thumb.signed ? 254 : 255; // diverging scales have 255 colours, so that zero has one of its own
      state.images.set(thumb.key, canvasOf(colourise(pack.thumbs.data, thumb.start, thumb.height, thumb.width, table, 0, top)));
    }
    return state.images.get(thumb.key);
  }
  /** The strongest maps that stand for a card: those of its last operation that has any. */
  function mapsOf(node) {
    for (let i = node.stop - 1; i >= node.start; i--) if (thumbs.has(i) && thumbs.get(i)[0].height > 1) return thumbs.get(i);
    return thumbs.get(node.stop - 1) || [];
  }

  // ---- painting: at most once in a frame ------------------------------------------------------------------------
  const camera = cameraOf(app, graph, () => state.draw());
  const drawMinimap = minimapOf(app, find(".minimap"), camera);
  function drawNow() {
    if (!state.view || !graph.clientWidth) return;
    const start = performance.now();
    const { x, y, zoom } = state.view;
    const context = fit(graph, graph.clientWidth, graph.clientHeight);
    graph.style.width = graph.style.height = ""; // as large as its frame, whatever that becomes
    const ratio = window.devicePixelRatio || 1;
    context.fillStyle = theme.panel;
    context.fillRect(0, 0, graph.clientWidth, graph.clientHeight);
    context.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * x, ratio * y);
    const [w, h] = [graph.clientWidth, graph.clientHeight];
    drawAll(app, canvasPaper(context, zoom, family), [-x / zoom, -y / zoom, (w - x) / zoom, (h - y) / zoom]);
    drawMinimap();
    state.room = camera.size();
    drawStrip(strip, state, { operations, meta, theme, family, colour: (i) => colourOf(familyOf(operations[i].kind), theme) });
    state.spent = performance.now() - start;
    if (root.dataset.network === meta.network) return;
    root.dataset.firstPaint = (performance.now() - began).toFixed(1);
    root.dataset.network = meta.network;
  }
  cancelAnimationFrame(state.frame);
  state.frame = 0;
  state.draw = () => {
    state.frame ||= requestAnimationFrame(() => {
      state.frame = 0;
      drawNow();
    });
  };
  /** Lay out again: something was folded or unfolded. */
  function layout() {
    state.plan = layoutOf(state.root, operations, state.open);
    state.layout++;
    warm();
    light();
  }
  function warm() {
    state.hottest = state.colour === "kind" ? 1 : Math.max(...state.plan.cards.map((node) => sumOf(app, node, state.colour)));
  }

  // ---- what is pointed at -----------------------------------------------------------------------------------------
  const cardAt = (node) => node && state.plan.cards.find((c) => c.start <= node.start && c.stop > node.start && node.stop <= c.stop);
  function light() {
    const at = cardAt(state.at) || null;
    state.lit = { at, feeds: at ? state.plan.edges.filter((e) => e.to === at) : [], fed: at ? state.plan.edges.filter((e) => e.from === at) : [] };
    if (state.row) state.row.classList.remove("at");
    state.row = state.at && state.at.stop - state.at.start === 1 ? state.rows?.[state.at.start] : null;
    if (state.row) state.row.classList.add("at");
    tell();
    state.draw();
  }
  function point(node) {
    if (node === state.at || (node && state.at && node.id === state.at.id)) return;
    state.at = node;
    light();
  }
  /** What stands at a place of the view: a card, or the title of what is unfolded. */
  function under(px, py) {
    const [x, y] = camera.toDrawing(px, py);
    const within = (node, height) => x >= node.left && x <= node.left + node.width && y >= node.top && y <= node.top + height;
    const card = state.plan.cards.find((node) => within(node, node.height));
    if (card) return card;
    return state.plan.boxes.filter((node) => within(node, Math.min(node.height, Math.max(SPACE.head, 18 / state.view.zoom)))).at(-1) || null;
  }
  function hover(px, py) {
    const node = px < 0 && py < 0 ? null : under(px, py);
    graph.classList.toggle("over", Boolean(node));
    point(node && node.open ? null : node);
  }
  function click(px, py) {
    graph.focus({ preventScroll: true });
    const node = under(px, py);
    if (node) activate(node);
  }
  function tell() {
    const node = state.at;
    strip.setAttribute("aria-valuemin", 1);
    strip.setAttribute("aria-valuemax", operations.length);
    if (!node) {
      find(".what").textContent = `${meta.title}: ${operations.length} operations`;
      find(".numbers").textContent = "Point at anything to read it. Click a stage or a block to unfold it, its title to fold it, an operation to open its arithmetic.";
      return;
    }
    const one = node.stop - node.start === 1;
    const operation = operations[node.stop - 1];
    const title = node.type === "stage" ? node.title : operation.block;
    find(".what").textContent = one ? operation.title : title;
    const costs = meta.costs || one ? ["parameters", "macs", "memory"].filter((m) => sumOf(app, node, m) > 0).map((m) => `${amount(m, sumOf(app, node, m))} ${m === "memory" ? "of activations" : METRICS[m].of}`) : [];
    const reads = one && operation.inputs.length ? `reads ${operation.inputs.slice(0, 4).map((i) => operations[i].name).join(", ")}${operation.inputs.length > 4 ? ` and ${operation.inputs.length - 4} more` : ""}` : "";
    find(".numbers").textContent = [one ? operation.name : inside(node), `output ${shapeOf(operation.shape)}`, ...costs, reads].filter(Boolean).join(" · ");
    strip.setAttribute("aria-valuemax", operations.length);
    strip.setAttribute("aria-valuenow", node.start + 1);
    strip.setAttribute("aria-valuetext", `${operation.name}, ${operation.title}`);
  }

  // ---- acting ---------------------------------------------------------------------------------------------------
  const nodeOf = (id) => state.plan.cards.find((c) => c.id === id) || state.plan.boxes.find((b) => b.id === id);
  /** Keep a thing where it stands on the screen while the drawing changes round it. */
  function anchored(anchor, change) {
    const { x, y, zoom } = state.view;
    const height = (node) => node.top + node.axis;
    const before = [x + anchor.left * zoom, y + height(anchor) * zoom];
    const { start } = anchor;
    change();
    layout();
    let after = nodeOf(anchor.id);
    if (!after) for (after = state.plan.card[start]; after.parent && after.parent.id === anchor.id; ) after = after.parent;
    camera.go({ x: before[0] - after.left * zoom, y: before[1] - height(after) * zoom, zoom });
  }
  function toggle(node) {
    anchored(node, () => (state.open.has(node.id) ? state.open.delete(node.id) : state.open.add(node.id)));
    if (node.open) camera.show(node);
  }
  function activate(node) {
    if (node.children.length) return toggle(node);
    state.chosen = operations[node.start].name;
    state.draw();
    setTriggerValue("open", state.chosen);
  }
  /** Unfold whatever hides an operation, and bring it into sight. */
  function reveal(i) {
    for (let node = state.plan.card[i]; node.children.length; node = node.children.find((child) => child.start <= i && child.stop > i)) state.open.add(node.id);
    layout();
    state.at = null;
    point(state.plan.card[i]);
    if (state.view.zoom < 0.5) camera.zoomTo(0.8);
    camera.show(state.plan.card[i]);
  }
  /** The card nearest to the middle of the view. */
  function central() {
    const [w, h] = camera.size();
    const [x, y] = camera.toDrawing(w / 2, h / 2);
    const far = (c) => Math.hypot(c.left + c.width / 2 - x, c.top + c.height / 2 - y);
    return state.plan.cards.reduce((best, c) => (far(c) < far(best) ? c : best));
  }

  graph.onkeydown = (event) => {
    if (camera.key(event)) return event.preventDefault();
    const { cards, boxes } = state.plan;
    const here = cardAt(state.at);
    const at = here ? cards.indexOf(here) : -1;
    const beside = (sign) => {
      const same = cards.filter((c) => c !== here && c.left < here.left + here.width && c.left + c.width > here.left && (c.top - here.top) * sign > 0);
      return same.sort((a, b) => (a.top - b.top) * sign)[0] || here;
    };
    let target = null;
    if (event.key === "ArrowRight") target = cards[Math.min(cards.length - 1, at + 1)];
    else if (event.key === "ArrowLeft") target = cards[Math.max(0, at - 1)];
    else if (event.key === "ArrowDown" && here) target = beside(1);
    else if (event.key === "ArrowUp" && here) target = beside(-1);
    else if (event.key === "Home") target = cards[0];
    else if (event.key === "End") target = cards.at(-1);
    else if ((event.key === "Enter" || event.key === " ") && here) {
      activate(here);
      if (here.children.length) target = state.plan.card[here.start];
    } else if (event.key === "Escape") {
      const around = here && boxes.filter((b) => b.start <= here.start && b.stop >= here.stop).at(-1);
      if (around) {
        toggle(around);
        target = state.plan.card[around.start];
      } else if (state.at) point(null);
      else graph.blur();
    } else return;
    event.preventDefault();
    if (target) {
      state.at = null;
      point(target);
      camera.show(target);
    }
  };
  const leaf = (i) => ({ id: `o${i}`, start: i, stop: i + 1, children: [] });
  strip.onpointermove = (event) => {
    const box = strip.getBoundingClientRect();
    point(leaf(Math.max(0, Math.min(operations.length - 1, Math.floor(((event.clientX - box.left) / box.width) * operations.length)))));
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
    layout();
    camera.begin();
  };
  find(".unfold").onclick = () => anchored(central(), () => {
    const walk = (node) => {
      if (node.children.length && node.parent) state.open.add(node.id);
      node.children.forEach(walk);
    };
    walk(state.root);
  });
  find(".smaller").onclick = () => camera.zoomTo(state.view.zoom / 1.25, undefined, undefined, true);
  find(".larger").onclick = () => camera.zoomTo(state.view.zoom * 1.25, undefined, undefined, true);
  find(".natural").onclick = () => camera.zoomTo(1, undefined, undefined, true);
  find(".whole").onclick = () => camera.fit(true);
  const file = meta.network.replace(/[^\w.-]+/g, "_");
  const wholeGraph = () => {
    const { width, height } = state.plan;
    const svg = draw("svg", { xmlns: NAMESPACE, viewBox: `0 0 ${width} ${height}`, width, height });
    draw("rect", { width, height, fill: theme.panel }, svg);
    drawAll({ ...app, state: { ...state, lit: { at: null, feeds: [], fed: [] } } }, svgPaper(svg, family));
    return { text: new XMLSerializer().serializeToString(svg), width, height };
  };
  saves(root, { file: `${meta.network} graph`, csv: meta.costs ? () => asCsv(operations) : null, picture: wholeGraph });

  // ---- costs ----------------------------------------------------------------------------------------------------
  const metrics = find(".metrics");
  const choices = { kind: "Kind", ...Object.fromEntries(Object.entries(METRICS).map(([key, { label }]) => [key, label])) };
  metrics.replaceChildren(...Object.entries(choices).map(([key, label]) => {
    const button = make("button", "", label);
    button.type = "button";
    button.setAttribute("role", "radio");
    button.dataset.metric = key;
    button.onclick = () => choose(key);
    return button;
  }));
  function choose(key) {
    state.colour = key;
    if (key !== "kind") state.metric = key;
    for (const button of metrics.children) {
      button.setAttribute("aria-checked", String(button.dataset.metric === key));
      button.tabIndex = button.dataset.metric === key ? 0 : -1;
    }
    find(".barsof").textContent = `${METRICS[state.metric].label} of each operation, in order`;
    find(".total").textContent = `in all: ${amount(state.metric, sumOf(app, whole, state.metric))} ${METRICS[state.metric].of}`;
    warm();
    legend();
    drawRanking(app, find(".ranking table"), point, reveal);
    state.draw();
  }
  metrics.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const keys = Object.keys(choices);
    choose(keys[(keys.indexOf(state.colour) + step + keys.length) % keys.length]);
    metrics.querySelector("[aria-checked=true]").focus();
  };
  /** The scales in words and colours: those of the maps, and that of the cards where they show a cost. */
  function legend() {
    const bar = (table, width = 44) => {
      const canvas = make("canvas");
      drawScaleBar(canvas, table, width, 8);
      return canvas;
    };
    const maps = ["Maps, each on its own scale: 0", bar(scaleTable("sequential", theme.mode)), "largest, or −", bar(scaleTable("diverging", theme.mode)), "+"];
    const ramp = Array.from({ length: 64 }, (_, k) => mixed(theme.page, theme.kernel, (HEAT * k) / 63)).flatMap((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
    const cards = meta.costs && state.colour !== "kind" ? [" · Cards on one shared scale: 0", bar(Uint8Array.from(ramp), 64), short(state.colour, state.hottest)] : [];
    find(".legend").replaceChildren(...maps, ...cards);
  }
  find(".kinds").replaceChildren(...KINDS.filter((entry) => operations.some((o) => familyOf(o.kind) === entry)).map((entry) => {
    const item = make("span");
    const swatch = make("i");
    swatch.style.background = colourOf(entry, theme);
    item.append(swatch, entry.name);
    return item;
  }));
  for (const part of parentElement.querySelectorAll(".costly")) part.hidden = !meta.costs;
  graph.setAttribute("aria-label", `${meta.title} from left to right. Arrow keys move between operations, Enter unfolds or opens, Escape folds; Shift and arrows move the drawing, plus, minus, 0 and 1 zoom.`);
  /** What is drawn and where it stands on the page, for scripts and tests: a canvas has no elements to ask. */
  graph.drawn = () => {
    const box = graph.getBoundingClientRect();
    const { x, y, zoom } = state.view;
    const place = (node) => ({ id: node.id, name: operations[node.stop - 1].name, title: node.title, type: node.type, x: box.left + x + node.left * zoom, y: box.top + y + node.top * zoom, width: node.width * zoom, height: node.height * zoom });
    const pair = (edge) => [edge.from.id, edge.to.id];
    return { ...state.view, chosen: state.chosen, cards: state.plan.cards.map(place), boxes: state.plan.boxes.map(place), edges: state.plan.edges.map(pair), feeds: state.lit.feeds.map(pair), fed: state.lit.fed.map(pair), deep: state.deep, colour: state.colour, spent: state.spent };
  };
  if (fresh || !state.plan) state.plan = layoutOf(state.root, operations, state.open);
  state.layout++;
  choose(state.colour);
  light();
  if (!state.view) camera.begin();
  if (root.dataset.network !== meta.network) drawNow();
  return onResize(find(".frame"), () => {
    if (state.view === state.home) camera.begin(); // nobody moved it yet
    else camera.go(state.view);
    drawNow(); // in this frame: a canvas that was resized is empty
  });
}
