// A confusion matrix: rows are the true classes, columns what was said; a cell is read by pointer or arrows.

function confusionView({ names, values, offset, theme, readout, label }) {
  const n = names.length;
  const box = make("div", "trd-matrix");
  const canvas = make("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", label);
  box.append(canvas);
  const table = scaleTable("sequential", theme.mode);
  let cell = null;
  const at = (r, c) => values[offset + r * n + c];
  const draw = () => {
    const width = Math.max(220, Math.min(430, 150 + 70 * n, box.clientWidth || 320));
    const g = fit(canvas, width, width);
    g.font = `${n > 10 ? 10 : 12}px ${getComputedStyle(canvas).fontFamily}`;
    const longest = Math.max(...names.map((name) => g.measureText(name).width));
    const left = Math.min(width * 0.26, longest + 10);
    const size = (width - left) / n;
    let most = 1;
    for (let r = 0; r < n; r++) for (let c = 0; c < n; c++) if (r !== c) most = Math.max(most, at(r, c));
    const rows = names.map((_, r) => names.reduce((sum, _, c) => sum + at(r, c), 0));
    g.textBaseline = "middle";
    for (let r = 0; r < n; r++) {
      g.fillStyle = theme.quiet;
      g.textAlign = "right";
      g.fillText(cut(g, names[r], left - 8), left - 6, (r + 0.5) * size);
      for (let c = 0; c < n; c++) {
        const share = rows[r] ? at(r, c) / rows[r] : 0;
        const k = 3 * Math.round((table.length / 3 - 1) * Math.sqrt(share));
        const [x, y] = [left + c * size, r * size];
        g.fillStyle = at(r, c) ? `rgb(${table[k]},${table[k + 1]},${table[k + 2]})` : theme.panel;
        g.fillRect(x + 0.5, y + 0.5, size - 1, size - 1);
        if (size >= 17 && at(r, c)) {
          const light = 0.299 * table[k] + 0.587 * table[k + 1] + 0.114 * table[k + 2] > 128;
          g.fillStyle = light ? "#10151C" : "#FFFFFF";
          g.textAlign = "center";
          g.fillText(String(at(r, c)), x + size / 2, y + size / 2);
        }
        if (r === c) { g.strokeStyle = theme.right; g.lineWidth = 1.5; g.strokeRect(x + 1.5, y + 1.5, size - 3, size - 3); }
      }
    }
    if (cell) {
      const [r, c] = cell;
      for (const [colour, line] of [[theme.page, 4], [theme.accent, 2]]) {
        g.strokeStyle = colour; g.lineWidth = line;
        g.strokeRect(left + c * size + 1, r * size + 1, size - 2, size - 2);
      }
    }
    box.geometry = { left, size };
  };
  const say = () => {
    if (!cell) { readout.textContent = "Rows: what it is. Columns, in the same order: what the network says. Point at a cell."; return; }
    const [r, c] = cell;
    const total = names.reduce((sum, _, k) => sum + at(r, k), 0);
    readout.textContent = `${at(r, c)} of ${total} pictures of “${names[r]}” are ${r === c ? "named right" : `taken for “${names[c]}”`}.`;
  };
  const update = () => { draw(); say(); };
  canvas.onpointermove = (event) => {
    const rect = canvas.getBoundingClientRect();
    const { left, size } = box.geometry;
    const [r, c] = [Math.floor((event.clientY - rect.top) / size), Math.floor((event.clientX - rect.left - left) / size)];
    cell = r >= 0 && r < n && c >= 0 && c < n ? [r, c] : cell;
    update();
  };
  readByTouch(canvas);
  canvas.onkeydown = (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Escape") cell = null;
    else if (by) cell = cell ? [0, 1].map((i) => Math.max(0, Math.min(n - 1, cell[i] + by[i]))) : [0, 0];
    else return;
    event.preventDefault();
    update();
  };
  return { box, update, to: (start) => { offset = start; update(); } };
}

function cut(g, text, width) {
  if (g.measureText(text).width <= width) return text;
  let short = text;
  while (short.length > 1 && g.measureText(`${short}…`).width > width) short = short.slice(0, -1);
  return `${short}…`;
}
