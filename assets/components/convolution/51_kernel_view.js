// Mode 1: what is drawn and written.

function rgbImage(rgb) {
  const [height, width] = rgb.shape;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([...rgb.data.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  return image;
}

function digitGrid(digits, digit) {
  const [, rows, columns] = digits.shape;
  const values = Float64Array.from(digits.data.subarray(digit * rows * columns, (digit + 1) * rows * columns), (v) => v / 255);
  return { values, rows, columns };
}

KernelRoom.prototype.draw = function () {
  const { theme, grid, out, settings, font } = this;
  this.digitsShown = layoutLens(this.find(".lens"), this.root.clientWidth, this.k);
  const side = Math.floor(Math.min(this.find(".input-map").clientWidth, 520));
  if (side < 20) return;
  const height = Math.max(72, Math.min(side, Math.ceil((side * grid.rows) / grid.columns)));
  const input = drawGrid(this.inCanvas, side, height, grid, {
    theme, image: this.inImage, table: GREY, low: 0, high: 1, numbers: true, font,
  }, [settings.padding, settings.padding]);
  this.inPlace = input.place;
  this.windowBox = null;
  this.find(".refusal").hidden = out.values.length > 0;
  if (!out.values.length) return this.drawNothing(side, height);

  const output = drawGrid(this.outCanvas, side, height, out, {
    theme, image: this.outImage, table: this.scale.table, low: this.scale.low, high: this.scale.high, numbers: this.revealed === null, font,
  });
  this.outPlace = output.place;
  const [row, column] = this.cell;
  if (this.revealed !== null) coverFrom(output.g, output.place, this.revealed + 1, theme);
  const { left, top, size } = output.place;
  drawFrame(output.g, left + column * size, top + row * size, size, size, theme, theme.output, 2);

  this.win = windowAt(grid.values, 0, grid.rows, grid.columns, this.k, this.k, this.step, row, column);
  this.windowBox = drawWindow(input.g, input.place, this.win, this.k, this.k, this.step.dilation, theme);
  this.drawRays(); // reads the layout, so it comes before the numbers are written
  this.writeNumbers();
  this.find(".scrub").value = this.index;
};

/** Where a play has not been yet, the map is still empty. */
function coverFrom(g, place, from, theme) {
  const { left, top, size, rows, columns } = place;
  const [row, column] = [Math.floor(from / columns), from % columns];
  g.fillStyle = theme.panel;
  if (column) g.fillRect(left + column * size, top + row * size, (columns - column) * size, size);
  const below = row + (column ? 1 : 0);
  if (below < rows) g.fillRect(left, top + below * size, columns * size, (rows - below) * size);
}

KernelRoom.prototype.drawNothing = function (side, height) {
  const g = fit(this.outCanvas, side, height);
  g.clearRect(0, 0, side, height);
  g.fillStyle = this.theme.panel;
  g.fillRect(0, 0, side, height);
  this.window.clear();
  this.products.clear();
  for (const name of [".sum", ".result"]) this.find(name).textContent = "–";
  this.find(".rays .from").setAttribute("d", "");
  this.find(".rays .to").setAttribute("d", "");
  this.find(".refusal").textContent = this.refusal();
  this.say(this.refusal());
};

/** Why nothing comes out, and what to change. */
KernelRoom.prototype.refusal = function () {
  const { padding, dilation } = this.settings;
  const span = dilation * (this.k - 1) + 1;
  const room = Math.min(this.grid.rows, this.grid.columns) + 2 * padding;
  const how = dilation > 1 ? ` (dilation ${dilation} spreads its ${this.k} weights)` : "";
  const more = this.settings.source === "picture" && this.cells < 48 ? "take more cells" : "choose a larger picture";
  const ways = [dilation > 1 ? "make the dilation smaller" : "", "make the padding larger", more].filter(Boolean);
  return `No output: the kernel spans ${span} cells${how}, and the padded input has only ${room}. To get one, ${ways.join(", or ")}.`;
};

KernelRoom.prototype.writeNumbers = function () {
  const { settings, win, k, theme } = this;
  const [row, column] = this.cell;
  this.window.shape(k, k);
  this.products.shape(k, k);
  const products = Float64Array.from(win.values, (v, i) => v * settings.kernel[i]);
  const sum = products.reduce((total, v) => total + v, 0);
  const value = this.out.values[this.index];
  const digits = this.digitsShown;
  const limit = Math.max(...products.map(Math.abs)) || 1;
  const diverging = scaleTable("diverging", theme.mode);
  this.window.fill(win.values, GREY, 0, 1, digits, win.padded);
  this.products.fill(products, diverging, -limit, limit, digits, win.padded);
  const decimals = decimalsFor([sum, settings.bias, value]);
  this.find(".sum").textContent = fixed(sum, decimals);
  this.find(".result").textContent = fixed(value, decimals);
  const padded = win.padded.reduce((count, v) => count + v, 0);
  const edge = padded ? ` (${padded} of them ${padded === 1 ? "is" : "are"} padding, so 0)` : "";
  const pin = this.pinned ? " · pinned, Escape frees it" : "";
  this.say(
    `row ${row}, column ${column}: ${k * k} products${edge} sum to ${fixed(sum, decimals)}, ` +
      `${settings.bias < 0 ? "minus" : "plus"} bias ${weightText(Math.abs(settings.bias))} = ${fixed(value, decimals)}${pin}`
  );
};

/** Faint lines from the lit window to the lens, and from the result to its cell. */
KernelRoom.prototype.drawRays = function () {
  const svg = this.find(".rays");
  if (this.root.clientWidth < 700) {
    svg.style.display = "none";
    return;
  }
  svg.style.display = "";
  const input = this.flight.rect(this.inCanvas);
  const output = this.flight.rect(this.outCanvas);
  const lens = this.flight.rect(this.window.host);
  const result = this.flight.rect(this.find(".total"));
  const { x, y, w, h } = this.windowBox;
  const bottom = input.y + y + h;
  this.find(".rays .from").setAttribute(
    "d",
    `M${input.x + x} ${bottom}L${lens.x} ${lens.y}L${lens.x + lens.w} ${lens.y}L${input.x + x + w} ${bottom}Z`
  );
  const place = this.outPlace;
  const cx = output.x + place.left + (this.cell[1] + 0.5) * place.size;
  const cy = output.y + place.top + (this.cell[0] + 1) * place.size;
  this.find(".rays .to").setAttribute("d", `M${result.x + result.w / 2} ${result.y}L${cx} ${cy}`);
};

KernelRoom.prototype.writeTruth = function () {
  const host = this.find(".truth");
  const check = this.meta.check;
  host.className = "truth small";
  if (check && flatSettings(check) === flatSettings(this.settings)) {
    let worst = 0;
    const { values } = this.out;
    for (let i = 0; i < values.length; i++) worst = Math.max(worst, Math.abs(values[i] - this.torch.data[i]));
    const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
    const same = this.torch.data.length === values.length && worst <= 1e-5 * largest;
    host.classList.add(same ? "right" : "wrong");
    if (!values.length) host.textContent = same ? "✓ torch’s conv2d refuses this setting too" : "⚠ torch gives an output here";
    else host.textContent = same
      ? `✓ all ${values.length} numbers equal torch’s conv2d (largest difference ${fewDigits(worst)})`
      : `⚠ differs from torch’s conv2d by up to ${number(worst, 2)}`;
  } else {
    host.classList.add("quiet");
    host.textContent = "… comparing with torch’s conv2d";
  }
};
