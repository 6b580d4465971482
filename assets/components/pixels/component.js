// Pixels to tensors: four steps, the picture that the network sees, a magnifier, and the arithmetic of one pixel.
const LOUPE = 9;
const CHANNELS = ["R", "G", "B"];
// The planes run from black to a lightened red, green and blue: pure blue is too dark to read on a projector.
const TINT = [[1, 0.42, 0.38], [0.4, 0.92, 0.5], [0.45, 0.65, 1]];

/** The tensor's number made again from the byte, rounding to float32 wherever torch does. */
function normalised(byte, mean, std) {
  const f = Math.fround;
  return f(f(f(byte / 255) - f(mean)) / f(std));
}

function rgbCanvas({ data, shape }) {
  const [height, width, depth] = shape;
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = data[depth * i + (depth === 3 ? c : 0)];
    image.data[4 * i + 3] = 255;
  }
  return canvasOf(image);
}

/** The tensor drawn as colours: its lowest number is black, its highest is white, the same for all channels. */
function tensorCanvas({ data, shape }, low, high) {
  const [depth, height, width] = shape;
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = (255 * (data[(depth === 3 ? c : 0) * height * width + i] - low)) / (high - low || 1);
    }
    image.data[4 * i + 3] = 255;
  }
  return canvasOf(image);
}

function planeCanvas(S, c, theme) {
  const [depth, height, width] = S.T.tensor.shape;
  if (S.planeMode === "numbers") {
    return canvasOf(colourise(S.T.tensor.data, c * height * width, height, width, scaleTable("diverging", theme.mode), -S.limit, S.limit));
  }
  const image = new ImageData(width, height);
  const tint = depth === 3 ? TINT[c] : [1, 1, 1];
  for (let i = 0; i < height * width; i++) {
    const byte = S.T.seen.data[3 * i + c];
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = byte * tint[k];
    image.data[4 * i + 3] = 255;
  }
  return canvasOf(image);
}

function prepare(S, data) {
  S.source = data;
  S.T = unpack(data);
  const { tensor, seen, meta } = S.T;
  const [depth, height, width] = tensor.shape;
  [S.low, S.high] = extent(tensor.data);
  S.limit = Math.max(Math.abs(S.low), Math.abs(S.high));
  let worst = 0;
  for (let c = 0; c < depth; c++) {
    for (let i = 0; i < height * width; i++) {
      const error = Math.abs(normalised(seen.data[3 * i + c], meta.mean[c], meta.std[c]) - tensor.data[c * height * width + i]);
      if (!(error <= worst)) worst = error;
    }
  }
  S.worst = worst;
  S.pictures = {
    original: rgbCanvas(S.T.original), resized: rgbCanvas(S.T.resized), seen: rgbCanvas(seen), numbers: tensorCanvas(tensor, S.low, S.high),
  };
  // Where the link pointed. Afterwards the pin is the browser's own: the server's echo of it would come too late.
  const pin = S.digest === meta.digest ? null : meta.pin;
  const inside = pin && pin[0] >= 0 && pin[0] < height && pin[1] >= 0 && pin[1] < width;
  if (inside) { [S.row, S.column] = pin; S.pinned = true; }
  else if (!(S.row < height && S.column < width) || S.digest !== meta.digest) {
    [S.row, S.column] = sharpestEdge(seen, height, width);
    S.pinned = false;
  }
  S.digest = meta.digest;
}

/** Where light changes most in the picture's middle: a good place to begin. */
function sharpestEdge({ data }, height, width) {
  const light = (i) => data[3 * i] + data[3 * i + 1] + data[3 * i + 2];
  let [best, at] = [-1, [height >> 1, width >> 1]];
  for (let r = height >> 2; r < height - (height >> 2); r++) {
    for (let k = width >> 2; k < width - (width >> 2); k++) {
      const change = Math.abs(light(r * width + Math.min(width - 1, k + 2)) - light(r * width + Math.max(0, k - 2)));
      if (change > best) [best, at] = [change, [r, k]];
    }
  }
  return at;
}

/** A ring that can be seen on any picture: the page's dark under the page's light. */
function ring(context, x, y, w, h, colour) {
  context.lineWidth = 3.5;
  context.strokeStyle = "#0E1117";
  context.strokeRect(x, y, w, h);
  context.lineWidth = 1.75;
  context.strokeStyle = colour;
  context.strokeRect(x, y, w, h);
}

function cross(context, x, y) {
  context.beginPath();
  context.arc(x, y, 4.5, 0, 7);
  context.lineWidth = 3.5;
  context.strokeStyle = "#0E1117";
  context.stroke();
  context.lineWidth = 1.75;
  context.strokeStyle = "#FFFFFF";
  context.stroke();
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".px");
  const q = (selector) => root.querySelector(selector);
  const S = stateOf(parentElement, () => ({ row: NaN, column: NaN, pinned: false, loupeMode: "colour", planeMode: "light" }));
  const theme = applyTheme(root);
  if (S.source !== data) prepare(S, data);
  const { tensor, seen, meta } = S.T;
  const [depth, height, width] = tensor.shape;
  const names = depth === 3 ? CHANNELS : ["grey"];
  if (depth === 1 && ["R", "G", "B"].includes(S.loupeMode)) S.loupeMode = "colour";
  S.planes = names.map((_, c) => planeCanvas(S, c, theme));

  // --- the four steps -------------------------------------------------------------------------------------------
  const many = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const size = (h, w) => `${many(h, "row")} × ${many(w, "column")}`;
  const mean = meta.mean.map((v) => number(v, 3)).join(", ");
  const std = meta.std.map((v) => number(v, 3)).join(", ");
  const steps = [
    ["Original", S.pictures.original, size(...meta.original), meta.original_note],
    ["Resized", S.pictures.resized, size(...meta.resized), meta.resized_note],
    ["Cropped", S.pictures.seen, size(height, width), "the middle is kept, the rest is never seen"],
    ["Normalised", S.pictures.numbers, `${depth} × ${height} × ${width} numbers`, `÷ 255, − mean (${mean}), ÷ std (${std}); ${number(S.low, 3)} is black, ${number(S.high, 3)} white`],
  ];
  const stepBox = q(".steps");
  stepBox.replaceChildren();
  const stepCanvases = steps.map(([title, , sizes, did], i) => {
    const step = make("div", "step");
    step.setAttribute("role", "listitem");
    const frame = make("div", "frame");
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${title}: ${sizes}`);
    frame.append(canvas);
    step.append(frame, make("strong", i === 3 ? "out" : "in", `${i + 1} · ${title}`), make("span", "num size", sizes), make("span", "did", did));
    stepBox.append(step);
    return canvas;
  });

  q(".notes").replaceChildren(...meta.notes.map((note) => make("li", "", note)));

  // --- planes ---------------------------------------------------------------------------------------------------
  const planeBox = q(".planes");
  planeBox.replaceChildren();
  const planeCanvases = names.map((name, c) => {
    const figure = make("div", "plane");
    const canvas = make("canvas");
    canvas.dataset.channel = c;
    const tag = make("div", "tag");
    tag.append(make("strong", "", depth === 3 ? ["Red", "Green", "Blue"][c] : "Grey"), make("span", "quiet num index", ` tensor[0, ${c}, :, :]`));
    const value = make("div", "num small");
    figure.append(canvas, tag, value);
    planeBox.append(figure);
    return { canvas, value, name };
  });
  q(".plane-title").textContent = depth === 3 ? "The same picture as three planes of numbers" : "The plane of numbers";

  const [bytesPerRow, plane] = [3 * width, height * width];
  const byteAt = (c, r, k) => seen.data[r * bytesPerRow + 3 * k + c];

  function drawSteps() {
    const cropTop = meta.crop[0], cropLeft = meta.crop[1];
    const [resizedHeight, resizedWidth] = meta.resized;
    steps.forEach(([, picture], i) => {
      const canvas = stepCanvases[i];
      const frame = canvas.parentElement;
      const scale = Math.min(frame.clientHeight / picture.height, frame.clientWidth / picture.width);
      const w = Math.max(2, Math.round(picture.width * scale)), h = Math.max(2, Math.round(picture.height * scale));
      const context = fit(canvas, w, h);
      context.imageSmoothingEnabled = scale < 1;
      context.imageSmoothingQuality = "high";
      context.drawImage(picture, 0, 0, w, h);
      let [y, x] = [(S.row + 0.5) / height, (S.column + 0.5) / width];
      if (i < 2) {
        const box = i === 0 ? meta.box : [cropTop / resizedHeight, cropLeft / resizedWidth, height / resizedHeight, width / resizedWidth];
        y = box[0] + y * box[2];
        x = box[1] + x * box[3];
        // On the original too where the network sees less than half of a side.
        if (i === 1 || Math.min(box[2], box[3]) < 0.5) {
          context.fillStyle = theme.mode === "dark" ? "rgba(14,17,23,.62)" : "rgba(255,255,255,.62)";
          context.beginPath();
          context.rect(0, 0, w, h);
          context.rect(box[1] * w, box[0] * h, box[3] * w, box[2] * h);
          context.fill("evenodd");
          ring(context, Math.max(1, box[1] * w), Math.max(1, box[0] * h), Math.min(w - 2, box[3] * w), Math.min(h - 2, box[2] * h), PALETTE.colours.dark.input);
        }
      }
      cross(context, x * w, y * h);
    });
  }

  function drawView() {
    const canvas = q(".view");
    const room = q(".see").clientWidth;
    const share = Math.min(room / width, 448 / height);
    const zoom = share >= 2 ? Math.floor(share) : share;
    const context = fit(canvas, Math.round(width * zoom), Math.round(height * zoom));
    context.drawImage(S.pictures.seen, 0, 0, Math.round(width * zoom), Math.round(height * zoom));
    const reach = (LOUPE - 1) / 2;
    const pixel = Math.max(zoom, 3);
    ring(context, (S.column - reach) * zoom, (S.row - reach) * zoom, LOUPE * zoom, LOUPE * zoom, "#FFFFFF");
    context.fillStyle = "#FFFFFF";
    context.strokeStyle = "#0E1117";
    context.lineWidth = 1;
    context.strokeRect((S.column + 0.5) * zoom - pixel / 2, (S.row + 0.5) * zoom - pixel / 2, pixel, pixel);
    if (S.pinned) cross(context, (S.column + 0.5) * zoom, (S.row + 0.5) * zoom);
  }

  function drawLoupe() {
    const canvas = q(".loupe");
    const side = Math.min(288, Math.max(171, Math.floor((q(".read").clientWidth - 90) / LOUPE) * LOUPE));
    const cell = side / LOUPE;
    const context = fit(canvas, side, side);
    context.fillStyle = theme.panel;
    context.fillRect(0, 0, side, side);
    const channel = depth === 1 ? 0 : CHANNELS.indexOf(S.loupeMode);
    const numbers = S.loupeMode !== "colour";
    const half = (LOUPE - 1) / 2;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `${Math.max(9, Math.round(cell * 0.37))}px ${getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace"}`;
    for (let i = 0; i < LOUPE; i++) {
      for (let j = 0; j < LOUPE; j++) {
        const [r, k] = [S.row + i - half, S.column + j - half];
        if (r < 0 || k < 0 || r >= height || k >= width) continue;
        const rgb = [0, 1, 2].map((c) => byteAt(depth === 3 ? c : 0, r, k));
        const shown = numbers && depth === 3 ? TINT[channel].map((on) => Math.round(on * rgb[channel])) : rgb;
        context.fillStyle = `rgb(${shown.join()})`;
        context.fillRect(j * cell, i * cell, cell + 0.5, cell + 0.5);
        if (numbers) {
          const bright = 0.299 * shown[0] + 0.587 * shown[1] + 0.114 * shown[2];
          context.fillStyle = bright > 120 ? "#0E1117" : "#FFFFFF";
          context.fillText(String(rgb[channel]), (j + 0.5) * cell, (i + 0.55) * cell);
        }
      }
    }
    ring(context, half * cell, half * cell, cell, cell, "#FFFFFF");
  }

  function drawPlanes() {
    planeCanvases.forEach(({ canvas, value }, c) => {
      const room = canvas.parentElement.clientWidth;
      const share = Math.min(room / width, 272 / height);
      const [w, h] = [Math.round(width * share), Math.round(height * share)];
      const context = fit(canvas, w, h);
      context.imageSmoothingEnabled = share < 1;
      context.drawImage(S.planes[c], 0, 0, w, h);
      cross(context, (S.column + 0.5) * share, (S.row + 0.5) * share);
      const at = tensor.data[c * plane + S.row * width + S.column];
      value.textContent = S.planeMode === "light" ? `${byteAt(c, S.row, S.column)} of 255` : number(at);
    });
    const light = S.planeMode === "light";
    q(".planebar .low").textContent = light ? "0" : number(-S.limit, 3);
    q(".planebar .high").textContent = light ? "255" : number(S.limit, 3);
    q(".planebar .unit").textContent = `${light ? "light" : "normalised value"}, shared scale`;
    const grey = new Uint8Array(256 * 3).map((_, i) => Math.floor(i / 3));
    drawScaleBar(q(".strip"), light ? grey : scaleTable("diverging", theme.mode), 96);
  }

  function drawValues() {
    const box = q(".values");
    const rows = [["", "0–255", "÷ 255", "− mean, ÷ standard deviation"].map((text) => make("span", "head", text))];
    const said = [];
    let good = true;
    names.forEach((name, c) => {
      const byte = byteAt(c, S.row, S.column);
      const share = Math.fround(byte / 255);
      const own = normalised(byte, meta.mean[c], meta.std[c]);
      const torch = tensor.data[c * plane + S.row * width + S.column];
      // float32 keeps 24 bits: two roundings apart is at most a few 1e-7 of the value.
      const same = Math.abs(own - torch) <= 1e-6 * Math.max(1, Math.abs(torch));
      good = good && same;
      const label = make("strong");
      const swatch = make("span", "swatch");
      swatch.style.background = `rgb(${(depth === 3 ? TINT[c] : [1, 1, 1]).map((on) => Math.round(on * byte)).join()})`;
      label.append(swatch, name);
      const formula = make("span", "num formula");
      formula.append(`(${share.toFixed(4)} − ${number(meta.mean[c], 3)}) ÷ ${number(meta.std[c], 3)} = `, make("b", "out", number(own)), " ");
      const index = make("span", "index", `= tensor[0, ${c}, ${S.row}, ${S.column}] `);
      index.append(make("span", same ? "right" : "wrong", same ? "✓" : `✗ holds ${number(torch)}`));
      formula.append(index);
      rows.push([label, make("span", "num in", String(byte)), make("span", "num", share.toFixed(4)), formula]);
      said.push(`${name} ${byte} becomes ${number(torch)}`);
    });
    box.replaceChildren(...rows.flat());
    q(".where").textContent = `Row ${S.row}, column ${S.column}`;
    q(".pinned").textContent = S.pinned ? "pinned; Escape or a second click frees it" : "move over the picture, or use the arrow keys";
    q(".readout").textContent = `Row ${S.row}, column ${S.column}: ${said.join(", ")} ${good ? "✓" : "✗ not what the tensor holds"}`;
    root.dataset.row = S.row;
    root.dataset.column = S.column;
  }

  const drawAll = () => { drawSteps(); drawView(); drawLoupe(); drawPlanes(); drawValues(); };
  const refresh = oncePerFrame(drawAll);
  const clamp = (value, limit) => Math.max(0, Math.min(limit - 1, value));
  function moveTo(row, column) {
    const [r, k] = [clamp(row, height), clamp(column, width)];
    if (r === S.row && k === S.column) return;
    [S.row, S.column] = [r, k];
    refresh();
  }
  function pin(on) {
    S.pinned = on;
    refresh();
    setTriggerValue("pin", on ? { row: S.row, column: S.column } : { free: true });
  }
  const cellOf = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    return [Math.floor(((event.clientY - box.top) / box.height) * height), Math.floor(((event.clientX - box.left) / box.width) * width)];
  };
  for (const canvas of [q(".view"), ...planeCanvases.map((entry) => entry.canvas)]) {
    canvas.onpointermove = (event) => { if (!S.pinned) moveTo(...cellOf(event, canvas)); };
    canvas.onclick = (event) => {
      const [row, column] = cellOf(event, canvas).map((at, axis) => clamp(at, [height, width][axis]));
      const again = S.pinned && row === S.row && column === S.column;
      moveTo(row, column);
      pin(!again);
    };
  }
  q(".view").onkeydown = (event) => {
    const by = event.shiftKey ? 10 : 1;
    const move = { ArrowUp: [-by, 0], ArrowDown: [by, 0], ArrowLeft: [0, -by], ArrowRight: [0, by] }[event.key];
    if (move) moveTo(S.row + move[0], S.column + move[1]);
    else if (event.key === "Enter") pin(!S.pinned);
    else if (event.key === "Escape" && S.pinned) pin(false);
    else return;
    event.preventDefault();
  };

  // --- buttons --------------------------------------------------------------------------------------------------
  function choices(box, entries, current, choose) {
    box.replaceChildren(...entries.map(([key, text]) => {
      const button = make("button", "", text);
      button.type = "button";
      button.setAttribute("role", "radio");
      button.setAttribute("aria-checked", String(key === current));
      button.onclick = () => {
        for (const other of box.children) other.setAttribute("aria-checked", String(other === button));
        choose(key);
      };
      return button;
    }));
  }
  const loupeModes = depth === 3 ? [["colour", "colour"], ["R", "R numbers"], ["G", "G numbers"], ["B", "B numbers"]] : [["colour", "light"], ["grey", "numbers"]];
  choices(q(".modes"), loupeModes, S.loupeMode, (key) => { S.loupeMode = key; drawLoupe(); });
  choices(q(".planemodes"), [["light", "as light"], ["numbers", "as normalised numbers"]], S.planeMode, (key) => {
    S.planeMode = key;
    S.planes = names.map((_, c) => planeCanvas(S, c, theme));
    drawPlanes();
  });
  const brightness = (i) => seen.data[3 * i] + seen.data[3 * i + 1] + seen.data[3 * i + 2];
  const best = (better) => {
    let at = 0;
    for (let i = 1; i < plane; i++) if (better(brightness(i), brightness(at))) at = i;
    return [Math.floor(at / width), at % width];
  };
  q(".jumps").replaceChildren(...[
    ["Brightest pixel", () => best((a, b) => a > b)], ["Darkest pixel", () => best((a, b) => a < b)],
    ["Middle", () => [Math.floor(height / 2), Math.floor(width / 2)]],
  ].map(([text, where]) => {
    const button = make("button", "", text);
    button.type = "button";
    button.onclick = () => { S.pinned = false; moveTo(...where()); refresh(); };
    return button;
  }));

  q(".seen-size").textContent = `${height} × ${width} pixels; a pixel is read by pointing at it`;
  const whole = q(".whole");
  const fine = S.worst <= 1e-6 * Math.max(1, S.limit);
  whole.replaceChildren(
    `Compared in your browser: ${(depth * plane).toLocaleString("en")} numbers of the tensor with (byte ÷ 255 − mean) ÷ std; largest difference ${number(S.worst, 2)} `,
    make("span", fine ? "right" : "wrong", fine ? "✓" : "✗"),
  );

  saves(root, { file: "picture to tensor", csv: () => csvOfArray(tensor, ["channel", "row", "column"], "normalised_value") });
  const stop = onResize(root, drawAll);
  drawAll();
  return stop;
}
