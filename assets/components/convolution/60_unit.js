// Mode 2: one unit of a real convolution, with the window and the kernel of every input channel.

const SHOWN = 6; // contributions in full view; the others are summed in one row until they are asked for

class UnitRoom {
  constructor(parent) {
    this.parent = parent;
    this.root = parent.querySelector(".cl");
    this.find = (selector) => parent.querySelector(`.unit-mode ${selector}`);
    this.window = new NumberGrid(this.find(".grid.window"), "Window");
    this.kernel = new NumberGrid(this.find(".grid.weights"), "Kernel");
    this.products = new NumberGrid(this.find(".grid.products"), "Products");
    this.flight = new Flight(this.find(".unit-stage"), this.find(".ghosts"));
    this.answer = this.find(".answer-map > canvas");
    this.source = this.find(".source-map > canvas");
    this.expanded = false;
    this.redraw = oncePerFrame(() => this.draw());
  }

  receive(data, theme, send) {
    this.theme = theme;
    this.font = codeFont(this.root);
    this.send = send;
    const payload = unpack(data);
    const meta = payload.meta;
    const unit = `${meta.digest} ${meta.layer} ${meta.channel}`;
    const moved = unit !== this.unit || meta.row !== this.meta.row || meta.column !== this.meta.column;
    if (unit !== this.unit) this.chosen = null; // the channel that was looked at belongs to another filter
    [this.unit, this.payload, this.meta] = [unit, payload, meta];
    if (moved) this.cell = [meta.row, meta.column];
    [, this.kRows, this.kColumns] = payload.weights.shape;
    [this.rows, this.columns] = payload.answers.shape;
    this.local = Boolean(payload.input || payload.rgb);
    this.input = payload.rgb ? normalised(payload.rgb, meta) : payload.input;
    this.scale = scaleOf(...extent(payload.answers.data), theme.mode);
    this.answerImage = canvasOf(
      colourise(payload.answers.data, 0, this.rows, this.columns, this.scale.table, this.scale.low, this.scale.high)
    );
    this.sourceImages = new Map();
    this.computeTerms();
    wireUnitRoom(this);
    this.writeHead();
    this.draw();
  }

  get step() {
    return this.meta;
  }

  name(index) {
    return this.meta.names ? this.meta.names[index] : `in ${this.meta.first + index}`;
  }

  /** Every product of the cell that is shown: which input channel, where in the kernel, what times what. */
  table() {
    const rows = [["input", "row", "column", "value", "weight", "product"]];
    for (let index = 0; index < this.payload.weights.shape[0]; index++) {
      const [window, weights] = [this.windowOf(index), this.weightsOf(index)];
      Array.from(weights).forEach((weight, i) => {
        const value = window.values[i];
        rows.push([this.name(index), Math.floor(i / this.kColumns), i % this.kColumns, value, weight, value * weight]);
      });
    }
    return rows;
  }

  windowOf(index) {
    if (this.local) {
      const [, rows, columns] = this.input.shape;
      return windowAt(this.input.data, index * rows * columns, rows, columns, this.kRows, this.kColumns, this.step, ...this.cell);
    }
    const area = this.kRows * this.kColumns;
    const [top, left] = [0, 1].map((axis) => this.meta[axis ? "column" : "row"] * this.meta.stride[axis] - this.meta.padding[axis]);
    return { values: this.payload.windows.data.subarray(index * area, (index + 1) * area), padded: this.payload.padded.data, top, left };
  }

  /** Each input channel's window, and the sum of its products with the kernel (float64). */
  computeTerms() {
    const { data, shape } = this.payload.weights;
    const area = shape[1] * shape[2];
    this.terms = Array.from({ length: shape[0] }, (_, index) => {
      const win = this.windowOf(index);
      let value = 0;
      for (let i = 0; i < area; i++) value += win.values[i] * data[index * area + i];
      return { index, win, value };
    });
    this.ranked = [...this.terms].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    this.computed = this.terms.reduce((sum, term) => sum + term.value, 0) + (this.meta.bias ?? 0);
    this.value = this.payload.answers.data[this.cell[0] * this.columns + this.cell[1]];
  }

  get selected() {
    return this.chosen === null ? this.ranked[0].index : this.chosen;
  }

  weightsOf(index) {
    const area = this.kRows * this.kColumns;
    return this.payload.weights.data.subarray(index * area, (index + 1) * area);
  }

  productsOf(index) {
    const weights = this.weightsOf(index);
    return Float64Array.from(this.terms[index].win.values, (v, i) => v * weights[i]);
  }

  /** Look at another cell: at once where the numbers are here, otherwise only its value is read. */
  look(row, column) {
    const cell = [Math.max(0, Math.min(this.rows - 1, row)), Math.max(0, Math.min(this.columns - 1, column))];
    if (this.local) {
      if (cell[0] === this.cell[0] && cell[1] === this.cell[1]) return;
      this.cell = cell;
      this.flight.cancel();
      this.computeTerms();
    }
    this.pointer = cell;
    this.redraw();
  }

  /** Open the cell for good: the address follows, and the server takes the unit apart too. */
  open(row, column) {
    this.look(row, column);
    this.fresh = true;
    this.send({ channel: this.meta.channel, row: this.pointer?.[0] ?? row, column: this.pointer?.[1] ?? column });
  }

  openChannel(channel) {
    const next = (channel + this.meta.channels) % this.meta.channels;
    this.find(".channel").value = next;
    clearTimeout(this.timer);
    // Held keys pass over many channels: only the one where they rest is asked for.
    this.timer = setTimeout(() => this.send({ channel: next, row: this.cell[0], column: this.cell[1] }), 120);
  }

  choose(index, fly = true) {
    this.chosen = index;
    this.draw();
    if (fly) this.fly();
  }

  fly() {
    if (!this.windowBox || reducedMotion()) return;
    const offset = this.flight.rect(this.source);
    const { x, y, w, h } = this.windowBox;
    const { low, high, table } = this.sourceScale(this.selected);
    const picture = canvasOf(colourise(this.terms[this.selected].win.values, 0, this.kRows, this.kColumns, table, low, high));
    this.flight.play(picture, { x: offset.x + x, y: offset.y + y, w, h }, {
      window: this.window.host, cells: this.products.cells, sum: this.find(".lens .result"), result: this.find(".lens .result"),
    });
  }

  /** The colours of one input channel, on the scale of its own map. */
  sourceScale(index) {
    if (!this.sourceImages.has(index)) {
      let grid = null;
      if (this.local) {
        const [, rows, columns] = this.input.shape;
        grid = { values: this.input.data, start: index * rows * columns, rows, columns };
      } else {
        const at = this.payload.thumb_ids.data.indexOf(index);
        const [, rows, columns] = this.payload.thumbs.shape;
        if (at >= 0) grid = { values: shadesOf(this.payload, at, rows * columns), start: 0, rows, columns };
      }
      const values = grid || { values: this.terms[index].win.values, start: 0, rows: this.kRows, columns: this.kColumns };
      const scale = scaleOf(...extent(values.values, values.start, values.rows * values.columns), this.theme.mode);
      const image = grid && canvasOf(colourise(grid.values, grid.start, grid.rows, grid.columns, scale.table, scale.low, scale.high));
      this.sourceImages.set(index, { ...scale, grid, image });
    }
    return this.sourceImages.get(index);
  }

  say(text) {
    this.find(".readout").textContent = text;
    clearTimeout(this.politeTimer);
    this.politeTimer = setTimeout(() => (this.find(".sr").textContent = text), 500);
  }

  destroy() {
    clearTimeout(this.timer);
    clearTimeout(this.politeTimer);
    this.flight.cancel();
  }
}

/** The network's input from the picture that it saw: (rgb / 255 − mean) / std in float32, as torch computes it. */
function normalised(rgb, { mean, std }) {
  const [rows, columns] = rgb.shape;
  const data = new Float32Array(mean.length * rows * columns);
  mean.forEach((m, channel) => {
    const [centre, width] = [Math.fround(m), Math.fround(std[channel])];
    for (let i = 0; i < rows * columns; i++) {
      data[channel * rows * columns + i] = Math.fround(Math.fround(Math.fround(rgb.data[3 * i + channel] / 255) - centre) / width);
    }
  });
  return { data, shape: [mean.length, rows, columns] };
}

/** One channel's map for colours only: it was sent as 256 shades between its smallest and largest number. */
function shadesOf({ thumbs, thumb_ranges }, at, area) {
  const [low, high] = thumb_ranges.data.subarray(2 * at, 2 * at + 2);
  return Float64Array.from(thumbs.data.subarray(at * area, (at + 1) * area), (v) => low + (v / 255) * (high - low));
}
