// One filter's kernels: all as tiles, one of them as numbers that can be changed, with presets; and the bias.

function kernelEditor({ root, S, theme, meta, now, own, fresh, send }) {
  const [count, rows, columns] = now.shape;
  const size = rows * columns;
  const place = `${meta.layer}|${meta.filter}`;
  if (S.place !== place) {
    // The longest kernel first: it says most.
    const lengths = Array.from({ length: count }, (_, i) => own.data.subarray(i * size, (i + 1) * size).reduce((sum, v) => sum + v * v, 0));
    Object.assign(S, { place, lengths, kernel: S.kernel < count && S.layer === meta.layer ? S.kernel : lengths.indexOf(Math.max(...lengths)), values: null, layer: meta.layer });
  }
  if (fresh) Object.assign(S, { values: null, bias: null });
  const current = () => now.data.subarray(S.kernel * size, (S.kernel + 1) * size);
  const original = () => own.data.subarray(S.kernel * size, (S.kernel + 1) * size);
  if (!S.values) S.values = [...current()];
  if (S.bias === null || S.bias === undefined) S.bias = meta.bias;

  root.replaceChildren();
  const head = push(root, "div", "iv-head");
  push(head, "strong", "", meta.layer);
  push(head, "span", "quiet", ` ${meta.title}`);
  const pick = push(root, "div", "bar");
  const stepper = (words, value, last, first, change) => {
    const label = push(pick, "label", "iv-step", `${words} `);
    const input = push(label, "input");
    Object.assign(input, { type: "number", min: first, max: last, step: 1, value });
    push(label, "span", "quiet", ` of ${first} to ${last}`);
    input.onchange = () => {
      const wanted = Math.round(Number(input.value));
      if (!Number.isFinite(wanted) || wanted < first || wanted > last) input.value = value;
      else change(wanted);
    };
    return input;
  };
  stepper("Filter", meta.filter, meta.filters - 1, 0, (filter) => send("choose", { filter }));
  const chosen = stepper("reads channel", meta.first + S.kernel, meta.first + count - 1, meta.first, (c) => choose(c - meta.first));

  const body = push(root, "div", "iv-kernel");
  const left = push(body, "div");
  const grid = push(left, "div", "iv-grid");
  grid.style.setProperty("--columns", columns);
  grid.dataset.big = columns > 5 ? "yes" : "no";
  grid.setAttribute("role", "group");
  const table = scaleTable("diverging", theme.mode);
  const inputs = Array.from({ length: size }, (_, i) => {
    const input = push(grid, "input", "num");
    Object.assign(input, { type: "text", inputMode: "decimal", spellcheck: false, autocomplete: "off" });
    input.setAttribute("aria-label", `Weight in row ${Math.floor(i / columns)}, column ${i % columns}`);
    input.oninput = () => {
      const value = readNumber(input.value);
      S.values[i] = value;
      input.setAttribute("aria-invalid", String(value === null));
      paint(i);
      say();
    };
    input.onkeydown = (event) => {
      const atStart = input.selectionStart === 0 && input.selectionEnd === 0;
      const atEnd = input.selectionStart === input.value.length;
      const whole = input.selectionEnd - input.selectionStart === input.value.length;
      const move = { ArrowUp: -columns, ArrowDown: columns, ArrowLeft: atStart || whole ? -1 : 0, ArrowRight: atEnd || whole ? 1 : 0 }[event.key];
      if (event.key === "Escape") {
        S.values[i] = current()[i];
        show();
      } else if (event.key === "Enter" && !act.disabled) act.click();
      else if (!move || i + move < 0 || i + move >= size) return;
      else inputs[i + move].focus();
      event.preventDefault();
    };
    input.onfocus = () => input.select();
    return input;
  });
  const scale = push(left, "div", "scale");
  const right = push(body, "div", "iv-presets");
  push(right, "span", "small quiet", "Presets");
  const middle = Math.floor(rows / 2) * columns + Math.floor(columns / 2);
  const sizes = () => original().reduce((sum, v) => sum + Math.abs(v), 0);
  const presets = {
    Original: [() => [...original()], "The network's own numbers"],
    Zero: [() => Array(size).fill(0), "The kernel says nothing any more"],
    "Flip sign": [() => [...original()].map((v) => (v === 0 ? 0 : -v)), "Each weight times −1"],
    Identity: [() => Array.from({ length: size }, (_, i) => Number(i === middle)), "Hands the channel through: 1 in the middle, 0 elsewhere"],
    ...(size > 1 && {
      "Centre only": [() => [...original()].map((v, i) => (i === middle ? v : 0)), "Keeps the middle weight alone"],
      Blur: [() => Array(size).fill(Math.fround(sizes() / size)), "All equal: the mean size of the weights"],
    }),
  };
  const holder = push(right, "div", "bar");
  for (const [name, [values, words]] of Object.entries(presets)) {
    const button = holder.appendChild(actionButton(name));
    button.title = words;
    button.onclick = () => {
      S.values = values();
      show();
    };
  }
  let biasInput = null;
  if (meta.bias !== null) {
    const label = push(right, "label", "iv-step", `Bias of filter ${meta.filter} `);
    biasInput = push(label, "input", "num");
    Object.assign(biasInput, { type: "text", inputMode: "decimal", autocomplete: "off", value: plainNumber(S.bias) });
    biasInput.oninput = () => {
      S.bias = readNumber(biasInput.value);
      biasInput.setAttribute("aria-invalid", String(S.bias === null));
      say();
    };
    biasInput.onkeydown = (event) => { if (event.key === "Enter" && !act.disabled) act.click(); };
  } else push(right, "p", "small quiet", "This layer adds no bias; the normalisation after it does.");
  const readout = push(right, "p", "readout");
  readout.setAttribute("aria-live", "polite");
  const act = right.appendChild(actionButton("Use these numbers", "iv-act"));

  push(root, "p", "small quiet iv-all", count > 1 ? `All ${count} kernels of filter ${meta.filter}, the longest first, on one shared scale. Click one to edit it.` : "");
  const strip = push(root, "div", "iv-tiles");
  strip.setAttribute("role", "listbox");
  strip.setAttribute("aria-label", "Kernels of this filter");
  const every = Math.max(1e-12, ...own.data.map(Math.abs));
  const side = size === 1 ? 26 : 44;
  const tiles = count < 2 ? [] : Array.from({ length: count }, (_, i) => i).sort((a, b) => S.lengths[b] - S.lengths[a] || a - b).slice(0, 96).map((i) => {
    const tile = strip.appendChild(actionButton(""));
    tile.dataset.kernel = i;
    tile.setAttribute("role", "option");
    tile.setAttribute("aria-label", `Kernel on channel ${meta.first + i}`);
    tile.title = `reads channel ${meta.first + i}`;
    const g = fit(push(tile, "canvas"), side, (side * rows) / columns);
    g.drawImage(canvasOf(colourise(now.data, i * size, rows, columns, table, -every, every)), 0, 0, side, (side * rows) / columns);
    tile.onclick = () => choose(i);
    return tile;
  });
  strip.onkeydown = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const k = tiles.indexOf(root.getRootNode().activeElement);
    if (!move || k < 0) return;
    event.preventDefault();
    tiles[Math.max(0, Math.min(tiles.length - 1, k + move))].focus();
  };

  const limit = () => Math.max(1e-12, ...original().map(Math.abs), ...S.values.map((v) => Math.abs(v ?? 0)));
  function paint(i) {
    const end = limit();
    const last = table.length / 3 - 1;
    const value = S.values[i] ?? 0;
    const k = 3 * Math.round((last * (value + end)) / (2 * end));
    const [r, g, b] = [table[k], table[k + 1], table[k + 2]];
    inputs[i].style.background = `rgb(${r},${g},${b})`;
    inputs[i].style.color = inkOn([r, g, b]);
  }
  function show() {
    S.values.forEach((value, i) => {
      inputs[i].value = plainNumber(value);
      inputs[i].setAttribute("aria-invalid", "false");
    });
    inputs.forEach((_, i) => paint(i));
    tiles.forEach((tile) => tile.setAttribute("aria-selected", String(Number(tile.dataset.kernel) === S.kernel)));
    tiles.forEach((tile) => { tile.tabIndex = Number(tile.dataset.kernel) === S.kernel ? 0 : -1; });
    if (tiles.length && !tiles.some((tile) => tile.tabIndex === 0)) tiles[0].tabIndex = 0;
    chosen.value = meta.first + S.kernel;
    grid.setAttribute("aria-label", `Kernel of filter ${meta.filter} on channel ${meta.first + S.kernel}`);
    scaleWords(scale, table, -limit(), limit(), "own scale");
    say();
  }
  function choose(kernel) {
    S.kernel = kernel;
    S.values = [...current()];
    show();
  }
  const kernelMoved = () => S.values.some((v, i) => v === null || Math.fround(v) !== current()[i]);
  const biasMoved = () => meta.bias !== null && (S.bias === null || Math.fround(S.bias) !== Math.fround(meta.bias));
  function say() {
    const bad = S.values.indexOf(null);
    const moved = kernelMoved() || biasMoved();
    act.disabled = !moved || bad >= 0 || (meta.bias !== null && S.bias === null);
    if (bad >= 0) readout.textContent = `Row ${Math.floor(bad / columns)}, column ${bad % columns}: write a number such as −0.5.`;
    else if (meta.bias !== null && S.bias === null) readout.textContent = "Bias: write a number such as −0.5.";
    else {
      const sum = S.values.reduce((total, v) => total + v, 0);
      readout.textContent = `Weights sum to ${number(sum)}; in the network to ${number(original().reduce((total, v) => total + v, 0))}. ${moved ? "" : "Change a number, or take a preset."}`;
    }
  }
  act.onclick = () => {
    const message = { layer: meta.layer, filter: meta.filter };
    if (kernelMoved()) Object.assign(message, { kernel: S.kernel, values: [...S.values] });
    if (biasMoved()) message.bias = S.bias;
    send("act", message);
  };
  show();
  return null;
}

/** A number as one types it: five significant digits. */
function plainNumber(value) {
  return value === 0 ? "0" : String(Number(value.toPrecision(5))).replace("-", "−");
}

function readNumber(text) {
  const cleaned = text.trim().replace("−", "-").replace(",", ".");
  const value = Number(cleaned);
  return cleaned !== "" && Number.isFinite(value) && Math.abs(value) < 1e30 ? value : null;
}
