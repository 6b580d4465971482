// All maps of a layer as a wall; several are picked, and switched off with one button.

const TILE = { side: 58, gap: 6, line: 15 };

function channelWall({ root, S, theme, meta, maps, low, high, mean, entries, fresh, send }) {
  const [count, rows, columns] = maps.shape;
  if (S.layer !== meta.layer) Object.assign(S, { layer: meta.layer, picked: new Set(), at: 0, order: "index", to: "zero", atlas: null });
  if (fresh) Object.assign(S, { atlas: null, picked: new Set([...S.picked].filter((c) => !meta.off.includes(c))) });
  if (S.mode !== theme.mode) Object.assign(S, { mode: theme.mode, atlas: null });
  if (!entries && S.order === "ledger") S.order = "index";
  if (meta.vector) S.to = "zero";
  const off = new Set(meta.off);

  root.replaceChildren();
  const head = push(root, "div", "iv-head");
  push(head, "strong", "", `${meta.layer}`);
  push(head, "span", "quiet", ` ${meta.title}, ${count} ${meta.vector ? "numbers" : "maps"}`);
  const bar = push(root, "div", "bar");
  const orders = { index: "In order", strong: "Strongest", ...(entries ? { ledger: "By the ledger" } : {}) };
  bar.append(choices(orders, S.order, "Order of the channels", (key) => { S.order = key; S.at = 0; wall.scrollTop = 0; say(); schedule(); }));
  const five = bar.appendChild(actionButton("Pick the first 5"));
  const none = bar.appendChild(actionButton("Let go"));
  const foot = push(root, "div", "bar");
  const wall = push(root, "div", "iv-wall");
  wall.tabIndex = 0;
  wall.setAttribute("role", "application");
  wall.setAttribute("aria-label", `${count} channels of ${meta.layer}. Arrow keys move, Space or Enter picks, Escape lets all go.`);
  const room = push(wall, "div", "iv-room");
  const canvas = push(room, "canvas");
  const legend = push(root, "div", "iv-legend");
  const readout = push(root, "p", "readout");
  readout.setAttribute("aria-live", "polite");
  const toWhat = choices({ zero: "to 0", mean: "to its mean" }, S.to, "What a channel is set to", (key) => { S.to = key; say(); });
  if (meta.vector) toWhat.lastChild.disabled = true;
  const act = actionButton("", "iv-act");
  foot.append(act, toWhat);

  const table = scaleTable(meta.signed ? "diverging" : "sequential", theme.mode);
  const order = () => {
    const all = Array.from({ length: count }, (_, i) => i);
    const by = S.order === "strong" ? mean.data.map(Math.abs) : S.order === "ledger" ? entries.data : null;
    return by ? all.sort((a, b) => by[b] - by[a] || a - b) : all;
  };
  const atlas = () => {
    if (S.atlas) return S.atlas;
    S.atlas = [];
    return S.atlas;
  };
  /** One map's picture, made when it is first seen; each on its own scale. */
  function tile(c) {
    const made = atlas();
    if (!made[c]) {
      const top = Math.max(Math.abs(low.data[c]), Math.abs(high.data[c]));
      const bytes = maps.data instanceof Uint8Array;
      const values = bytes
        ? Float32Array.from(maps.data.subarray(c * rows * columns, (c + 1) * rows * columns), (q) => low.data[c] + (q * (high.data[c] - low.data[c])) / 255)
        : maps.data.subarray(c * rows * columns, (c + 1) * rows * columns);
      made[c] = canvasOf(colourise(values, 0, rows, columns, table, meta.signed ? -top : 0, top));
    }
    return made[c];
  }

  let list = order();
  let across = 1;
  // What is left of the width goes between the maps.
  const step = () => ({ x: (wall.clientWidth - TILE.gap) / across, y: TILE.side + TILE.gap + TILE.line * (S.order === "ledger" ? 2 : 1) });
  function draw() {
    const width = wall.clientWidth - 2;
    if (width <= 0) return;
    list = order();
    across = Math.max(1, Math.floor((width - TILE.gap) / (TILE.side + TILE.gap)));
    room.style.height = `${Math.ceil(count / across) * step().y + TILE.gap}px`;
    const height = wall.clientHeight;
    const g = fit(canvas, width, height);
    g.clearRect(0, 0, width, height);
    const from = Math.floor(wall.scrollTop / step().y);
    const until = Math.ceil((wall.scrollTop + height) / step().y);
    g.textBaseline = "middle";
    g.font = `11px ${getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace"}`;
    for (let k = from * across; k < Math.min(count, until * across); k++) {
      const c = list[k];
      const x = TILE.gap + (k % across) * step().x;
      const y = TILE.gap + Math.floor(k / across) * step().y - wall.scrollTop;
      g.drawImage(tile(c), x, y, TILE.side, TILE.side);
      const [picked, gone] = [S.picked.has(c), off.has(c)];
      if (gone || picked) {
        g.fillStyle = gone ? theme.page : theme.panel;
        g.globalAlpha = gone ? 0.78 : 0.35;
        g.fillRect(x, y, TILE.side, TILE.side);
        g.globalAlpha = 1;
        g.strokeStyle = gone ? theme.quiet : theme.wrong;
        g.lineWidth = gone ? 1.5 : 3;
        g.beginPath();
        g.moveTo(x + 8, y + 8);
        g.lineTo(x + TILE.side - 8, y + TILE.side - 8);
        g.moveTo(x + TILE.side - 8, y + 8);
        g.lineTo(x + 8, y + TILE.side - 8);
        g.stroke();
        if (picked) g.strokeRect(x + 1, y + 1, TILE.side - 2, TILE.side - 2);
      }
      if (k === S.at && root.getRootNode().activeElement === wall) {
        g.strokeStyle = theme.accent;
        g.lineWidth = 3;
        g.strokeRect(x - 2, y - 2, TILE.side + 4, TILE.side + 4);
      }
      g.fillStyle = picked ? theme.wrong : theme.quiet;
      g.textAlign = "left";
      g.fillText(gone ? `${c} off` : String(c), x + 1, y + TILE.side + TILE.line / 2 + 1);
      if (S.order === "ledger") g.fillText(delta(entries.data[c], 3), x + 1, y + TILE.side + TILE.line * 1.5);
    }
  }
  const schedule = oncePerFrame(draw);
  wall.onscroll = schedule;

  function describe(c) {
    const parts = [`channel ${c}: mean ${number(mean.data[c])}`, `from ${number(low.data[c])} to ${number(high.data[c])}`];
    if (entries) parts.push(`${delta(entries.data[c])} in ${meta.entryWords}`);
    if (off.has(c)) parts.push("switched off already");
    return `${parts.join(", ")}.`;
  }
  function say(c = null) {
    const n = S.picked.size;
    act.disabled = n === 0;
    act.textContent = n === 0 ? "Switch off" : `Switch off ${n === 1 ? `channel ${[...S.picked][0]}` : `${n} channels`}`;
    none.disabled = n === 0;
    if (c !== null) readout.textContent = describe(c)[0].toUpperCase() + describe(c).slice(1);
    else if (n === 0) readout.textContent = "Click the maps that you want to switch off.";
    else readout.textContent = `Picked: ${[...S.picked].sort((a, b) => a - b).slice(0, 12).join(", ")}${n > 12 ? ", …" : ""}.`;
  }
  function toggle(k) {
    const c = list[k];
    if (c === undefined || off.has(c)) return;
    if (!S.picked.delete(c)) S.picked.add(c);
    S.at = k;
    say();
    schedule();
  }
  const at = (event) => {
    const box = wall.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - TILE.gap / 2) / step().x);
    const k = Math.floor((event.clientY - box.top + wall.scrollTop - TILE.gap / 2) / step().y) * across + column;
    return column >= 0 && column < across && k >= 0 && k < count ? k : null;
  };
  wall.onpointermove = (event) => say(at(event) === null ? null : list[at(event)]);
  wall.onpointerleave = () => say();
  wall.onclick = (event) => { if (at(event) !== null) toggle(at(event)); };
  wall.onfocus = wall.onblur = schedule;
  wall.onkeydown = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (move) {
      S.at = Math.max(0, Math.min(count - 1, S.at + move));
      const top = Math.floor(S.at / across) * step().y;
      if (top < wall.scrollTop) wall.scrollTop = top;
      if (top + step().y > wall.scrollTop + wall.clientHeight) wall.scrollTop = top + step().y - wall.clientHeight + TILE.gap;
      say(list[S.at]);
    } else if (event.key === " " || event.key === "Enter") toggle(S.at);
    else if (event.key === "Escape") { S.picked.clear(); say(); }
    else return;
    event.preventDefault();
    schedule();
  };
  five.onclick = () => {
    S.picked = new Set(order().filter((c) => !off.has(c)).slice(0, 5));
    say();
    schedule();
  };
  none.onclick = () => {
    S.picked.clear();
    say();
    schedule();
  };
  act.onclick = () => {
    const channels = [...S.picked];
    S.picked = new Set();
    send("act", { layer: meta.layer, channels, to: S.to });
    say();
    schedule();
  };
  const bounds = push(legend, "span");
  const canvasBar = make("canvas");
  bounds.className = "scale";
  bounds.append(canvasBar, make("span", "", meta.signed ? "negative, 0 and positive; each map on its own scale" : "0 to its largest number; each map on its own scale"));
  drawScaleBar(canvasBar, table, 90, 8);
  say();
  draw();
  return onResize(root, draw);
}
