// What lies over maps and picture: the mark of a cell, and the window that it reads.

/** A ring round a cell, seen on light and dark alike. */
function marker(g, theme, x, y, width, height) {
  const grow = Math.max(0, (7 - Math.min(width, height)) / 2); // a cell of one pixel must still be found
  for (const [colour, line] of [[theme.page, 4], [theme.output, 2]]) {
    g.strokeStyle = colour;
    g.lineWidth = line;
    g.strokeRect(x - grow, y - grow, width + 2 * grow, height + 2 * grow);
  }
}

/** Rows top to bottom and columns left to right, half-open, in input pixels, that the cells first..last read. */
function boxOf(field, first, last) {
  const [top, left, bottom, right] = field.box;
  const [down, across] = field.stride;
  return [top + down * first[0], left + across * first[1], bottom + down * last[0], right + across * last[1]];
}
/** The middle of the cells first..last, (row, column) in input pixels. */
function centreOf(field, first, last) {
  return field.centre.map((at, axis) => at + (field.stride[axis] * (first[axis] + last[axis])) / 2);
}

/** The picture with the window box (top, left, bottom, right; may stick out) lit, and the window's centre. */
function drawPicture(picture, { bitmap, shape, theme }, box, centre) {
  const width = picture.parentElement.clientWidth;
  const [h, w] = shape;
  const down = (width * h) / w;
  const scale = width / w;
  const g = fit(picture, width, down);
  g.fillStyle = theme.panel;
  g.fillRect(0, 0, width, down);
  if (bitmap) {
    g.imageSmoothingEnabled = scale < 3; // a photograph; the pixels of a digit stay squares
    g.drawImage(bitmap, 0, 0, width, down);
  }
  const [top, left, bottom, right] = [Math.max(0, box[0]), Math.max(0, box[1]), Math.min(h, box[2]), Math.min(w, box[3])].map((v) => v * scale);
  g.fillStyle = theme.page;
  g.globalAlpha = 0.55;
  g.beginPath();
  g.rect(0, 0, width, down);
  g.rect(left, top, Math.max(0, right - left), Math.max(0, bottom - top));
  g.fill("evenodd");
  g.globalAlpha = 1;
  for (const [colour, line] of [[theme.page, 5], [theme.input, 3]]) {
    g.strokeStyle = colour;
    g.lineWidth = line;
    g.strokeRect(left + 1.5, top + 1.5, Math.max(1, right - left - 3), Math.max(1, bottom - top - 3));
  }
  if (Math.min(bottom - top, right - left) < 28) return; // the dot would hide what the window shows
  for (const [colour, radius] of [[theme.page, 6], [theme.output, 4]]) {
    g.fillStyle = colour;
    g.beginPath();
    g.arc(centre[1] * scale, centre[0] * scale, radius, 0, 7);
    g.fill();
  }
}
