// How far each layer moved, as a strip; and one layer's most moved channels: before, after, after minus before.

function throughLayers({ root, S, theme, meta, before, after, fresh, send }) {
  const n = meta.layers.length;
  const watched = Math.max(0, meta.layers.findIndex((layer) => layer.name === meta.watched));
  if (fresh) S.at = watched;
  const [shown, h, w] = before.shape;
  root.replaceChildren();
  const strip = push(root, "canvas", "iv-strip");
  strip.tabIndex = 0;
  strip.setAttribute("role", "slider");
  strip.setAttribute("aria-label", "How far each layer moved. Arrow keys move, Enter shows the layer's maps.");
  strip.setAttribute("aria-valuemin", 0);
  strip.setAttribute("aria-valuemax", n - 1);
  const axis = push(root, "div", "small quiet iv-axis");
  const readout = push(root, "p", "readout");
  readout.setAttribute("aria-live", "polite");
  const finite = meta.layers.map((layer) => layer.relative).filter((v) => v !== null);
  const top = Math.max(1e-9, ...finite);
  const percent = (v) => (v === null ? "it was all 0 before" : v === 0 ? "0 %" : `${number(100 * v, 3)} %`);
  push(axis, "span", "", "picture");
  push(axis, "span", "", `Bars: how far the output moved, relative to its length before; 0 to ${percent(top)}, one shared scale. ▲ changed here.`);
  push(axis, "span", "", "probabilities");
  const HEIGHT = 96;
  const words = (i) => {
    const layer = meta.layers[i];
    const moved = layer.relative === 0 ? "nothing moved" : layer.relative === null ? "it was all 0 before" : `moved by ${percent(layer.relative)}`;
    return `${layer.name} · ${layer.title}: ${moved}${layer.edited ? "; changed here" : ""}.`;
  };
  function draw() {
    const width = strip.isConnected ? root.clientWidth : 0; // a frame may come after the face was built anew
    if (!width) return;
    const g = fit(strip, width, HEIGHT);
    g.clearRect(0, 0, width, HEIGHT);
    const step = width / n;
    const base = HEIGHT - 16;
    g.fillStyle = theme.line;
    g.fillRect(0, base, width, 1);
    meta.layers.forEach((layer, i) => {
      const size = layer.relative === null ? 1 : layer.relative / top;
      const tall = layer.relative === 0 ? 1 : Math.max(2, size * (base - 8));
      const room = Math.max(1, step - (step > 5 ? 2 : 0.5));
      if (i === S.at) {
        g.fillStyle = theme.panel;
        g.fillRect(i * step, 0, step, HEIGHT);
      }
      g.fillStyle = i === watched ? theme.accent : layer.relative === 0 ? theme.line : theme.kernel;
      g.fillRect(i * step + (step - room) / 2, base - tall, room, tall);
      if (layer.edited) {
        g.fillStyle = theme.wrong;
        g.beginPath();
        g.moveTo(i * step + step / 2, base + 3);
        g.lineTo(i * step + step / 2 - 5, base + 12);
        g.lineTo(i * step + step / 2 + 5, base + 12);
        g.fill();
      }
    });
    if (root.getRootNode().activeElement === strip || S.over) {
      g.strokeStyle = theme.accent;
      g.lineWidth = 2;
      g.strokeRect(S.at * step + 1, 1, Math.max(3, step - 2), HEIGHT - 2);
    }
    strip.setAttribute("aria-valuenow", S.at);
    strip.setAttribute("aria-valuetext", words(S.at));
    readout.textContent = words(S.at);
  }
  const schedule = oncePerFrame(draw);
  const at = (event) => {
    const box = strip.getBoundingClientRect();
    return Math.max(0, Math.min(n - 1, Math.floor(((event.clientX - box.left) / box.width) * n)));
  };
  strip.onpointermove = (event) => { S.at = at(event); S.over = true; schedule(); };
  strip.onpointerleave = () => { S.at = watched; S.over = false; schedule(); };
  strip.onclick = (event) => send("choose", { layer: meta.layers[at(event)].name });
  strip.onfocus = strip.onblur = schedule;
  strip.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, Home: -n, End: n }[event.key];
    if (step) S.at = Math.max(0, Math.min(n - 1, S.at + step));
    else if (event.key === "Escape") S.at = watched;
    else if (event.key === "Enter" || event.key === " ") send("choose", { layer: meta.layers[S.at].name });
    else return;
    event.preventDefault();
    schedule();
  };

  // ---- the maps ------------------------------------------------------------------------------------------------
  const size = h * w;
  const difference = Float32Array.from(after.data, (v, i) => v - before.data[i]);
  const [lowest, highest] = [before.data, after.data].map((values) => extent(values)).reduce(([a, b], [c, d]) => [Math.min(a, c), Math.max(b, d)]);
  const reach = Math.max(1e-30, Math.abs(lowest), Math.abs(highest));
  const signed = lowest < 0;
  const mapTable = scaleTable(signed ? "diverging" : "sequential", theme.mode);
  const signTable = scaleTable("diverging", theme.mode);
  const most = Math.max(1e-30, ...extent(difference).map(Math.abs));
  const head = push(root, "p", "iv-mapshead");
  push(head, "strong", "", meta.watched);
  push(head, "span", "quiet", meta.touched === 0
    ? ` ${meta.title}: no number moved.`
    : ` ${meta.title}: ${meta.touched} of ${meta.total} ${size > 1 ? "channels" : "numbers"} moved${shown < meta.touched ? `; here are the ${shown} that moved most` : ""}.`);
  const grid = push(root, "div", "iv-maps");
  grid.tabIndex = 0;
  grid.setAttribute("role", "application");
  grid.setAttribute("aria-label", "Maps before, after and their difference. Arrow keys move over channels and cells.");
  const canvas = push(grid, "canvas");
  const legend = push(root, "div", "iv-legend");
  scaleWords(push(legend, "span"), mapTable, signed ? -reach : 0, reach, "before and after, one shared scale");
  scaleWords(push(legend, "span"), signTable, -most, most, "after − before, one shared scale");
  const line = push(root, "p", "readout");
  line.setAttribute("aria-live", "polite");
  const LEFT = 76;
  const bitmaps = [[before.data, mapTable, signed ? -reach : 0, reach], [after.data, mapTable, signed ? -reach : 0, reach], [difference, signTable, -most, most]].map(
    ([values, table, from, to]) => Array.from({ length: shown }, (_, k) => canvasOf(colourise(values, k * size, h, w, table, from, to))));
  let [side, across] = [80, 1];
  function drawMaps() {
    const width = grid.clientWidth;
    if (!width) return;
    side = Math.max(56, Math.min(110, Math.floor((width - LEFT) / Math.min(shown, 12)) - 6));
    across = Math.max(1, Math.min(shown, Math.floor((width - LEFT) / (side + 6))));
    const tall = (side * h) / w > side ? side : Math.max(18, (side * h) / w);
    S.tall = tall;
    const g = fit(canvas, width, 3 * (tall + 6) + 18);
    g.clearRect(0, 0, width, 3 * (tall + 6) + 18);
    g.font = `12px ${getComputedStyle(root).getPropertyValue("--st-font") || "sans-serif"}`;
    g.textBaseline = "middle";
    ["before", "after", "difference"].forEach((name, r) => {
      g.fillStyle = theme.text;
      g.textAlign = "left";
      g.fillText(name, 0, r * (tall + 6) + tall / 2);
      for (let k = 0; k < across; k++) {
        g.drawImage(bitmaps[r][k], LEFT + k * (side + 6), r * (tall + 6), side, tall);
        g.strokeStyle = theme.line;
        g.lineWidth = 1;
        g.strokeRect(LEFT + k * (side + 6) + 0.5, r * (tall + 6) + 0.5, side - 1, tall - 1);
      }
    });
    g.textAlign = "center";
    g.fillStyle = theme.quiet;
    for (let k = 0; k < across; k++) g.fillText(String(meta.channels[k]), LEFT + k * (side + 6) + side / 2, 3 * (tall + 6) + 8);
    if (S.cell) {
      const [k, row, column] = S.cell;
      if (k < across) for (let r = 0; r < 3; r++) {
        const [x, y] = [LEFT + k * (side + 6) + (column * side) / w, r * (tall + 6) + (row * tall) / h];
        for (const [colour, thick] of [["rgba(0,0,0,.7)", 4], ["#FFFFFF", 2]]) {
          g.strokeStyle = colour;
          g.lineWidth = thick;
          g.strokeRect(x, y, Math.max(3, side / w), Math.max(3, tall / h));
        }
      }
      const i = k * size + row * w + column;
      const where = size > 1 ? `channel ${meta.channels[k]}, row ${row}, column ${column}` : `number ${meta.channels[k]}`;
      line.textContent = `${where[0].toUpperCase()}${where.slice(1)}: before ${number(before.data[i])}, after ${number(after.data[i])}, difference ${delta(difference[i])}.`;
    } else line.textContent = "Move over the maps to read them.";
  }
  const scheduleMaps = oncePerFrame(drawMaps);
  canvas.onpointermove = (event) => {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left - LEFT, event.clientY - box.top];
    const [k, r] = [Math.floor(x / (side + 6)), Math.floor(y / (S.tall + 6))];
    const [column, row] = [Math.floor(((x - k * (side + 6)) * w) / side), Math.floor(((y - r * (S.tall + 6)) * h) / S.tall)];
    S.cell = x >= 0 && k < across && r < 3 && column < w && row < h ? [k, row, column] : null;
    scheduleMaps();
  };
  canvas.onpointerleave = () => { S.cell = null; scheduleMaps(); };
  readByTouch(canvas);
  grid.onkeydown = (event) => {
    const move = { ArrowLeft: [0, 0, -1], ArrowRight: [0, 0, 1], ArrowUp: [0, -1, 0], ArrowDown: [0, 1, 0], PageUp: [-1, 0, 0], PageDown: [1, 0, 0] }[event.key];
    if (event.key === "Escape") S.cell = null;
    else if (!move) return;
    else {
      const from = S.cell ?? [0, Math.floor(h / 2), Math.floor(w / 2)];
      let [k, row, column] = from.map((v, axis) => v + move[axis]);
      if (column < 0 && k > 0) [k, column] = [k - 1, w - 1];
      if (column >= w && k < across - 1) [k, column] = [k + 1, 0];
      const last = [across - 1, h - 1, w - 1];
      S.cell = [k, row, column].map((v, axis) => Math.max(0, Math.min(last[axis], v)));
    }
    event.preventDefault();
    scheduleMaps();
  };
  S.cell = null;
  draw();
  drawMaps();
  return onResize(root, () => { draw(); drawMaps(); });
}
