// The picture with its boxes and its mask on it, and what a pointer or the keys do to them.

const REACH = { mouse: 9, touch: 22, pen: 14 }; // how near to a handle a pointer must be, in pixels on the screen
const TALLEST = 520;

function newStage() {
  return { mode: "boxes", brush: 14, erase: false, drag: null, pen: null, keyboard: false, hover: null, resting: 0 };
}

/** Size on the screen: as wide as there is room, but never taller than TALLEST. */
function stageSize(self) {
  const [height, width] = self.meta.size;
  const room = Math.max(120, self.root.clientWidth || 320);
  const scale = Math.min(room / width, TALLEST / height);
  // A very long picture would be a line: it gets at least 60 pixels across.
  return [Math.max(60, height * scale), Math.max(60, width * scale)];
}

function drawStage(self) {
  const { canvas, shapes, stage, theme, meta, picture } = self;
  const [h, w] = stageSize(self);
  const g = fit(canvas, w, h);
  const [height, width] = meta.size;
  const [sy, sx] = [h / height, w / width];
  g.imageSmoothingEnabled = true;
  g.drawImage(picture, 0, 0, w, h);
  if (shapes.boxes.length || shapes.mask.some(Boolean)) {
    shade(self, g, w, h);
  }
  shapes.boxes.forEach((box, i) => {
    const on = i === shapes.selected;
    const place = [box.left * sx, box.top * sy, (box.right - box.left) * sx, (box.bottom - box.top) * sy];
    g.lineWidth = on ? 5 : 4;
    g.strokeStyle = "rgba(0,0,0,0.55)";
    g.strokeRect(...place);
    g.lineWidth = on ? 3 : 2;
    g.strokeStyle = "#FFFFFF";
    g.strokeRect(...place);
    if (on) {
      g.strokeStyle = theme.input;
      g.setLineDash([7, 5]);
      g.strokeRect(...place);
      g.setLineDash([]);
      for (const handle of HANDLES) {
        const [r, c] = handlePlace(box, handle);
        g.fillStyle = "#FFFFFF";
        g.strokeStyle = theme.input;
        g.lineWidth = 2;
        g.beginPath();
        g.rect(c * sx - 5, r * sy - 5, 10, 10);
        g.fill();
        g.stroke();
      }
    }
    const label = `${i + 1}`;
    g.font = `600 12px ${getComputedStyle(canvas).fontFamily}`;
    const wide = g.measureText(label).width + 10;
    g.fillStyle = theme.input;
    g.fillRect(place[0], place[1], wide, 18);
    g.fillStyle = theme.mode === "dark" ? "#0E1117" : "#FFFFFF";
    g.fillText(label, place[0] + 5, place[1] + 13);
  });
  const pen = stage.mode === "brush" ? stage.pen || (stage.keyboard ? null : stage.hover) : null;
  if (pen) {
    g.beginPath();
    g.ellipse(pen[1] * sx, pen[0] * sy, brushRadius(self) * sx, brushRadius(self) * sy, 0, 0, 2 * Math.PI);
    for (const [colour, wide] of [["rgba(0,0,0,0.6)", 4], [stage.down ? theme.kernel : "#FFFFFF", 2]]) {
      g.lineWidth = wide;
      g.strokeStyle = colour;
      g.stroke();
    }
  }
  if (!shapes.boxes.length && !shapes.mask.some(Boolean) && !stage.drag) {
    const words = stage.mode === "boxes" ? "Drag a box round the object" : "Paint over the object";
    g.font = `600 15px ${getComputedStyle(canvas).fontFamily}`;
    const wide = Math.min(w, g.measureText(words).width + 28);
    if (w > 150 && h > 60) {
      g.fillStyle = "rgba(14,17,23,0.78)";
      g.beginPath();
      g.roundRect((w - wide) / 2, h / 2 - 18, wide, 36, 18);
      g.fill();
      g.fillStyle = "#FFFFFF";
      g.textAlign = "center";
      g.fillText(words, w / 2, h / 2 + 5, wide - 16);
      g.textAlign = "start";
    }
  }
}

/** Everything outside of the region is dimmed, so that what is marked stays as it is. */
function shade(self, g, w, h) {
  const { shapes, meta } = self;
  const [height, width] = meta.size;
  const [rows, columns] = meta.grid;
  const cover = self.cover || (self.cover = document.createElement("canvas"));
  cover.width = columns;
  cover.height = rows;
  const image = new ImageData(columns, rows);
  const bare = (row, column) => row >= 0 && row < rows && column >= 0 && column < columns && !shapes.mask[row * columns + column];
  for (let i = 0; i < rows * columns; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const edge = shapes.mask[i] && (bare(row - 1, column) || bare(row + 1, column) || bare(row, column - 1) || bare(row, column + 1));
    image.data.set(edge ? [255, 255, 255, 235] : [14, 17, 23, shapes.mask[i] ? 0 : 128], 4 * i);
  }
  const c = cover.getContext("2d");
  c.putImageData(image, 0, 0);
  // The boxes are cut out on the screen's own pixels, where their edges are sharp.
  const layer = self.layer || (self.layer = document.createElement("canvas"));
  layer.width = Math.round(w);
  layer.height = Math.round(h);
  const l = layer.getContext("2d");
  l.imageSmoothingEnabled = true;
  l.drawImage(cover, 0, 0, w, h);
  for (const box of shapes.boxes) {
    l.clearRect((box.left / width) * w, (box.top / height) * h, ((box.right - box.left) / width) * w, ((box.bottom - box.top) / height) * h);
  }
  g.drawImage(layer, 0, 0, w, h);
}

/** The brush's radius in pixels of the picture; its slider is in pixels of the screen. */
function brushRadius(self) {
  return (self.stage.brush * self.meta.size[1]) / stageSize(self)[1];
}

function placeOf(self, event) {
  const box = self.canvas.getBoundingClientRect();
  const [height, width] = self.meta.size;
  return [((event.clientY - box.top) / box.height) * height, ((event.clientX - box.left) / box.width) * width];
}

/** What lies under a point: a handle of the selected box, a box (the smallest one), or nothing. */
function under(self, at, reach) {
  const { shapes, meta } = self;
  const [h, w] = stageSize(self);
  const [sy, sx] = [h / meta.size[0], w / meta.size[1]];
  const chosen = shapes.boxes[shapes.selected];
  if (chosen) {
    for (const handle of HANDLES) {
      const [r, c] = handlePlace(chosen, handle);
      if (Math.abs(r - at[0]) * sy <= reach && Math.abs(c - at[1]) * sx <= reach) return { handle, index: shapes.selected };
    }
  }
  const area = (b) => (b.bottom - b.top) * (b.right - b.left);
  const found = shapes.boxes
    .map((box, index) => ({ box, index }))
    .filter(({ box }) => at[0] >= box.top && at[0] <= box.bottom && at[1] >= box.left && at[1] <= box.right)
    .sort((a, b) => area(a.box) - area(b.box))[0];
  return found ? { index: found.index } : null;
}

function cells(self, [row, column]) {
  return [(row / self.meta.size[0]) * self.meta.grid[0], (column / self.meta.size[1]) * self.meta.grid[1]];
}

function dab(self, from, to) {
  const radius = Math.max(0.6, (brushRadius(self) * self.meta.grid[1]) / self.meta.size[1]);
  paint(self.shapes.mask, self.meta.grid, cells(self, from), cells(self, to), radius, self.stage.erase ? 0 : 1);
}

function pointerParts(self) {
  const { canvas, stage } = self;
  canvas.onpointerdown = (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    self.settle(); // what the keys did before is told first
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    stage.keyboard = false;
    const { shapes, meta } = self;
    const at = placeOf(self, event);
    if (stage.mode === "brush") {
      remember(shapes);
      stage.drag = { kind: "paint", last: at };
      stage.pen = at;
      dab(self, at, at);
    } else {
      const hit = under(self, at, REACH[event.pointerType] || REACH.mouse);
      stage.drag = { kind: hit ? (hit.handle ? "pull" : "move") : "new", from: at, hit, before: copyOf(shapes), moved: false };
      if (hit) shapes.selected = hit.index;
      else if (shapes.boxes.length >= meta.most) stage.drag = null;
    }
    self.draw();
  };
  canvas.onpointermove = (event) => {
    const at = placeOf(self, event);
    const { shapes, meta } = self;
    const drag = stage.drag;
    if (!drag) {
      stage.hover = at;
      const hit = stage.mode === "boxes" ? under(self, at, REACH.mouse) : null;
      const [row, column] = hit?.handle || ["", ""];
      const diagonal = (row === "top") === (column === "left") ? "nwse-resize" : "nesw-resize";
      canvas.style.cursor = hit?.handle ? (row && column ? diagonal : row ? "ns-resize" : "ew-resize") : hit ? "move" : "crosshair";
      if (stage.mode === "brush") self.draw();
      return;
    }
    if (drag.kind === "paint") {
      dab(self, drag.last, at);
      drag.last = stage.pen = stage.hover = at;
    } else {
      const [h, w] = stageSize(self);
      const far = Math.max((Math.abs(at[0] - drag.from[0]) * h) / meta.size[0], (Math.abs(at[1] - drag.from[1]) * w) / meta.size[1]);
      if (!drag.moved && far <= LEAST) return;
      drag.moved = true;
      const least = [meta.size[0] / h, meta.size[1] / w].reduce((a, b) => Math.max(a, b)) * LEAST;
      const start = drag.before.boxes;
      if (drag.kind === "new") {
        shapes.boxes = [...start, boxBetween(drag.from, at, meta.size)];
        shapes.selected = start.length;
      } else {
        const box = start[drag.hit.index];
        shapes.boxes[drag.hit.index] =
          drag.kind === "move" ? moveBox(box, at[0] - drag.from[0], at[1] - drag.from[1], meta.size) : pullBox(box, drag.hit.handle, at, meta.size, least);
      }
    }
    self.draw();
    self.say();
  };
  const ended = (event) => {
    const drag = stage.drag;
    stage.drag = null;
    stage.pen = null;
    if (!drag) return;
    const { shapes, meta } = self;
    if (drag.kind !== "paint") {
      if (event.type === "pointercancel") Object.assign(shapes, drag.before);
      else if (drag.moved) {
        const last = shapes.boxes[shapes.selected];
        // A thread of a box is a slip of the hand.
        const thin = drag.kind === "new" && Math.min(last.bottom - last.top, last.right - last.left) < Math.max(...meta.size) / 200;
        if (thin) {
          Object.assign(shapes, drag.before);
          shapes.selected = -1;
        } else shapes.undo.push(drag.before);
      } else if (drag.kind === "new") shapes.selected = -1;
    }
    self.changed();
  };
  canvas.onpointerup = canvas.onpointercancel = ended;
  canvas.onpointerleave = () => {
    stage.hover = null;
    if (!stage.drag) self.draw();
  };
}
