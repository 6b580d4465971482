// One picture of the wall: the drawn animal, the evidence over it, the animal's outline, and what was said.

function pictureOf(pictures, i) {
  const [, rows, columns] = pictures.shape;
  const image = new ImageData(columns, rows);
  for (let p = 0; p < rows * columns; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = pictures.data[3 * (i * rows * columns + p) + c];
    image.data[4 * p + 3] = 255;
  }
  return canvasOf(image);
}

/** The evidence as a veil: nothing where there is none, the scale's brightest where there is most. */
function veilOf(maps, i, side, place, high, theme) {
  const [, h, w] = maps.shape;
  const drawn = drawnMap(maps.data.subarray(i * h * w, (i + 1) * h * w), [h, w], [side, side], place, 0, true);
  const table = scaleTable("evidence", theme.mode);
  const image = colourise(drawn, 0, side, side, table, 0, high);
  for (let p = 0; p < side * side; p++) image.data[4 * p + 3] = high > 0 ? Math.round(255 * Math.min(1, Math.sqrt(drawn[p] / high))) : 0;
  return canvasOf(image);
}

/** The animal's edge as steps between pixels that it covers and pixels that it does not. */
function outline(g, masks, i, x, y, size) {
  const [, rows, columns] = masks.shape;
  const inside = (r, c) => r >= 0 && c >= 0 && r < rows && c < columns && masks.data[(i * rows + r) * columns + c] > 0;
  const [v, u] = [size / rows, size / columns];
  const path = new Path2D();
  for (let r = 0; r <= rows; r++) {
    for (let c = 0; c <= columns; c++) {
      if (inside(r, c) !== inside(r - 1, c)) { path.moveTo(x + c * u, y + r * v); path.lineTo(x + (c + 1) * u, y + r * v); }
      if (inside(r, c) !== inside(r, c - 1)) { path.moveTo(x + c * u, y + r * v); path.lineTo(x + c * u, y + (r + 1) * v); }
    }
  }
  for (const [colour, line] of [["#10151C", 2.6], ["#FFFFFF", 1.2]]) {
    g.strokeStyle = colour;
    g.lineWidth = line;
    g.stroke(path);
  }
}

function perCent(value) {
  if (!Number.isFinite(value)) return "–";
  return value > 0.9995 ? "100 %" : value > 0 && value < 0.0005 ? "< 0.1 %" : `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)} %`;
}
