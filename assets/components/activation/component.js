// An activation function on a real map: before, the function's graph, after, and the point that moves on it.

/** Abramowitz and Stegun 7.1.26: |error| < 1.5e-7, far below the tick's tolerance. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
  return x < 0 ? -y : y;
}
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const clip6 = (x) => Math.min(6, Math.max(0, x));
// For each kind: the function, its formula, and the formula with a number put in.
const FUNCTIONS = {
  relu: [(x) => Math.max(0, x), "max(0, x)", (x) => `max(0, ${x})`],
  relu6: [clip6, "min(6, max(0, x))", (x) => `min(6, max(0, ${x}))`],
  silu: [(x) => x * sigmoid(x), "x · σ(x)", (x) => `${x} · σ(${x})`],
  gelu: [(x) => 0.5 * x * (1 + erf(x / Math.SQRT2)), "x · Φ(x)", (x) => `${x} · Φ(${x})`],
  sigmoid: [sigmoid, "1 ÷ (1 + e⁻ˣ)", (x) => `σ(${x})`],
  tanh: [Math.tanh, "tanh(x)", (x) => `tanh(${x})`],
  hardswish: [(x) => (x * clip6(x + 3)) / 6, "x · min(6, max(0, x + 3)) ÷ 6", (x) => `${x} · min(6, max(0, ${x} + 3)) ÷ 6`],
  hardsigmoid: [(x) => clip6(x + 3) / 6, "min(6, max(0, x + 3)) ÷ 6", (x) => `min(6, max(0, ${x} + 3)) ÷ 6`],
};
// The project's tolerance for a number taken apart.
const matches = (own, torch) => Math.abs(own - torch) <= 1e-4 * Math.max(1, Math.abs(torch));
const BINS = 48;

/** The cell with the smallest number: where an activation function takes away most. */
function lowest({ data, shape }) {
  let at = 0;
  for (let i = 1; i < data.length; i++) if (data[i] < data[at]) at = i;
  return [Math.floor(at / shape[1]), at % shape[1]];
}

function prepare(S, data) {
  S.source = data;
  S.T = unpack(data);
  const { before, after, meta } = S.T;
  const [height, width] = before.shape;
  const [low, high] = extent(before.data);
  const [outLow, outHigh] = extent(after.data);
  S.limit = Math.max(-low, high, -outLow, outHigh) || 1;
  S.range = [Math.min(low, 0), Math.max(high, 0)];
  S.counts = new Array(BINS).fill(0);
  S.zeros = S.negative = S.wrong = 0;
  const f = FUNCTIONS[meta.kind][0];
  const span = S.range[1] - S.range[0] || 1;
  for (let i = 0; i < before.data.length; i++) {
    const x = before.data[i];
    S.counts[Math.min(BINS - 1, Math.floor(((x - S.range[0]) / span) * BINS))] += 1;
    if (x < 0) S.negative += 1;
    if (after.data[i] === 0) S.zeros += 1;
    if (!matches(f(x), after.data[i])) S.wrong += 1;
  }
  if (S.layer !== meta.layer || S.digest !== meta.digest || !(S.row < height && S.column < width)) [S.row, S.column, S.pinned] = [...lowest(before), false];
  [S.layer, S.digest] = [meta.layer, meta.digest];
  S.focus = meta.channel;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".ac");
  const q = (selector) => root.querySelector(selector);
  const S = stateOf(parentElement, () => ({ row: NaN, column: NaN, pinned: false }));
  const theme = applyTheme(root);
  const codeFont = getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace";
  if (S.source !== data) prepare(S, data);
  const { before, after, thumbs, meta } = S.T;
  const [height, width] = before.shape;
  const [f, formula, filled] = FUNCTIONS[meta.kind];
  const diverging = scaleTable("diverging", theme.mode);
  const pictures = [before, after].map((map) => canvasOf(colourise(map.data, 0, height, width, diverging, -S.limit, S.limit)));

  q(".before-name").textContent = meta.source_title;
  q(".after-name").textContent = `${meta.layer} · ${height} × ${width} cells`;
  q(".title").textContent = meta.title;
  q(".formula").textContent = `f(x) = ${formula}`;
  q(".legend").textContent = "Line: the function. Bars: how many cells hold each x.";
  const lastShown = meta.first + thumbs.shape[0] - 1;
  q(".chan-now").textContent = `Channel ${meta.channel}`;
  q(".chan-hint").textContent = `of ${meta.channels}, numbered from 0${thumbs.shape[0] < meta.channels ? `; ${meta.first} to ${lastShown} are shown` : ""}. Click another one. Small maps: after the activation, each on its own scale.`;
  for (const [selector, target] of [[".fewer", meta.first - 1], [".more", lastShown + 1]]) {
    q(selector).hidden = thumbs.shape[0] === meta.channels;
    q(selector).disabled = target < 0 || target >= meta.channels;
    q(selector).onclick = () => setTriggerValue("channel", target);
  }

  // --- the strip of channels ------------------------------------------------------------------------------------
  const [nThumbs, tHeight, tWidth] = thumbs.shape;
  const tiles = Array.from({ length: nThumbs }, (_, k) => {
    const sequential = scaleTable("sequential", theme.mode);
    return canvasOf(colourise(thumbs.data, k * tHeight * tWidth, tHeight, tWidth, sequential, 0, 255));
  });
  const GAP = 4;
  let perRow = 1, tile = 34;
  function drawChannels() {
    const room = root.clientWidth;
    tile = room < 500 ? 28 : 34;
    perRow = Math.max(1, Math.floor((room + GAP) / (tile + GAP)));
    const rows = Math.ceil(nThumbs / perRow);
    const context = fit(q(".channels"), Math.min(nThumbs, perRow) * (tile + GAP) + 2, rows * (tile + GAP) + 2);
    context.clearRect(0, 0, room + GAP, rows * (tile + GAP) + 2);
    for (let k = 0; k < nThumbs; k++) {
      const [x, y] = [2 + (k % perRow) * (tile + GAP), 2 + Math.floor(k / perRow) * (tile + GAP)];
      context.drawImage(tiles[k], x, y, tile, tile);
      const channel = meta.first + k;
      if (channel === meta.channel || channel === S.focus) {
        context.strokeStyle = channel === meta.channel ? theme.accent : theme.quiet;
        context.lineWidth = channel === meta.channel ? 3 : 2;
        context.strokeRect(x - 0.5, y - 0.5, tile + 1, tile + 1);
      }
    }
    const strip = q(".channels");
    strip.setAttribute("aria-valuemin", meta.first);
    strip.setAttribute("aria-valuemax", lastShown);
    strip.setAttribute("aria-valuenow", S.focus);
    strip.setAttribute("aria-valuetext", `channel ${S.focus}`);
  }
  const channelAt = (event) => {
    const box = q(".channels").getBoundingClientRect();
    const [i, j] = [Math.floor((event.clientY - box.top) / (tile + GAP)), Math.floor((event.clientX - box.left) / (tile + GAP))];
    const k = i * perRow + j;
    return j >= 0 && j < perRow && k >= 0 && k < nThumbs ? meta.first + k : null;
  };
  q(".channels").onpointermove = (event) => {
    const k = channelAt(event);
    q(".channels").title = k === null ? "" : `channel ${k}`;
    if (k !== null && k !== S.focus) { S.focus = k; drawChannels(); }
  };
  q(".channels").onpointerleave = () => { S.focus = meta.channel; drawChannels(); };
  const open = (k) => { if (k !== null && k !== meta.channel) setTriggerValue("channel", k); };
  q(".channels").onclick = (event) => open(channelAt(event));
  q(".channels").onkeydown = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow }[event.key];
    if (by) { S.focus = Math.max(meta.first, Math.min(lastShown, S.focus + by)); drawChannels(); }
    else if (event.key === "Enter" || event.key === " ") open(S.focus);
    else return;
    event.preventDefault();
  };

  // --- the maps -------------------------------------------------------------------------------------------------
  function drawMap(canvas, picture) {
    const share = Math.min(canvas.parentElement.clientWidth / width, 340 / height);
    const [w, h] = [Math.round(width * share), Math.round(height * share)];
    const context = fit(canvas, w, h);
    context.drawImage(picture, 0, 0, w, h);
    context.strokeStyle = theme.line;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, w - 1, h - 1);
    const cell = Math.max(7, share);
    const [x, y] = [(S.column + 0.5) * share - cell / 2, (S.row + 0.5) * share - cell / 2];
    context.lineWidth = 4;
    context.strokeStyle = theme.page;
    context.strokeRect(x, y, cell, cell);
    context.lineWidth = 2;
    context.strokeStyle = theme.text;
    context.strokeRect(x, y, cell, cell);
  }

  function drawGraph(x, y) {
    const canvas = q(".graph");
    const w = Math.floor(q(".mid").clientWidth);
    const h = Math.min(340, Math.max(220, Math.round(w * 0.85)));
    const context = fit(canvas, w, h);
    context.clearRect(0, 0, w, h);
    const [low, high] = S.range;
    const samples = Array.from({ length: 161 }, (_, i) => low + ((high - low) * i) / 160);
    const values = samples.map(f);
    const [bottom, top] = [Math.min(0, ...values), Math.max(...values, 0.1)];
    const pad = { left: 46, right: 14, top: 14, bottom: 30 };
    const px = (v) => pad.left + ((v - low) / (high - low || 1)) * (w - pad.left - pad.right);
    const py = (v) => h - pad.bottom - ((v - bottom) / (top - bottom || 1)) * (h - pad.top - pad.bottom);
    const most = Math.max(...S.counts);
    context.fillStyle = theme.line;
    const barRoom = (h - pad.top - pad.bottom) * 0.55;
    S.counts.forEach((count, i) => {
      const left = px(low + ((high - low) * i) / BINS), right = px(low + ((high - low) * (i + 1)) / BINS);
      // Square root, so that a bar of few cells can be seen beside the tallest one.
      const tall = Math.sqrt(count / most) * barRoom;
      context.fillRect(left, h - pad.bottom - tall, Math.max(1, right - left - 1), tall);
    });
    context.strokeStyle = theme.quiet;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(pad.left, py(0)); context.lineTo(w - pad.right, py(0));
    context.moveTo(px(0), pad.top); context.lineTo(px(0), h - pad.bottom);
    context.stroke();
    context.strokeStyle = theme.text;
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    context.beginPath();
    samples.forEach((s, i) => (i ? context.lineTo(px(s), py(values[i])) : context.moveTo(px(s), py(values[i]))));
    context.stroke();
    context.setLineDash([4, 4]);
    context.lineWidth = 1.5;
    context.strokeStyle = theme.input;
    context.beginPath(); context.moveTo(px(x), h - pad.bottom); context.lineTo(px(x), py(y)); context.stroke();
    context.strokeStyle = theme.output;
    context.beginPath(); context.moveTo(px(x), py(y)); context.lineTo(pad.left, py(y)); context.stroke();
    context.setLineDash([]);
    context.fillStyle = theme.output;
    context.strokeStyle = theme.page;
    context.lineWidth = 2;
    context.beginPath(); context.arc(px(x), py(y), 7, 0, 7); context.fill(); context.stroke();
    context.font = `12px ${codeFont}`;
    context.fillStyle = theme.quiet;
    context.textBaseline = "top";
    context.textAlign = "left"; context.fillText(number(low, 3), pad.left, h - pad.bottom + 8);
    context.textAlign = "right"; context.fillText(number(high, 3), w - pad.right, h - pad.bottom + 8);
    if (px(0) > pad.left + 50 && px(0) < w - pad.right - 50) { context.textAlign = "center"; context.fillText("0", px(0), h - pad.bottom + 8); }
    context.textAlign = "right"; context.textBaseline = "middle";
    context.fillText(number(top, 3), pad.left - 6, pad.top + 4);
    if (bottom < 0) context.fillText(number(bottom, 2), pad.left - 6, py(bottom));
    context.textAlign = "left"; context.fillText("f(x)", pad.left + 5, pad.top + 2);
    context.textAlign = "right"; context.fillText("x", w - pad.right, py(0) - 10);
  }

  function drawCell() {
    const i = S.row * width + S.column;
    const [x, y] = [before.data[i], after.data[i]];
    drawMap(q(".in-map"), pictures[0]);
    drawMap(q(".out-map"), pictures[1]);
    drawGraph(x, y);
    q(".value.in").textContent = `x = ${number(x)}`;
    q(".value.out").textContent = `f(x) = ${number(y)}`;
    const good = matches(f(x), y);
    q(".readout").replaceChildren(
      `Row ${S.row}, column ${S.column}: ${filled(number(x))} = ${number(y)} `,
      make("span", good ? "right" : "wrong", good ? "✓" : `✗ computed here: ${number(f(x))}`),
      make("span", "quiet", S.pinned ? " (pinned; Escape or a second click frees it)" : ""),
    );
    root.dataset.before = x;
    root.dataset.after = y;
  }

  const share = (count) => `${((100 * count) / before.data.length).toFixed(1)} %`;
  q(".zeros").replaceChildren(
    `${share(S.negative)} of the ${before.data.length.toLocaleString("en")} cells are below zero before; ${share(S.zeros)} are exactly zero after. All cells computed again in your browser `,
    make("span", S.wrong ? "wrong" : "right", S.wrong ? `✗ ${S.wrong} differ` : "✓"),
  );
  q(".foot .low").textContent = number(-S.limit, 3);
  q(".foot .high").textContent = number(S.limit, 3);
  drawScaleBar(q(".strip"), diverging);

  const refresh = oncePerFrame(drawCell);
  function moveTo(row, column) {
    const [r, k] = [Math.max(0, Math.min(height - 1, row)), Math.max(0, Math.min(width - 1, column))];
    if (r === S.row && k === S.column) return;
    [S.row, S.column] = [r, k];
    refresh();
  }
  const cellOf = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    return [Math.floor(((event.clientY - box.top) / box.height) * height), Math.floor(((event.clientX - box.left) / box.width) * width)];
  };
  for (const canvas of [q(".in-map"), q(".out-map")]) {
    canvas.onpointermove = (event) => { if (!S.pinned) moveTo(...cellOf(event, canvas)); };
    canvas.onclick = (event) => {
      const [row, column] = [S.row, S.column];
      moveTo(...cellOf(event, canvas));
      S.pinned = !(S.pinned && row === S.row && column === S.column);
      refresh();
    };
  }
  q(".in-map").onkeydown = (event) => {
    const by = event.shiftKey ? 8 : 1;
    const move = { ArrowUp: [-by, 0], ArrowDown: [by, 0], ArrowLeft: [0, -by], ArrowRight: [0, by] }[event.key];
    if (move) moveTo(S.row + move[0], S.column + move[1]);
    else if (event.key === "Enter") { S.pinned = !S.pinned; refresh(); }
    else if (event.key === "Escape") { S.pinned = false; refresh(); }
    else return;
    event.preventDefault();
  };

  saves(root, {
    file: `${meta.layer} channel ${meta.channel} before and after`,
    csv: () => [["row", "column", "before", "after"], ...Array.from(before.data, (x, i) => [Math.floor(i / width), i % width, x, after.data[i]])],
  });
  const drawAll = () => { drawChannels(); drawCell(); };
  const stop = onResize(root, drawAll);
  drawAll();
  return stop;
}
