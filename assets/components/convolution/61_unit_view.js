// Mode 2: what is drawn and written.

UnitRoom.prototype.draw = function () {
  const { theme, font } = this;
  const side = Math.floor(Math.min(this.find(".answer-map").clientWidth, 520));
  if (side < 20) return;
  const index = this.selected;
  const term = this.terms[index];
  const height = (rows, columns) => Math.max(72, Math.min(side, Math.ceil((side * rows) / columns)));

  const look = { theme, image: this.answerImage, table: this.scale.table, low: this.scale.low, high: this.scale.high, numbers: true, font };
  const answers = { values: this.payload.answers.data, rows: this.rows, columns: this.columns };
  const output = drawGrid(this.answer, side, height(this.rows, this.columns), answers, look);
  this.answerPlace = output.place;
  const { left, top, size } = output.place;
  const mark = (cell, colour, width) => drawFrame(output.g, left + cell[1] * size, top + cell[0] * size, size, size, theme, colour, width);
  if (this.pointer && !this.local) mark(this.pointer, theme.quiet, 1.5);
  mark(this.cell, theme.output, 2.5);

  this.drawSource(index, term, side, height, font);
  this.writeLens(index, term);
  this.writeLedger();
  this.drawCards();
  this.writeReadout();
};

UnitRoom.prototype.drawSource = function (index, term, side, height, font) {
  const scale = this.sourceScale(index);
  this.find(".source-map figcaption b").textContent = this.meta.names ? `Input, ${this.name(index)}` : `Input channel ${this.meta.first + index}`;
  this.windowBox = null;
  if (!scale.grid) {
    const g = fit(this.source, side, side);
    g.fillStyle = this.theme.panel;
    g.fillRect(0, 0, side, side);
    g.fillStyle = this.theme.quiet;
    g.textAlign = "center";
    g.font = `13px ${getComputedStyle(this.root).fontFamily}`;
    g.fillText("map shown for the six largest only", side / 2, side / 2);
    return;
  }
  const { grid } = scale;
  const drawn = drawGrid(this.source, side, height(grid.rows, grid.columns), grid, {
    theme: this.theme, image: scale.image, table: scale.table, low: scale.low, high: scale.high, numbers: this.local, font,
  }, this.meta.padding);
  this.windowBox = drawWindow(drawn.g, drawn.place, term.win, this.kRows, this.kColumns, this.meta.dilation, this.theme);
  this.find(".source-map .size").textContent = `${grid.rows} × ${grid.columns}`;
  fillScale(this.find(".source-map .scale"), scale, this.meta.names ? "own scale, normalised brightness" : "own scale");
};

UnitRoom.prototype.writeHead = function () {
  const { meta } = this;
  const input = this.find(".channel");
  input.max = meta.channels - 1;
  input.value = meta.channel;
  this.find(".of").textContent = `of ${meta.channels}`;
  this.find(".answer-map figcaption b").textContent = `Output, channel ${meta.channel}`;
  this.find(".answer-map .size").textContent = `${this.rows} × ${this.columns}`;
  this.find(".how").textContent = this.local
    ? "Move over the output map: each cell opens at once. A click or Enter puts it into the address."
    : "Move over the output map to read values; a click or Enter opens that unit.";
  fillScale(this.find(".answer-map .scale"), this.scale, "own scale");
  for (const grid of [this.window, this.kernel, this.products]) grid.shape(this.kRows, this.kColumns);
};

UnitRoom.prototype.writeLens = function (index, term) {
  const { table, low, high } = this.sourceScale(index);
  const [weights, products] = [this.weightsOf(index), this.productsOf(index)];
  const diverging = scaleTable("diverging", this.theme.mode);
  const limitOf = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
  const digits = layoutLens(this.find(".lens"), this.root.clientWidth, this.kColumns);
  this.window.fill(term.win.values, table, low, high, digits, term.win.padded);
  this.kernel.fill(weights, diverging, -limitOf(weights), limitOf(weights), digits);
  this.products.fill(products, diverging, -limitOf(products), limitOf(products), digits, term.win.padded);
  this.find(".which").textContent = this.name(index);
  this.find(".lens .result").textContent = signed(term.value);
};

/** One row of the ledger: a name, a bar from the middle, a number. */
function ledgerRow(label, value, limit, className = "") {
  const row = make("div", `row ${className}`);
  const bar = make("span", "bar-cell");
  const fill = make("i", value < 0 ? "minus" : "plus");
  fill.style.width = `${Math.min(50, (50 * Math.abs(value)) / limit)}%`;
  bar.append(fill);
  row.append(make("span", "label", label), bar, make("b", "num", signed(value)));
  return row;
}

UnitRoom.prototype.writeLedger = function () {
  const { ranked, meta } = this;
  const total = ranked.slice(SHOWN).reduce((sum, term) => sum + term.value, 0);
  const limit = Math.max(Math.abs(ranked[0].value), Math.abs(total)) || 1;
  const listed = this.expanded ? ranked : ranked.slice(0, SHOWN);
  const host = this.find(".rows");
  const focused = host.contains(host.getRootNode().activeElement);
  host.classList.toggle("long", this.expanded);
  const scrolled = host.scrollTop;
  host.replaceChildren(
    ...listed.map((term) => {
      const row = ledgerRow(this.name(term.index), term.value, limit, term.index === this.selected ? "chosen" : "");
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(term.index === this.selected));
      row.tabIndex = term.index === this.selected ? 0 : -1;
      row.dataset.index = term.index;
      return row;
    })
  );
  if (!host.querySelector('[tabindex="0"]')) host.firstChild.tabIndex = 0;
  host.scrollTop = scrolled;
  if (focused) host.querySelector('[tabindex="0"]').focus({ preventScroll: true });
  const rest = ranked.slice(SHOWN);
  const button = this.find(".all");
  button.hidden = rest.length === 0;
  const row = ledgerRow(`${rest.length} more`, total, limit);
  row.append(make("span", "small", this.expanded ? "show the largest only" : "show all"));
  button.replaceChildren(row);
  button.setAttribute("aria-expanded", String(this.expanded));
  this.writeResults();
};

UnitRoom.prototype.writeResults = function () {
  const { meta } = this;
  const rows = [];
  rows.push(resultRow("bias", meta.bias === null ? "none" : signed(meta.bias), null));
  const check = agrees(this.computed, this.value);
  rows.push(resultRow("= this unit", number(this.value), check, "sum"));
  let before = this.value;
  const at = this.cell[0] * this.columns + this.cell[1];
  this.chain = meta.chain.map((link, i) => {
    const truth = this.payload[`chain${i}`].data[at];
    const computed = follow(link, before);
    rows.push(resultRow(`→ ${link.title}`, number(truth), computed === null ? null : agrees(computed, truth), "sum"));
    before = truth;
    return { title: link.title, value: truth };
  });
  this.find(".results").replaceChildren(...rows);
};

/** What a link of the chain makes of a number; null where this script does not know its arithmetic. */
function follow({ kind, norm }, x) {
  if (norm) return ((x - norm.mean) / Math.sqrt(norm.variance + norm.epsilon)) * norm.weight + norm.bias;
  return ACTIVATIONS[kind] ? ACTIVATIONS[kind](x) : null;
}

function resultRow(label, text, check, className = "") {
  const row = make("div", `result-row ${className}`);
  row.append(make("span", "", label), make("b", "num", text));
  const tick = make("span", check ? (check.matches ? "tick right" : "tick wrong") : "tick");
  if (check) {
    tick.textContent = check.matches ? "✓" : "⚠";
    tick.title = `${check.matches ? "equals torch’s number" : "differs from torch’s number"}, relative error ${fewDigits(check.error)}`;
  }
  row.append(tick);
  return row;
}

UnitRoom.prototype.writeReadout = function () {
  const { meta, cell } = this;
  if (this.pointer && !this.local && (this.pointer[0] !== cell[0] || this.pointer[1] !== cell[1])) {
    const value = this.payload.answers.data[this.pointer[0] * this.columns + this.pointer[1]];
    this.say(`row ${this.pointer[0]}, column ${this.pointer[1]}: ${number(value)}. Click or press Enter to open this unit.`);
    return;
  }
  const count = this.terms.length * this.kRows * this.kColumns;
  const check = agrees(this.computed, this.value);
  const shape = this.terms.length === 1 ? `${count}` : `${this.terms.length} × ${this.kRows * this.kColumns}`;
  const bias = meta.bias === null ? "no bias" : `${meta.bias < 0 ? "minus" : "plus"} bias ${number(Math.abs(meta.bias))}`;
  const sum = this.computed - (meta.bias ?? 0);
  const chain = this.chain.map((link) => ` → ${link.title} ${number(link.value)}`).join("");
  const verdict = check.matches ? `✓ torch’s number, relative error ${fewDigits(check.error)}` : `⚠ torch has ${number(this.value)}`;
  this.say(`row ${cell[0]}, column ${cell[1]}: ${shape} products sum to ${number(sum)}, ${bias} = ${number(this.computed)} ${verdict}${chain}`);
};

/** The six largest, side by side, each a small picture of window × kernel = products. */
UnitRoom.prototype.drawCards = function () {
  const host = this.find(".cards");
  const top = this.ranked.length > 1 ? this.ranked.slice(0, SHOWN) : []; // one channel alone is in the lens already
  while (host.children.length > top.length) host.lastChild.remove();
  while (host.children.length < top.length) {
    const card = make("button", "card");
    card.type = "button";
    card.append(make("span", "card-head"), make("canvas"));
    card.firstChild.append(make("b"), make("b", "num"));
    host.append(card);
  }
  top.forEach((term, rank) => {
    const card = host.children[rank];
    card.dataset.index = term.index;
    card.setAttribute("aria-pressed", String(term.index === this.selected));
    const [label, value] = card.firstChild.children;
    label.textContent = this.name(term.index);
    value.textContent = signed(term.value);
    drawCard(this, card.lastChild, term, card.clientWidth - 24);
  });
};

function drawCard(room, canvas, term, width) {
  if (width < 40) return;
  const { kRows, kColumns, theme } = room;
  const sign = 16;
  const size = Math.max(4, Math.min(kColumns === 1 ? 60 : 40, Math.floor((width - 2 * sign) / (3 * kColumns))));
  const tall = kColumns === 1 && kRows === 1 ? 34 : size; // one number alone needs no square
  const g = fit(canvas, width, kRows * tall + 2);
  g.clearRect(0, 0, width, kRows * tall + 2);
  const diverging = scaleTable("diverging", theme.mode);
  const source = room.sourceScale(term.index);
  const { font } = room;
  const block = (values, start, x, table, low, high, colour, padded) => {
    for (let i = 0; i < kRows * kColumns; i++) {
      const shade = colourAt(table, values[start + i], low, high);
      const [cx, cy] = [x + (i % kColumns) * size, 1 + Math.floor(i / kColumns) * tall];
      g.fillStyle = padded && padded[i] ? theme.panel : `rgb(${shade})`;
      g.fillRect(cx, cy, size, tall);
      if (size < 26) continue;
      g.fillStyle = padded && padded[i] ? theme.quiet : inkOn(shade);
      g.font = `${kColumns === 1 ? 12 : Math.min(11.5, size * 0.34)}px ${font}`;
      g.textAlign = "center";
      g.textBaseline = "middle";
      const digits = Math.max(0, Math.min(kColumns === 1 ? 4 : 2, decimalsFor([values[start + i]], kColumns === 1 ? 4 : 3)));
      g.fillText(fixed(values[start + i], digits).replace(/^(−?)0\./, "$1."), cx + size / 2, cy + tall / 2 + 0.5);
    }
    g.strokeStyle = colour;
    g.lineWidth = 1.5;
    g.strokeRect(x + 0.75, 1, kColumns * size - 1.5, kRows * tall - 0.5);
  };
  const weights = room.weightsOf(term.index);
  const products = room.productsOf(term.index);
  const limit = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
  const step = kColumns * size + sign;
  block(term.win.values, 0, 0, source.table, source.low, source.high, theme.input, term.win.padded);
  block(weights, 0, step, diverging, -limit(weights), limit(weights), theme.kernel);
  block(products, 0, 2 * step, diverging, -limit(products), limit(products), theme.line, term.win.padded);
  g.fillStyle = theme.quiet;
  g.font = `13px ${font}`;
  g.textAlign = "center";
  for (const [i, text] of ["×", "="].entries()) g.fillText(text, (i + 1) * step - sign / 2, (kRows * tall) / 2 + 1);
}
