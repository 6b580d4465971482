// Mark where the object is: boxes that can be drawn, moved and resized, or a painted mask; told to the server on release.

function toolbar(self) {
  const { meta, stage } = self;
  const bar = make("div", "bar");
  const button = (words, go, hint) => {
    const one = make("button", "", words);
    one.type = "button";
    one.onclick = go;
    if (hint) one.title = hint;
    return one;
  };
  const parts = {};
  if (meta.brush) {
    const group = make("div", "rgn-group");
    group.setAttribute("role", "radiogroup");
    group.setAttribute("aria-label", "How to mark");
    const modes = [["boxes", "Boxes"], ["brush", "Brush"]].map(([mode, words]) => {
      const one = button(words, () => self.setMode(mode));
      one.setAttribute("role", "radio");
      one.dataset.mode = mode;
      return one;
    });
    group.append(...modes);
    group.onkeydown = (event) => {
      if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
      event.preventDefault();
      const other = modes[stage.mode === "boxes" ? 1 : 0];
      other.click();
      other.focus();
    };
    parts.modes = modes;
    bar.append(group);
    parts.size = make("label", "rgn-size");
    const slider = make("input");
    Object.assign(slider, { type: "range", min: 3, max: 48, value: stage.brush });
    slider.oninput = () => {
      stage.brush = Number(slider.value);
      self.draw();
    };
    parts.size.append(make("span", "", "Brush size"), slider);
    parts.erase = button("Eraser", () => self.setErase(!stage.erase));
    parts.erase.className = "rgn-brush";
    bar.append(parts.size, parts.erase);
  }
  parts.remove = button("Delete box", () => self.remove(), "Delete key");
  parts.undo = button("Undo", () => self.undo(), "Ctrl + Z");
  parts.clear = button("Clear", () => self.clear());
  bar.append(parts.remove, parts.undo, parts.clear);
  return { bar, parts };
}

function actions(self) {
  const { stage } = self;
  self.draw = oncePerFrame(() => {
    drawStage(self);
    self.mark();
  });
  self.mark = () => {
    const { parts, shapes } = self;
    const marked = shapes.boxes.length > 0 || shapes.mask.some(Boolean);
    (parts.modes || []).forEach((one) => {
      const on = one.dataset.mode === stage.mode;
      one.setAttribute("aria-checked", String(on));
      one.tabIndex = on ? 0 : -1;
    });
    if (parts.size) {
      parts.size.hidden = parts.erase.hidden = stage.mode !== "brush";
      parts.erase.setAttribute("aria-pressed", String(stage.erase));
    }
    parts.remove.hidden = stage.mode === "brush";
    parts.remove.disabled = shapes.selected < 0;
    parts.undo.disabled = !shapes.undo.length;
    parts.clear.disabled = !marked;
    self.root.dataset.boxes = String(shapes.boxes.length);
    self.root.dataset.painted = shapes.mask.some(Boolean) ? "yes" : "no";
  };
  self.say = () => {
    const { shapes, meta } = self;
    const box = shapes.boxes[shapes.selected];
    const per = (v) => `${number(100 * v, 3)} %`;
    const share = markedShare(shapes, meta.grid, meta.size);
    const all = `${shapes.boxes.length || shapes.mask.some(Boolean) ? `${per(share)} of the picture is marked` : "Nothing is marked yet"}. `;
    let words;
    if (stage.mode === "brush") {
      words = stage.keyboard
        ? `Pen ${stage.down ? "down: arrows paint" : "up: Space puts it down"}${stage.erase ? ", wiping" : ""}; E for the eraser, Delete wipes all.`
        : "Pointer or touch paints; by keyboard: arrows, and Space for the pen.";
    } else if (box) {
      const place = [box.top, box.left, box.bottom, box.right].map((v) => Math.round(v));
      words = `Box ${shapes.selected + 1} of ${shapes.boxes.length}: rows ${place[0]} to ${place[2]}, columns ${place[1]} to ${place[3]}. Arrows move it, with Shift its lower right corner; Delete removes it, N adds one, Space goes on to the next.`;
    } else words = "Drag for a box, or press N; Space selects one.";
    self.readout.textContent = all + words;
  };
  /** Tell the server, if anything is different from what it knows. */
  self.changed = () => {
    const now = message(self.shapes, self.meta.subject);
    const text = JSON.stringify(now);
    self.draw();
    self.say();
    if (text === self.shapes.told) return;
    self.shapes.told = text;
    // Larger than any number before, also after the page was left and the counting began anew.
    self.sent = Math.max(Date.now(), (self.sent || 0) + 1);
    self.send("region", { ...now, number: self.sent });
  };
  self.undo = () => {
    if (stepBack(self.shapes)) self.changed();
  };
  self.remove = () => {
    if (self.shapes.selected < 0) return;
    remember(self.shapes);
    self.shapes.boxes.splice(self.shapes.selected, 1);
    self.shapes.selected = Math.min(self.shapes.selected, self.shapes.boxes.length - 1);
    self.changed();
  };
  self.clear = () => {
    remember(self.shapes);
    self.shapes.boxes = [];
    self.shapes.mask = new Uint8Array(self.shapes.mask.length);
    self.shapes.selected = -1;
    self.changed();
  };
  self.setMode = (mode) => {
    self.settle();
    Object.assign(stage, { mode, down: false, pen: null });
    self.draw();
    self.say();
  };
  self.setErase = (on) => {
    stage.erase = on;
    self.draw();
    self.say();
  };
}

/** Take over what the server knows where it is not what was told to it: another picture, or a region of its own. */
function adopt(self, payload) {
  const { meta } = payload;
  const given = newShapes(meta);
  given.boxes = meta.boxes.map(([top, left, bottom, right]) => ({ top, left, bottom, right }));
  if (meta.runs) given.mask = fromRuns(meta.runs, given.mask.length);
  const text = JSON.stringify(message(given, meta.subject));
  const same = self.shapes && self.meta.subject === meta.subject;
  self.meta = meta;
  // What is drawn is ahead of the server until it has answered the last message.
  if (same && (text === self.shapes.told || (self.sent && meta.answers !== self.sent))) return;
  given.told = text;
  if (same) {
    given.undo = self.shapes.undo;
    given.undo.push(copyOf(self.shapes));
  }
  given.selected = given.boxes.length ? 0 : -1;
  self.shapes = given;
}

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const payload = unpack(data);
  const root = parentElement.querySelector(".rgn");
  const self = stateOf(parentElement, () => ({ stage: newStage(), shapes: null }));
  self.root = root;
  self.theme = applyTheme(root);
  self.send = setTriggerValue;
  adopt(self, payload);
  const { data: rgb, shape } = payload.picture;
  const image = new ImageData(shape[1], shape[0]);
  for (let i = 0; i < shape[0] * shape[1]; i++) image.data.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
  self.picture = canvasOf(image);
  if (!self.canvas) {
    self.canvas = make("canvas");
    self.canvas.tabIndex = 0;
    self.canvas.setAttribute("role", "application");
    self.readout = make("div", "readout small quiet");
    self.readout.setAttribute("aria-live", "polite");
    actions(self);
    keyParts(self);
    pointerParts(self);
    const { bar, parts } = toolbar(self);
    self.parts = parts;
    const stage = make("div", "rgn-stage");
    stage.append(self.canvas);
    root.replaceChildren(bar, stage, self.readout);
  }
  self.canvas.setAttribute(
    "aria-label",
    `${self.meta.label}. N adds a box, arrows move it, Shift and arrows resize it, Delete removes it, Space selects the next.`
  );
  self.root.dataset.subject = self.meta.subject;
  saves(root, { file: self.meta.label, csv: () => (self.shapes.boxes.length ? csvOfObjects(self.shapes.boxes) : csvOfArray({ data: self.shapes.mask, shape: self.meta.grid }, ["row", "column"], "marked", ([row, column]) => self.shapes.mask[row * self.meta.grid[1] + column] > 0)) });
  drawStage(self);
  self.mark();
  self.say();
  if (self.watching) self.watching();
  self.watching = onResize(root, self.draw);
  return () => {
    clearTimeout(self.stage.resting);
    self.watching();
  };
}
