// The living picture: one filter of MobileNetV2 reads a photograph, and its map appears cell by cell.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".cl");
  const canvas = parentElement.querySelector("canvas");
  const button = parentElement.querySelector(".play");
  const readout = parentElement.querySelector(".readout");
  const theme = applyTheme(root);
  const { meta, photograph, map } = unpack(data);
  const side = photograph.shape[0];
  const [rows, columns] = map.shape;
  const stride = side / rows;
  const state = stateOf(parentElement, () => ({ at: Math.floor(rows * columns * 0.55), playing: !reducedMotion(), frame: 0, last: 0 }));
  if (reducedMotion() && !state.started) state.at = rows * columns - 1;
  state.started = true;

  const picture = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    picture.data.set([photograph.data[3 * i], photograph.data[3 * i + 1], photograph.data[3 * i + 2], 255], 4 * i);
  }
  const photo = canvasOf(picture);
  const limit = Math.max(...extent(map.data).map(Math.abs));
  const full = canvasOf(colourise(map.data, 0, rows, columns, scaleTable("diverging", theme.mode), -limit, limit));
  canvas.setAttribute("aria-label", meta.label);

  function draw() {
    const width = root.clientWidth;
    const gap = Math.max(34, width * 0.09);
    const box = Math.floor((width - gap) / 2);
    const g = fit(canvas, width, box);
    g.clearRect(0, 0, width, box);
    const [row, column] = [Math.floor(state.at / columns), state.at % columns];
    g.drawImage(photo, 0, 0, box, box);
    const out = width - box;
    g.fillStyle = theme.panel;
    g.fillRect(out, 0, box, box);
    const cell = box / rows;
    // What has been computed so far: whole rows, then the part of this one.
    if (row > 0) g.drawImage(full, 0, 0, columns, row, out, 0, box, row * cell);
    g.drawImage(full, 0, row, column + 1, 1, out, row * cell, (column + 1) * cell, cell);
    const pixel = box / side;
    // The window is three pixels wide, too small to see: its frame is drawn larger, round the same centre.
    const size = Math.max(12, 3 * pixel);
    const x = Math.max(2, Math.min(box - size - 2, (column * stride + 0.5) * pixel - size / 2));
    const y = Math.max(2, Math.min(box - size - 2, (row * stride + 0.5) * pixel - size / 2));
    const mark = Math.max(8, cell);
    const px = Math.max(out + 2, Math.min(width - mark - 2, out + (column + 0.5) * cell - mark / 2));
    const py = Math.max(2, Math.min(box - mark - 2, (row + 0.5) * cell - mark / 2));
    g.strokeStyle = theme.quiet;
    g.globalAlpha = 0.7;
    g.beginPath();
    for (const [fromY, toY] of [[y, py], [y + size, py + mark]]) {
      g.moveTo(x + size, fromY);
      g.lineTo(px, toY);
    }
    g.stroke();
    g.globalAlpha = 1;
    g.lineWidth = 3;
    g.strokeStyle = theme.page;
    g.strokeRect(x - 2, y - 2, size + 4, size + 4);
    g.strokeRect(px - 2, py - 2, mark + 4, mark + 4);
    g.lineWidth = 2.5;
    g.strokeStyle = theme.input;
    g.strokeRect(x - 1, y - 1, size + 2, size + 2);
    g.strokeStyle = theme.output;
    g.strokeRect(px - 1, py - 1, mark + 2, mark + 2);
    readout.textContent = `27 products sum to ${number(map.data[state.at])} at row ${row}, column ${column}`;
  }
  const redraw = oncePerFrame(draw);

  function tick(now) {
    if (!state.playing || !root.isConnected) return;
    if (now - state.last > 30) {
      state.last = now;
      state.at = (state.at + 5) % (rows * columns);
      draw();
    }
    state.frame = requestAnimationFrame(tick);
  }
  function show() {
    button.textContent = state.playing ? "Pause" : "Play";
    button.setAttribute("aria-pressed", String(state.playing));
    cancelAnimationFrame(state.frame);
    if (state.playing) state.frame = requestAnimationFrame(tick);
  }
  button.onclick = () => {
    state.playing = !state.playing;
    if (state.playing && state.at >= rows * columns - 5) state.at = 0;
    show();
  };
  draw();
  show();
  document.getElementById("cl-first")?.remove(); // what stood here until now (ui/first_screen.py)
  saves(root, { file: "macaw and the map of one filter", csv: () => csvOfArray(map, ["row", "column"], "sum_of_27_products") });
  const stop = onResize(root, redraw);
  return () => {
    cancelAnimationFrame(state.frame);
    stop();
  };
}
