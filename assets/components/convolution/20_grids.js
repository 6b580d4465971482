// Numbers in coloured cells: the lens that makes a window, a kernel and their products readable.

const GREY = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));

function colourAt(table, value, low, high) {
  const last = table.length / 3 - 1;
  const at = high > low ? Math.max(0, Math.min(last, Math.round(((value - low) / (high - low)) * last))) : Math.round(last / 2);
  return [table[3 * at], table[3 * at + 1], table[3 * at + 2]];
}

/** A grid of cells that is built once for its shape and then only refilled. */
class NumberGrid {
  constructor(host, label) {
    this.host = host;
    this.label = label;
    this.rows = this.columns = 0;
    this.cells = [];
  }

  shape(rows, columns) {
    if (rows === this.rows && columns === this.columns) return;
    [this.rows, this.columns] = [rows, columns];
    this.host.style.gridTemplateColumns = `repeat(${columns}, var(--cell))`;
    this.host.setAttribute("role", "img");
    this.cells = Array.from({ length: rows * columns }, () => make("div", "cell num"));
    this.host.replaceChildren(...this.cells);
  }

  /** Fill with numbers and their colours; `padded` cells are hatched. */
  fill(values, table, low, high, significant, padded = null) {
    const decimals = decimalsFor(values, significant);
    // The longest number sets the type's size, so that none leaves its cell.
    let longest = 4;
    for (const value of values) longest = Math.max(longest, fixed(value, decimals).length);
    this.host.style.setProperty("--longest", longest);
    for (let i = 0; i < values.length; i++) {
      const cell = this.cells[i];
      const colour = colourAt(table, values[i], low, high);
      cell.classList.toggle("pad", Boolean(padded && padded[i]));
      cell.style.backgroundColor = padded && padded[i] ? "" : `rgb(${colour})`;
      cell.style.color = padded && padded[i] ? "" : inkOn(colour);
      cell.textContent = padded && padded[i] ? "0" : fixed(values[i], decimals);
    }
    this.host.setAttribute("aria-label", `${this.label}: ${this.cells.map((cell) => cell.textContent).join(", ")}`);
  }

  clear() {
    for (const cell of this.cells) {
      cell.className = "cell num pad";
      cell.style.backgroundColor = cell.style.color = "";
      cell.textContent = "–";
    }
    this.host.setAttribute("aria-label", `${this.label}: none`);
  }
}

/** The editable kernel: one input for each weight; arrow up and down step it, Shift makes the step ten times as big. */
class KernelGrid {
  constructor(host, { onEdit, onRefuse }) {
    this.host = host;
    this.onEdit = onEdit;
    this.onRefuse = onRefuse;
    this.k = 0;
    this.inputs = [];
  }

  shape(k) {
    if (k === this.k) return;
    this.k = k;
    this.host.style.gridTemplateColumns = `repeat(${k}, var(--cell))`;
    this.inputs = Array.from({ length: k * k }, (_, index) => {
      const input = make("input", "cell num");
      input.type = "text";
      input.inputMode = "decimal";
      input.autocomplete = "off";
      input.setAttribute("aria-label", `Weight in row ${Math.floor(index / k)}, column ${index % k}`);
      input.onfocus = () => input.select();
      input.onkeydown = (event) => this.keydown(event, index);
      input.oninput = () => this.read(index, false);
      input.onblur = () => this.read(index, true);
      return input;
    });
    this.host.replaceChildren(...this.inputs);
  }

  keydown(event, index) {
    event.stopPropagation();
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const now = parseNumber(this.inputs[index].value) ?? this.weights[index];
      const next = Math.round((now + step * (event.shiftKey ? 1 : 0.1)) * 1e6) / 1e6;
      this.inputs[index].value = weightText(next);
      this.read(index, false);
    } else if (event.key === "Enter" || event.key === "Escape") {
      if (event.key === "Escape") this.inputs[index].value = weightText(this.weights[index]);
      this.inputs[index].blur();
    }
  }

  read(index, leaving) {
    const input = this.inputs[index];
    const value = parseNumber(input.value);
    input.setAttribute("aria-invalid", String(value === null));
    if (value === null) {
      this.onRefuse(input.value);
      if (leaving) this.inputs[index].value = weightText(this.weights[index]);
      if (leaving) input.setAttribute("aria-invalid", "false");
    } else if (input.value !== weightText(this.weights[index]) && value !== this.weights[index]) {
      this.onEdit(index, value);
    } else if (leaving) input.value = weightText(this.weights[index]);
  }

  fill(weights, table) {
    this.weights = weights;
    const limit = Math.max(...weights.map(Math.abs)) || 1;
    this.inputs.forEach((input, i) => {
      const colour = colourAt(table, weights[i], -limit, limit);
      input.style.backgroundColor = `rgb(${colour})`;
      input.style.color = inkOn(colour);
      // What is being typed stays as it is; everything else shows the weight in force.
      const typed = parseNumber(input.value);
      if (input.getRootNode().activeElement !== input || (typed !== null && typed !== weights[i])) {
        input.value = weightText(weights[i]);
        input.setAttribute("aria-invalid", "false");
      }
    });
  }
}

function codeFont(element) {
  return getComputedStyle(element).getPropertyValue("--st-code-font") || "monospace";
}

/**
 * How the lens lies for a kernel of so many columns: one row where its numbers can be read in it, otherwise window and
 * kernel over products and sum ("pair"), otherwise one under the other.
 */
function layoutLens(lens, width, columns) {
  const cells = { row: (width - 330) / (3 * columns), pair: (width - 34) / (2 * columns), stack: (width - 4) / columns };
  const way = width > 700 && cells.row >= 32 ? "row" : cells.pair >= 38 || columns === 1 ? "pair" : "stack";
  const cell = Math.max(18, Math.min(58, Math.floor(cells[way])));
  lens.dataset.way = way;
  lens.style.setProperty("--cell", `${cell}px`);
  lens.style.setProperty("--type", `${Math.max(9, Math.min(13, cell * 0.235))}px`);
  return cell < 44 ? 3 : 4; // significant digits that a cell can hold
}

/** A few coloured squares, for a preset's button. */
function swatch(weights, columns, table, size = 8) {
  const rows = weights.length / columns;
  const limit = Math.max(...weights.map(Math.abs)) || 1;
  const canvas = make("canvas", "swatch");
  const g = fit(canvas, columns * size, rows * size);
  g.drawImage(canvasOf(colourise(weights, 0, rows, columns, table, -limit, limit)), 0, 0, columns * size, rows * size);
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
