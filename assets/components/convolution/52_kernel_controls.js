// Mode 1: buttons, sliders, keys and pointers.

/** Buttons that share one choice: one Tab stop, arrows move. */
function segments(host, options, choose) {
  const buttons = options.map(({ key, label, node }) => {
    const button = make("button", "", node ? "" : label);
    button.type = "button";
    button.dataset.key = key;
    button.setAttribute("role", "radio");
    if (node) button.append(node, make("span", "", label));
    button.onclick = () => choose(key);
    return button;
  });
  host.replaceChildren(...buttons);
  host.onkeydown = (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(event.target);
    if (!by || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + by + buttons.length) % buttons.length];
    next.focus();
    next.click();
  };
}

function markSegment(host, key) {
  let any = false;
  for (const button of host.children) {
    const chosen = button.dataset.key === String(key);
    any = any || chosen;
    button.setAttribute("aria-checked", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
  }
  if (!any && host.firstChild) host.firstChild.tabIndex = 0;
}

/** The region of about `cells` cells with this zoom, its middle kept where the old one's was. */
function reframe(room, cells, zoom) {
  const [height, width] = room.rgb.shape;
  const old = room.settings.region;
  const [rows, columns] = [Math.min(cells, Math.floor(height / zoom)), Math.min(cells, Math.floor(width / zoom))];
  const middle = (start, n, z) => start + (n * z) / 2;
  const clamp = (v, free) => Math.max(0, Math.min(free, Math.round(v)));
  const top = clamp(middle(old.top, old.rows, old.zoom) - (rows * zoom) / 2, height - rows * zoom);
  const left = clamp(middle(old.left, old.columns, old.zoom) - (columns * zoom) / 2, width - columns * zoom);
  return { top, left, rows, columns, zoom };
}

function buildSource(room) {
  const { find, digits } = room;
  if (find(".sources").childElementCount === 0) {
    const options = [{ key: "picture", label: "Your picture" }];
    for (let digit = 0; digit < digits.shape[0]; digit++) {
      const grid = digitGrid(digits, digit);
      const node = make("canvas");
      const g = fit(node, 28, 28);
      g.drawImage(canvasOf(colourise(grid.values, 0, 28, 28, GREY, 0, 1)), 0, 0, 28, 28);
      node.setAttribute("aria-hidden", "true");
      options.push({ key: String(digit), label: `digit ${digit}`, node });
    }
    find(".sources").setAttribute("role", "radiogroup");
    segments(find(".sources"), options, (key) =>
      room.change(key === "picture" ? { source: "picture" } : { source: "digit", digit: Number(key) })
    );
    segments(find(".cells"), [12, 24, 48].map((n) => ({ key: String(n), label: String(n) })), (key) => {
      const span = room.cells * room.settings.region.zoom; // the part of the picture stays, its cells change
      room.cells = Number(key);
      const zoom = Math.max(1, Math.round(span / room.cells));
      room.change({ source: "picture", region: reframe(room, room.cells, Math.min(zoom, room.mostZoom())) });
    });
  }
}

KernelRoom.prototype.mostZoom = function () {
  const [height, width] = this.rgb.shape;
  return Math.max(1, Math.floor(Math.min(height, width) / this.cells));
};

function buildControls(room) {
  const { find, theme, meta } = room;
  if (room.builtFor !== theme.mode) {
    room.builtFor = theme.mode;
    const table = scaleTable("diverging", theme.mode);
    segments(
      find(".presets"),
      meta.presets.map((preset) => ({ key: preset.key, label: preset.title, node: swatch(preset.weights.flat(), 3, table) })),
      (key) => room.choosePreset(meta.presets.find((preset) => preset.key === key))
    );
  }
  if (find(".steppers").childElementCount) return;
  const limits = { stride: [1, 8], padding: [0, 8], dilation: [1, 8] };
  room.steppers = Object.entries(limits).map(([name, [low, high]]) => {
    const row = make("div", "stepper");
    const label = make("span", "", name);
    const value = make("b", "num");
    const [less, more] = [make("button", "", "−"), make("button", "", "+")];
    less.setAttribute("aria-label", `${name} down`);
    more.setAttribute("aria-label", `${name} up`);
    less.type = more.type = "button";
    const by = (d) => room.change({ [name]: Math.max(low, Math.min(high, room.settings[name] + d)) });
    less.onclick = () => by(-1);
    more.onclick = () => by(1);
    row.append(label, less, value, more);
    find(".steppers").append(row);
    return () => {
      value.textContent = room.settings[name];
      less.disabled = room.settings[name] <= low;
      more.disabled = room.settings[name] >= high;
    };
  });
}

KernelRoom.prototype.refreshControls = function () {
  const { find, settings, meta, theme, k } = this;
  markSegment(find(".sources"), settings.source === "picture" ? "picture" : settings.digit);
  markSegment(find(".cells"), this.cells);
  find(".region").style.visibility = settings.source === "picture" ? "" : "hidden";
  const { region } = settings;
  find(".zoom-words").textContent = region.zoom === 1 ? "each cell is 1 pixel" : `each cell is the mean of ${region.zoom} × ${region.zoom} pixels`;
  find(".zoom-in").disabled = region.zoom <= 1;
  find(".zoom-out").disabled = region.zoom >= this.mostZoom();
  find(".source-words").textContent =
    settings.source === "picture"
      ? "Drag the frame over your picture, or focus it and use the arrow keys. Only brightness is used here; real layers read all channels."
      : "A handwritten digit from MNIST, 28 × 28 numbers from 0 to 1, as a network gets it.";
  markSegment(find(".presets"), settings.preset);
  const preset = meta.presets.find((entry) => entry.key === settings.preset);
  const total = settings.kernel.reduce((sum, v) => sum + v, 0);
  const flat = Math.abs(total) < 1e-9 ? "The weights sum to 0, so flat areas answer 0." : `The weights sum to ${weightText(total)}: so often a flat area’s brightness comes out.`;
  find(".meaning").textContent = `${preset ? preset.meaning : "Your own kernel."} ${flat}`;
  this.steppers.forEach((refresh) => refresh());
  this.kernelGrid.shape(k);
  this.kernelGrid.fill(settings.kernel, scaleTable("diverging", theme.mode));
  this.window.shape(k, k);
  this.products.shape(k, k);
  find(".lens .size").textContent = k === 3 ? "5×5" : "3×3";
  find(".lens .size").setAttribute("aria-label", `Make the kernel ${k === 3 ? "5 by 5" : "3 by 3"}`);
  find(".undo").disabled = this.history.length === 0;
  const bias = find(".bias");
  if (parseNumber(bias.value) !== settings.bias) bias.value = weightText(settings.bias);
  this.writeFormula();
  find(".input-map .size").textContent = `${this.grid.rows} × ${this.grid.columns}${settings.padding ? ` + ${settings.padding} padding on each side` : ""}`;
  find(".output-map .size").textContent = `${this.out.rows} × ${this.out.columns}`;
  for (const name of [".png", ".step", ".back", ".play", ".scrub"]) find(name).disabled = !this.out.values.length;
  find(".scrub").max = Math.max(0, this.out.values.length - 1);
  fillScale(find(".input-map .scale"), { table: GREY, low: 0, high: 1 }, "brightness, one scale for every picture");
  fillScale(find(".output-map .scale"), this.scale, "own scale");
  this.refreshTransport();
  this.writeTruth();
  drawThumb(this);
};

/** The output's size with its numbers filled in: input blue, kernel orange, output green, as everywhere. */
KernelRoom.prototype.writeFormula = function () {
  const { settings, grid, k, out } = this;
  const { stride, padding, dilation } = settings;
  const host = this.find(".formula");
  const filled = (size, label) => {
    const value = Math.floor((size + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;
    const part = (text, className) => make("span", className, String(text));
    const line = make("span", "filled");
    line.append(label, "⌊(", part(size, "in"), ` + 2·${padding} − ${dilation}·(`, part(k, "ker"), ` − 1) − 1) / ${stride}⌋ + 1 = `, part(value, value > 0 ? "out" : "wrong"));
    return line;
  };
  const general = make("span", "quiet", "output size = ⌊(W + 2P − D(K − 1) − 1) / S⌋ + 1");
  const lines = grid.rows === grid.columns ? [filled(grid.rows, "= ")] : [filled(grid.rows, "rows: "), filled(grid.columns, "columns: ")];
  host.replaceChildren(general, ...lines);
  host.classList.toggle("refused", !out.values.length);
};

KernelRoom.prototype.refreshTransport = function () {
  const play = this.find(".play");
  play.textContent = this.playing ? "❚❚ Pause" : "▶\uFE0E Play";
  play.setAttribute("aria-pressed", String(this.playing));
  this.find(".speed").value = this.speed;
  this.find(".speed-words").textContent = `${SPEEDS[this.speed]} cell${SPEEDS[this.speed] > 1 ? "s" : ""} a second`;
  this.find(".scrub").setAttribute("aria-valuetext", `row ${this.cell[0]}, column ${this.cell[1]}`);
};

function drawThumb(room) {
  const canvas = room.find(".picture");
  const [height, width] = room.rgb.shape;
  const size = Math.min(150 / width, 112 / height, 32);
  const [w, h] = [Math.max(24, width * size), Math.max(24, height * size)];
  const g = fit(canvas, w, h);
  g.imageSmoothingEnabled = true; // a photograph to aim at, not data to read
  g.clearRect(0, 0, w, h);
  g.globalAlpha = room.settings.source === "picture" ? 1 : 0.35;
  g.drawImage(room.thumb, 0, 0, width * size, height * size);
  g.globalAlpha = 1;
  room.thumbSize = size;
  const { top, left, rows, columns, zoom } = room.settings.region;
  canvas.setAttribute("aria-label", `Your picture. The frame covers ${rows * zoom} by ${columns * zoom} pixels from row ${top}, column ${left}. Arrow keys move it, plus and minus change its size.`);
  if (room.settings.source !== "picture") return;
  const box = [left * size, top * size, columns * zoom * size, rows * zoom * size];
  g.fillStyle = room.theme.page;
  g.globalAlpha = 0.55;
  g.beginPath();
  g.rect(0, 0, w, h);
  g.rect(...box);
  g.fill("evenodd");
  g.globalAlpha = 1;
  drawFrame(g, box[0] + 1.5, box[1] + 1.5, box[2] - 3, box[3] - 3, room.theme, room.theme.input, 2);
}
