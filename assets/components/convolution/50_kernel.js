// Mode 1: one kernel slides over one grey grid; everything that follows the pointer is computed here.

const SPEEDS = [1, 2, 5, 10, 30, 60, 200, 1000]; // output cells a second
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const KERNEL_SIZES = [3, 5];

/** The settings that the server is asked about, as one flat list: equal lists mean equal outputs. */
const flatSettings = (s) =>
  JSON.stringify([
    s.source, s.digit, ...["top", "left", "rows", "columns", "zoom"].map((name) => s.region[name]),
    ...s.kernel, s.bias, s.stride, s.padding, s.dilation,
  ]);

class KernelRoom {
  constructor(parent) {
    this.parent = parent;
    this.root = parent.querySelector(".cl");
    this.find = (selector) => parent.querySelector(`.kernel-mode ${selector}`);
    this.cell = [0, 0];
    this.pinned = this.playing = false;
    this.revealed = null;
    this.speed = 4;
    this.history = [];
    this.window = new NumberGrid(this.find(".grid.window"), "Window");
    this.products = new NumberGrid(this.find(".grid.products"), "Products");
    this.kernelGrid = new KernelGrid(this.find(".grid.kernel"), {
      onEdit: (index, value) => this.editWeight(index, value),
      onRefuse: (text) => this.say(`“${text.slice(0, 20)}” is not a number between −1000 and 1000. Write 0.5, −2 or 1/9.`, true, true),
    });
    this.flight = new Flight(this.find(".stage"), this.find(".ghosts"));
    this.outCanvas = this.find(".output-map > canvas");
    this.inCanvas = this.find(".input-map > canvas");
    this.redraw = oncePerFrame(() => this.draw());
  }

  /** New numbers or a new theme from the server. */
  receive(data, theme, send) {
    this.theme = theme;
    this.send = send;
    this.font = codeFont(this.root);
    const payload = unpack(data);
    this.meta = payload.meta;
    this.rgb = payload.rgb;
    this.digits = payload.digits;
    this.torch = payload.torch;
    if (!this.settings) {
      this.settings = { ...this.meta.initial };
      this.cells = Math.max(this.settings.region.rows, this.settings.region.columns);
      this.digest = this.meta.digest;
      this.first = true;
    } else if (this.digest !== this.meta.digest) {
      this.digest = this.meta.digest;
      Object.assign(this.settings, { source: "picture", region: { ...this.meta.initial.region } });
      this.cells = Math.max(this.settings.region.rows, this.settings.region.columns);
    }
    this.thumb = canvasOf(rgbImage(this.rgb));
    buildSource(this);
    buildControls(this);
    wireKernelRoom(this);
    this.compute();
    if (this.first) {
      this.first = false;
      this.cell = [Math.floor(this.out.rows / 4), Math.floor(this.out.columns / 3)];
    }
    this.refreshControls();
    this.draw();
  }

  get step() {
    const { stride, padding, dilation } = this.settings;
    return { stride: [stride, stride], padding: [padding, padding], dilation: [dilation, dilation] };
  }

  get k() {
    return Math.sqrt(this.settings.kernel.length);
  }

  compute() {
    const { source, digit, region, kernel, bias } = this.settings;
    this.grid = source === "digit" ? digitGrid(this.digits, digit) : greyRegion(this.rgb, region);
    this.out = slide(this.grid.values, this.grid.rows, this.grid.columns, kernel, this.k, bias, this.settings);
    this.inImage = canvasOf(colourise(this.grid.values, 0, this.grid.rows, this.grid.columns, GREY, 0, 1));
    const { rows, columns, values } = this.out;
    this.scale = scaleOf(...(values.length ? extent(values) : [0, 1]), this.theme.mode);
    this.outImage = values.length
      ? canvasOf(colourise(values, 0, rows, columns, this.scale.table, this.scale.low, this.scale.high))
      : null;
    this.cell = [Math.max(0, Math.min(rows - 1, this.cell[0])), Math.max(0, Math.min(columns - 1, this.cell[1]))];
    if (!values.length) this.stop();
  }

  /** A change of the settings, undoable, drawn at once; the server hears of it when the hand rests. */
  change(settings, { undo = true } = {}) {
    if (undo) {
      this.history.push(structuredClone(this.settings));
      if (this.history.length > 60) this.history.shift();
    }
    this.settings = { ...this.settings, ...settings };
    this.revealed = null;
    this.flight.cancel();
    this.compute();
    this.refreshControls();
    this.redraw();
    this.settle();
  }

  settle() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(this.settings), 600);
  }

  editWeight(index, value) {
    const kernel = [...this.settings.kernel];
    kernel[index] = value;
    this.change({ kernel, preset: "" });
  }

  choosePreset(preset) {
    this.change({ preset: preset.key, kernel: preset.weights.flat() });
  }

  undo() {
    if (!this.history.length) return;
    this.settings = this.history.pop();
    this.change({}, { undo: false });
  }

  /** Put numbers of the kernel's other size round (or out of) the middle of this one. */
  resizeKernel() {
    const next = KERNEL_SIZES[(KERNEL_SIZES.indexOf(this.k) + 1) % KERNEL_SIZES.length];
    const [k, old, shift] = [this.k, this.settings.kernel, (next - this.k) / 2];
    const kernel = Array.from({ length: next * next }, (_, at) => {
      const [r, c] = [Math.floor(at / next) - shift, (at % next) - shift];
      return r >= 0 && c >= 0 && r < k && c < k ? old[r * k + c] : 0;
    });
    this.change({ kernel, preset: "" });
  }

  pick(row, column, { fly = false, keep = false } = {}) {
    if (!this.out.values.length) return;
    const cell = [Math.max(0, Math.min(this.out.rows - 1, row)), Math.max(0, Math.min(this.out.columns - 1, column))];
    const same = cell[0] === this.cell[0] && cell[1] === this.cell[1];
    if (!keep) this.revealed = null;
    this.cell = cell;
    if (fly) {
      this.draw();
      this.fly();
    } else if (!same || !keep) {
      this.flight.cancel();
      this.redraw();
    }
  }

  at(index) {
    return [Math.floor(index / this.out.columns), index % this.out.columns];
  }

  get index() {
    return this.cell[0] * this.out.columns + this.cell[1];
  }

  toggle() {
    if (this.playing) return this.stop();
    if (!this.out.values.length) return;
    this.playing = true;
    this.pinned = false;
    if (this.revealed === null || this.index >= this.out.values.length - 1) this.pick(0, 0, { keep: true });
    this.revealed = this.index;
    this.refreshTransport();
    let [last, owed] = [performance.now(), 0];
    const tick = (now) => {
      if (!this.playing || !this.root.isConnected) return;
      const rate = SPEEDS[this.speed];
      owed += ((now - last) / 1000) * rate;
      last = now;
      if (owed >= 1) {
        const next = Math.min(this.out.values.length - 1, this.index + Math.floor(owed));
        owed %= 1;
        this.revealed = next;
        this.cell = this.at(next);
        this.draw();
        if (rate <= 1) this.fly();
        if (next >= this.out.values.length - 1) return this.stop();
      }
      this.frame = requestAnimationFrame(tick);
    };
    this.frame = requestAnimationFrame(tick);
    this.draw();
  }

  stop() {
    this.playing = false;
    cancelAnimationFrame(this.frame);
    if (this.revealed !== null && this.revealed >= this.out.values.length - 1) this.revealed = null;
    this.refreshTransport();
    this.redraw();
  }

  stepBy(by) {
    this.stop();
    const next = Math.max(0, Math.min(this.out.values.length - 1, this.index + by));
    this.pick(...this.at(next), { fly: by > 0 });
  }

  escape() {
    this.pinned = false;
    this.revealed = null;
    this.stop();
    this.redraw();
  }

  fly() {
    if (!this.windowBox) return;
    const picture = canvasOf(colourise(this.win.values, 0, this.k, this.k, GREY, 0, 1));
    const offset = this.flight.rect(this.inCanvas);
    const out = this.flight.rect(this.outCanvas);
    const { x, y, w, h } = this.windowBox;
    const [row, column] = this.cell;
    const place = this.outPlace;
    this.flight.play(picture, { x: offset.x + x, y: offset.y + y, w, h }, {
      window: this.window.host,
      cells: this.products.cells,
      sum: this.find(".sum"),
      result: this.find(".result"),
      output: { x: out.x + place.left + column * place.size, y: out.y + place.top + row * place.size - 8 },
    });
  }

  say(text, polite = true, refusal = false) {
    // What was refused stays said until it is mended, also when the server's check comes in meanwhile.
    if (!refusal && this.find('.grid.kernel [aria-invalid="true"]')) return;
    this.find(".readout").textContent = text;
    clearTimeout(this.politeTimer);
    if (polite && !this.playing) this.politeTimer = setTimeout(() => (this.find(".sr").textContent = text), 500);
  }

  /** The map's numbers, row by row, as the server's own arithmetic would write them. */
  table() {
    const { rows, columns, values } = this.out;
    return Array.from({ length: rows }, (_, r) => Array.from(values.subarray(r * columns, (r + 1) * columns)));
  }

  savePng() {
    const { rows, columns } = this.out;
    const size = Math.max(1, Math.round(768 / Math.max(rows, columns)));
    const canvas = make("canvas");
    [canvas.width, canvas.height] = [columns * size, rows * size];
    const g = canvas.getContext("2d");
    g.imageSmoothingEnabled = false;
    g.drawImage(this.outImage, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => download(`convolution_${rows}x${columns}.png`, blob, "image/png"));
  }

  destroy() {
    this.playing = false;
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    clearTimeout(this.politeTimer);
    this.flight.cancel();
  }
}
