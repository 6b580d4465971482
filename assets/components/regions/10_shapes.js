// The numbers of a region: boxes in pixels of the original picture, a painted mask on a coarser grid, and the way back.

const LEAST = 2; // pixels on the screen that a drag must cover to be a box
const HANDLES = [
  ["top", "left"], ["top", ""], ["top", "right"], ["", "right"], ["bottom", "right"], ["bottom", ""], ["bottom", "left"], ["", "left"],
];

function newShapes(meta) {
  const [rows, columns] = meta.grid;
  return { boxes: [], mask: new Uint8Array(rows * columns), undo: [], selected: -1, told: "" };
}

function copyOf(shapes) {
  return { boxes: shapes.boxes.map((box) => ({ ...box })), mask: shapes.mask.slice() };
}

/** Keep what is there now, so that Undo can bring it back. */
function remember(shapes) {
  shapes.undo.push(copyOf(shapes));
  if (shapes.undo.length > 60) shapes.undo.shift();
}

function stepBack(shapes) {
  const before = shapes.undo.pop();
  if (!before) return false;
  shapes.boxes = before.boxes;
  shapes.mask = before.mask;
  shapes.selected = Math.min(shapes.selected, shapes.boxes.length - 1);
  return true;
}

/** Lengths of runs of 0 and 1 in turn, the first of 0: [3, 2, ...]. */
function runsOf(mask) {
  const runs = [];
  let value = 0;
  let length = 0;
  for (const cell of mask) {
    if (cell === value) length++;
    else {
      runs.push(length);
      value = cell;
      length = 1;
    }
  }
  runs.push(length);
  return runs;
}

function fromRuns(runs, size) {
  const mask = new Uint8Array(size);
  let at = 0;
  runs.forEach((length, i) => {
    if (i % 2) mask.fill(1, at, at + length);
    at += length;
  });
  return mask;
}

/** What the server is told: plain numbers. */
function message(shapes, subject) {
  const round = (v) => Math.round(100 * v) / 100;
  return {
    subject,
    boxes: shapes.boxes.map((b) => [b.top, b.left, b.bottom, b.right].map(round)),
    runs: shapes.mask.some(Boolean) ? runsOf(shapes.mask) : null,
  };
}

/** Two corners in any order -> a box within the picture. */
function boxBetween(a, b, [height, width]) {
  const cut = (v, most) => Math.max(0, Math.min(most, v));
  return {
    top: cut(Math.min(a[0], b[0]), height), left: cut(Math.min(a[1], b[1]), width),
    bottom: cut(Math.max(a[0], b[0]), height), right: cut(Math.max(a[1], b[1]), width),
  };
}

function moveBox(box, down, across, [height, width]) {
  const dy = Math.max(-box.top, Math.min(height - box.bottom, down));
  const dx = Math.max(-box.left, Math.min(width - box.right, across));
  return { top: box.top + dy, left: box.left + dx, bottom: box.bottom + dy, right: box.right + dx };
}

/** Move one or two edges of a box; an edge that is dragged beyond its opposite stops just before it. */
function pullBox(box, [row, column], at, [height, width], least) {
  const out = { ...box };
  if (row === "top") out.top = Math.max(0, Math.min(at[0], box.bottom - least));
  if (row === "bottom") out.bottom = Math.min(height, Math.max(at[0], box.top + least));
  if (column === "left") out.left = Math.max(0, Math.min(at[1], box.right - least));
  if (column === "right") out.right = Math.min(width, Math.max(at[1], box.left + least));
  return out;
}

/** Where a handle sits: (row, column) in pixels of the picture. */
function handlePlace(box, [row, column]) {
  const middle = [(box.top + box.bottom) / 2, (box.left + box.right) / 2];
  return [row ? box[row] : middle[0], column ? box[column] : middle[1]];
}

/** Paint (or wipe) a stroke of a radius between two points, all in cells of the grid: every cell whose middle is that
    near to the line, so that the same stroke with the eraser leaves nothing. */
function paint(mask, [rows, columns], from, to, radius, value) {
  const [down, across] = [to[0] - from[0], to[1] - from[1]];
  const long = down * down + across * across;
  const [top, bottom] = [Math.min(from[0], to[0]) - radius, Math.max(from[0], to[0]) + radius];
  const [left, right] = [Math.min(from[1], to[1]) - radius, Math.max(from[1], to[1]) + radius];
  for (let row = Math.max(0, Math.floor(top)); row <= Math.min(rows - 1, Math.ceil(bottom)); row++) {
    for (let column = Math.max(0, Math.floor(left)); column <= Math.min(columns - 1, Math.ceil(right)); column++) {
      const [r, c] = [row + 0.5 - from[0], column + 0.5 - from[1]];
      const along = long > 0 ? Math.max(0, Math.min(1, (r * down + c * across) / long)) : 0;
      if (Math.hypot(r - along * down, c - along * across) <= radius) mask[row * columns + column] = value;
    }
  }
}

/** The share of the picture that is marked, counted on the grid. */
function markedShare(shapes, [rows, columns], [height, width]) {
  const cells = shapes.mask.slice();
  for (const box of shapes.boxes) {
    const first = Math.round((box.top / height) * rows);
    const last = Math.round((box.bottom / height) * rows);
    const begin = Math.round((box.left / width) * columns);
    const end = Math.round((box.right / width) * columns);
    for (let row = first; row < last; row++) cells.fill(1, row * columns + begin, row * columns + end);
  }
  return cells.reduce((sum, cell) => sum + cell, 0) / cells.length;
}
