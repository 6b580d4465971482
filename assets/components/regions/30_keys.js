// The same by keyboard: what the keys do is told to the server once they rest.

const REST = 450; // milliseconds without a key

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function keyParts(self) {
  const { canvas, stage } = self;
  const later = () => {
    clearTimeout(stage.resting);
    stage.resting = setTimeout(() => {
      stage.resting = 0;
      self.changed();
    }, REST);
  };
  self.settle = () => {
    if (!stage.resting) return;
    clearTimeout(stage.resting);
    stage.resting = 0;
    self.changed();
  };
  /** A run of arrow keys is one step of Undo. */
  const begin = () => {
    if (!stage.resting) remember(self.shapes);
  };
  canvas.onblur = () => {
    self.settle();
    stage.keyboard = false;
    stage.pen = null;
    self.draw();
  };
  canvas.onkeydown = (event) => {
    const move = MOVES[event.key];
    const { shapes } = self;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      self.settle();
      self.undo();
    } else if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    } else if (event.key === "Escape" && stage.drag && stage.drag.kind !== "paint") {
      Object.assign(shapes, stage.drag.before);
      stage.drag = null;
      self.draw();
    } else if (event.key === "Escape") {
      if (shapes.selected < 0 && !stage.down) return;
      shapes.selected = -1;
      stage.down = false;
      self.draw();
    } else if (stage.mode === "brush" ? brushKey(self, event, move, begin, later) : boxKey(self, event, move, begin, later)) {
      stage.keyboard = true;
      self.draw();
      self.say();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

function boxKey(self, event, move, begin, later) {
  const { shapes, meta } = self;
  const [height, width] = meta.size;
  const key = event.key.toLowerCase();
  if (key === "n" || (key === "enter" && !shapes.boxes.length)) {
    if (shapes.boxes.length >= meta.most) return true;
    begin();
    shapes.boxes.push({ top: height / 4, left: width / 4, bottom: (3 * height) / 4, right: (3 * width) / 4 });
    shapes.selected = shapes.boxes.length - 1;
    later();
  } else if (key === " " || key === "enter") {
    if (!shapes.boxes.length) return true;
    shapes.selected = (shapes.selected + 1) % shapes.boxes.length;
  } else if (key === "delete" || key === "backspace") {
    self.settle();
    self.remove();
  } else if (move) {
    if (shapes.selected < 0) {
      if (!shapes.boxes.length) return true;
      shapes.selected = 0;
    }
    begin();
    const step = Math.max(1, Math.round(Math.max(height, width) / 100));
    const box = shapes.boxes[shapes.selected];
    const [down, across] = move.map((v) => v * step);
    // Shift moves the lower right corner; without it the whole box goes.
    shapes.boxes[shapes.selected] = event.shiftKey
      ? pullBox(box, ["bottom", "right"], [box.bottom + down, box.right + across], meta.size, step)
      : moveBox(box, down, across, meta.size);
    later();
  } else return false;
  return true;
}

function brushKey(self, event, move, begin, later) {
  const { stage, meta } = self;
  const [height, width] = meta.size;
  const key = event.key.toLowerCase();
  if (!stage.pen) stage.pen = [height / 2, width / 2];
  if (move) {
    const step = Math.max(1, Math.round(Math.max(height, width) / (event.shiftKey ? 20 : 60)));
    const next = [0, 1].map((i) => Math.max(0, Math.min(meta.size[i], stage.pen[i] + move[i] * step)));
    if (stage.down) {
      begin();
      dab(self, stage.pen, next);
      later();
    }
    stage.pen = next;
  } else if (key === " ") {
    stage.down = !stage.down;
    if (stage.down) {
      begin();
      dab(self, stage.pen, stage.pen);
      later();
    }
  } else if (key === "e") {
    self.setErase(!stage.erase);
  } else if (key === "delete" || key === "backspace") {
    self.settle();
    self.clear();
  } else return false;
  return true;
}
