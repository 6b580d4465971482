// Grids of numbers as pictures: square cells, a ring of padding, a lit window, numbers where they fit.

const MARGIN = 2; // room for the frame of a cell at the edge

/** Where a grid of rows x columns lies in a canvas, with a ring of [rows, columns] cells round it. */
function placeGrid(width, height, rows, columns, ring = [0, 0]) {
  const ratio = window.devicePixelRatio || 1;
  const free = Math.min((width - 2 * MARGIN) / (columns + 2 * ring[1]), (height - 2 * MARGIN) / (rows + 2 * ring[0]));
  // Whole device pixels keep cells equal; where a cell has only a few of them, using the whole width matters more.
  const size = free * ratio < 8 ? free : Math.floor(free * ratio) / ratio;
  return { size, ring, rows, columns, left: MARGIN + size * ring[1], top: MARGIN + size * ring[0] };
}

/** The cell under a pointer, clamped to the grid: [row, column]. */
function cellAt(canvas, place, event) {
  const box = canvas.getBoundingClientRect();
  const clamp = (v, n) => Math.max(0, Math.min(n - 1, Math.floor(v / place.size)));
  return [clamp(event.clientY - box.top - place.top, place.rows), clamp(event.clientX - box.left - place.left, place.columns)];
}

/** Hatched cells round the picture: they are padding, and hold 0. */
function drawRing(g, place, theme) {
  const { size, ring, rows, columns, left, top } = place;
  if (!ring[0] && !ring[1]) return;
  const [x, y] = [left - ring[1] * size, top - ring[0] * size];
  const [w, h] = [(columns + 2 * ring[1]) * size, (rows + 2 * ring[0]) * size];
  g.save();
  g.beginPath();
  g.rect(x, y, w, h);
  g.rect(left, top, columns * size, rows * size);
  g.clip("evenodd");
  g.fillStyle = theme.panel;
  g.fillRect(x, y, w, h);
  g.strokeStyle = theme.line;
  g.lineWidth = 1;
  g.beginPath();
  for (let d = -h; d < w; d += 6) {
    g.moveTo(x + d, y + h);
    g.lineTo(x + d + h, y);
  }
  g.stroke();
  g.restore();
  g.setLineDash([3, 3]);
  g.strokeStyle = theme.quiet;
  g.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
  g.setLineDash([]);
}

/** A frame that is seen on any picture: the page's colour under the role's colour. */
function drawFrame(g, x, y, w, h, theme, colour, width = 2.5) {
  g.lineJoin = "round";
  g.strokeStyle = theme.page;
  g.lineWidth = width + 2.5;
  g.strokeRect(x, y, w, h);
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.strokeRect(x, y, w, h);
}

/** Numbers in the cells where a cell is large enough to hold them. */
function drawNumbers(g, place, values, start, colourOf, font) {
  if (place.size < 27) return;
  const { size, rows, columns, left, top } = place;
  let largest = 0;
  for (let i = 0; i < rows * columns; i++) largest = Math.max(largest, Math.abs(values[start + i]));
  const decimals = largest >= 100 ? 0 : largest >= 10 ? 1 : 2;
  g.font = `${Math.min(13, Math.floor(size * 0.33))}px ${font}`;
  g.textAlign = "center";
  g.textBaseline = "middle";
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const value = values[start + r * columns + c];
      g.fillStyle = inkOn(colourOf(value));
      g.fillText(fixed(value, decimals).replace(/^(−?)0\./, "$1."), left + (c + 0.5) * size, top + (r + 0.5) * size + 0.5);
    }
  }
}

/** A grid as a picture, drawn into a canvas of width x height CSS pixels. Returns its place. */
function drawGrid(canvas, width, height, grid, look, ring = [0, 0]) {
  const { values, rows, columns, start = 0 } = grid;
  const g = fit(canvas, width, height);
  g.clearRect(0, 0, width, height);
  const place = placeGrid(width, height, rows, columns, ring);
  drawRing(g, place, look.theme);
  g.drawImage(look.image, place.left, place.top, columns * place.size, rows * place.size);
  if (look.numbers) drawNumbers(g, place, values, start, (v) => colourAt(look.table, v, look.low, look.high), look.font);
  return { g, place };
}

/** Light up a window: its cells (apart under dilation) and the box round them. */
function drawWindow(g, place, win, kernelRows, kernelColumns, dilation, theme) {
  const { size, left, top } = place;
  const [x, y] = [left + win.left * size, top + win.top * size];
  const w = (dilation[1] * (kernelColumns - 1) + 1) * size;
  const h = (dilation[0] * (kernelRows - 1) + 1) * size;
  const apart = Math.max(...dilation) > 1;
  if (apart) {
    g.setLineDash([4, 3]);
    g.lineWidth = 1.5;
    g.strokeStyle = theme.input;
    g.strokeRect(x, y, w, h);
    g.setLineDash([]);
    for (let i = 0; i < kernelRows; i++) {
      for (let j = 0; j < kernelColumns; j++) {
        drawFrame(g, x + j * dilation[1] * size, y + i * dilation[0] * size, size, size, theme, theme.input, 1.5);
      }
    }
  } else drawFrame(g, x, y, w, h, theme, theme.input);
  return { x, y, w, h };
}

/** The scale of a map of numbers: signed numbers get the diverging one with zero in its middle, others the even one. */
function scaleOf(low, high, mode) {
  if (low < 0) {
    const limit = Math.max(-low, high);
    return { table: scaleTable("diverging", mode), low: -limit, high: limit, signed: true };
  }
  return { table: scaleTable("sequential", mode), low: 0, high: high > 0 ? high : 1, signed: false };
}

function fillScale(host, scale, words) {
  const canvas = host.querySelector("canvas");
  drawScaleBar(canvas, scale.table, host.closest(".map").clientWidth < 220 ? 48 : 96, 8);
  const [low, high] = host.querySelectorAll("b");
  low.textContent = number(scale.low, 3);
  high.textContent = number(scale.high, 3);
  host.querySelector("i").textContent = words;
}
