// The evidence map over the picture. The raw numbers of the layer are here, so that opacity, threshold, sign, placement
// and hover need no message to the server; only a guess, or another layer from the strip, is sent.

const SWITCHES = [
  ["sign", [["positive", "Evidence for"], ["both", "For and against"]]],
  ["place", [["aligned", "Aligned"], ["naive", "Naive"]]],
  ["grain", [["smooth", "Smooth"], ["cells", "Cells"]]],
];

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gc");
  const theme = applyTheme(root);
  const S = stateOf(parentElement, () => ({
    sign: "positive", place: "aligned", grain: "smooth", opacity: 0.75, threshold: 0, hover: null, pin: null, aim: null,
  }));
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
    S.picture = null;
  }
  S.theme = theme;
  return S.payload.meta.part === "strip" ? strip(root, S, setTriggerValue) : stage(root, S, setTriggerValue);
}

// ---------------------------------------------------------------------------------------------------- the numbers

/** Picture and evidence mixed: a value's share of the limit is its colour, and its opacity as a share of `opacity`. */
function mix(rgb, [H, W], map, limit, signed, opacity, threshold, mode) {
  const image = new ImageData(W, H);
  const table = scaleTable(signed ? "diverging" : "evidence", mode);
  const last = table.length / 3 - 1;
  for (let i = 0; i < H * W; i++) {
    const share = limit > 0 && map ? Math.max(-1, Math.min(1, map[i] / limit)) : 0;
    const strength = Math.abs(share);
    const alpha = strength > threshold ? opacity * strength : 0;
    const k = 3 * Math.round((signed ? (share + 1) / 2 : Math.max(0, share)) * last);
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round((1 - alpha) * rgb[3 * i + c] + alpha * table[k + c]);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

const positive = (values) => values.map((v) => Math.max(0, v));
const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

// ---------------------------------------------------------------------------------------------- picture and overlay

function stage(root, S, send) {
  const find = (selector) => root.querySelector(selector);
  const { meta, rgb, values } = S.payload;
  const [h, w] = values.shape;
  const size = [rgb.shape[0], rgb.shape[1]];
  const [H, W] = size;
  const { place } = meta;
  // The parts stay in their template until this is known to be the map: the strip is the same component.
  if (!find(".gc-stage")) root.append(find(".gc-stage-parts").content.cloneNode(true));
  const [seen, map] = [find(".gc-seen canvas"), find(".gc-map canvas")];
  root.dataset.waiting = meta.waiting ? "yes" : "no";
  find(".gc-side").inert = meta.waiting;
  if (S.subject !== meta.subject) Object.assign(S, { subject: meta.subject, hover: null, pin: null, aim: null });
  if (S.pin && (S.pin[0] >= h || S.pin[1] >= w)) S.pin = null;
  if (S.hover && (S.hover[0] >= h || S.hover[1] >= w)) S.hover = null;
  seen.setAttribute("aria-label", meta.waiting ? meta.question : `The picture as the network saw it, ${H} by ${W} pixels.`);
  map.setAttribute("aria-label", `Evidence map for ${meta.label}. Arrow keys move over ${h} by ${w} cells, Enter pins, Escape frees.`);
  find(".gc-question").textContent = meta.question;
  find(".gc-skip").onclick = () => send("guess", { subject: meta.subject, skip: true });
  caption(find(".gc-seen figcaption"), "What the network saw", `${H} × ${W} pixels`);
  caption(find(".gc-map figcaption"), `${meta.method}: ${meta.label}`, `${meta.layer}, ${h} × ${w} cells`);
  find(".gc-number").textContent = `${meta.title}: ${number(meta.value)}`;

  function numbers() {
    const signed = S.sign === "both";
    const used = signed ? values.data : positive(values.data);
    const empty = signed ? meta.empty.both : meta.empty.positive;
    return { signed, used, limit: empty ? 0 : largest(used), empty, note: signed ? meta.note.both : meta.note.positive };
  }

  function paint() {
    const { signed, used, limit, empty } = numbers();
    const spreadMap = empty ? null : drawnMap(used, [h, w], size, place, S.place === "aligned" ? 0 : 1, S.grain === "smooth");
    S.mixed = mix(rgb.data, size, spreadMap, limit, signed, S.opacity, S.threshold, S.theme.mode);
    S.overlay = canvasOf(S.mixed);
    S.picture ??= canvasOf(mix(rgb.data, size, null, 0, false, 0, 0, S.theme.mode));
    find(".gc-low").textContent = empty ? "" : signed ? number(-limit, 3) : "0";
    find(".gc-high").textContent = empty ? "nothing to show" : number(limit, 3);
    find(".gc-bar").hidden = empty;
    if (!empty) drawScaleBar(find(".gc-bar"), scaleTable(signed ? "diverging" : "evidence", S.theme.mode), 130, 10);
    const [low, high] = extent(values.data);
    find(".gc-unit").textContent = empty ? proper(numbers().note)
      : `${meta.unit}; own scale. Raw values: ${number(low)} to ${number(high)}.`;
    draw();
  }

  function draw() {
    for (const [canvas, image] of [[seen, S.picture], [map, S.overlay]]) {
      const width = canvas.parentElement.clientWidth;
      if (!width || !image) continue;
      const context = fit(canvas, width, (width * H) / W);
      context.drawImage(image, 0, 0, width, (width * H) / W);
      marks(context, width / W, canvas === map);
    }
    read();
  }

  /** Box of one cell in input pixels: [top, left, bottom, right]. */
  function cellBox([row, column]) {
    if (S.place === "naive") return [(row * H) / h, (column * W) / w, ((row + 1) * H) / h, ((column + 1) * W) / w];
    const [y, x] = [place.offset[0] + place.stride[0] * row, place.offset[1] + place.stride[1] * column];
    return [y - place.stride[0] / 2, x - place.stride[1] / 2, y + place.stride[0] / 2, x + place.stride[1] / 2];
  }

  function fieldBox([row, column]) {
    const centre = [place.offset[0] + place.stride[0] * row, place.offset[1] + place.stride[1] * column];
    return [0, 1].map((a) => centre[a] - meta.field[a] / 2).concat([0, 1].map((a) => centre[a] + meta.field[a] / 2));
  }

  function marks(context, zoom, onMap) {
    const at = S.pin || S.hover;
    const frame = (box, colour, dash, thick) => {
      // A box that sticks out is drawn along the picture's edge, so that it can still be seen.
      const [t, l] = [Math.max(0, box[0]) * zoom + 1, Math.max(0, box[1]) * zoom + 1];
      const [b, r] = [Math.min(H, box[2]) * zoom - 1, Math.min(W, box[3]) * zoom - 1];
      for (const [stroke, width, pattern] of [["rgba(0,0,0,.55)", thick + 2, []], [colour, thick, dash]]) {
        context.setLineDash(pattern);
        context.strokeStyle = stroke;
        context.lineWidth = width;
        context.strokeRect(l, t, r - l, b - t);
      }
      context.setLineDash([]);
    };
    if (at && !meta.waiting) {
      if (S.place === "aligned") frame(fieldBox(at), "#74B4F0", [6, 4], 2);
      frame(cellBox(at), "#FFFFFF", [], onMap ? 2.5 : 2);
    }
    const cross = meta.waiting ? S.aim : meta.guess;
    if (cross) target(context, cross[1] * zoom, cross[0] * zoom, meta.waiting && onMap);
  }

  function target(context, x, y, hidden) {
    if (hidden) return;
    for (const [stroke, width] of [["rgba(0,0,0,.7)", 5], ["#FFFFFF", 2.5]]) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, 10, 0, 2 * Math.PI);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 5 * dx, y + 5 * dy);
        context.lineTo(x + 16 * dx, y + 16 * dy);
      }
      context.stroke();
    }
  }

  function read() {
    const line = find(".gc-readout");
    const at = S.pin || S.hover;
    if (meta.waiting) {
      line.textContent = S.aim ? `Row ${Math.round(S.aim[0])}, column ${Math.round(S.aim[1])} of the picture. Enter or click to commit your guess.`
        : "Click in the picture, or move the cross with the arrow keys and press Enter.";
      return;
    }
    if (!at) {
      const { empty, note } = numbers();
      const top = values.data.reduce((best, v, i) => (v > values.data[best] ? i : best), 0);
      line.textContent = empty ? proper(note) : `Strongest cell: row ${Math.floor(top / w)}, column ${top % w}, ${number(values.data[top])} ${meta.unitWord}. ` +
        "Move over the map, or press an arrow key, to read any cell; click pins it.";
      return;
    }
    const value = values.data[at[0] * w + at[1]];
    const rank = 1 + values.data.reduce((n, v) => n + (v > value), 0);
    const box = fieldBox(at);
    const whole = meta.everything || (box[0] <= 0 && box[1] <= 0 && box[2] >= H && box[3] >= W);
    const reach = whole ? "Its receptive field (dashed) covers the whole picture."
      : `Its receptive field (dashed) is ${meta.field[0]} × ${meta.field[1]} pixels.`;
    line.replaceChildren(`Cell row ${at[0]}, column ${at[1]}: `, make("span", "num", number(value)),
      ` ${meta.unitWord}, rank ${rank} of ${h * w}. ${S.place === "aligned" ? reach : "Naive placement: the map is stretched from edge to edge."}${S.pin ? " Pinned." : ""}`);
  }

  const schedule = oncePerFrame(draw);
  const repaint = oncePerFrame(paint);
  const point = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * H, ((event.clientX - box.left) / box.width) * W];
  };
  const cellAt = ([y, x]) => (S.place === "naive"
    ? [Math.floor((y * h) / H), Math.floor((x * w) / W)]
    : [Math.round((y - place.offset[0]) / place.stride[0]), Math.round((x - place.offset[1]) / place.stride[1])]
  ).map((cell, axis) => Math.max(0, Math.min((axis ? w : h) - 1, cell)));
  const commit = (at) => send("guess", { subject: meta.subject, row: Math.max(0, Math.min(H - 1, at[0])), column: Math.max(0, Math.min(W - 1, at[1])) });

  for (const canvas of [seen, map]) {
    canvas.onpointermove = (event) => {
      if (meta.waiting) S.aim = point(event, canvas);
      else S.hover = cellAt(point(event, canvas));
      schedule();
    };
    canvas.onpointerleave = () => {
      S.hover = null;
      if (meta.waiting) S.aim = null;
      schedule();
    };
    canvas.onclick = (event) => {
      if (meta.waiting) return commit(point(event, canvas));
      const cell = cellAt(point(event, canvas));
      S.pin = S.pin && S.pin[0] === cell[0] && S.pin[1] === cell[1] ? null : cell;
      schedule();
    };
    canvas.onkeydown = (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step && !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      if (meta.waiting) {
        if (event.key === "Enter" && S.aim) return commit(S.aim);
        const from = S.aim || [H / 2, W / 2];
        S.aim = event.key === "Escape" ? null : step ? [Math.max(0, Math.min(H - 1, from[0] + (step[0] * H) / 16)), Math.max(0, Math.min(W - 1, from[1] + (step[1] * W) / 16))] : from;
      } else if (event.key === "Escape") S.pin = S.hover = null;
      else if (event.key === "Enter") S.pin = S.pin ? null : S.hover;
      else {
        const from = S.pin || S.hover || [Math.floor(h / 2), Math.floor(w / 2)];
        const next = [Math.max(0, Math.min(h - 1, from[0] + step[0])), Math.max(0, Math.min(w - 1, from[1] + step[1]))];
        if (S.pin) S.pin = next;
        S.hover = next;
      }
      schedule();
    };
  }

  for (const [selector, name] of [[".gc-opacity", "opacity"], [".gc-threshold", "threshold"]]) {
    const input = find(selector);
    const show = () => { input.parentElement.querySelector("output").textContent = `${Math.round(100 * S[name])} %`; };
    input.value = 100 * S[name];
    input.title = name === "threshold" ? "Share of the largest value under which nothing is drawn" : "Opacity of the largest value";
    input.oninput = () => {
      S[name] = Number(input.value) / 100;
      show();
      repaint();
    };
    show();
  }
  switches(find(".gc-switches"), S, repaint);
  const [down, right] = [place.shift[0], place.shift[1]].map((v) => number(Math.abs(v), 3));
  find(".gc-placement").textContent = place.shift[0] === 0 && place.shift[1] === 0
    ? "Here naive stretching puts each cell where its receptive field is centred: both placements agree."
    : `Aligned: each cell lies at its receptive field's centre. Naive stretching draws cell (0, 0) ${down} pixels too far ${place.shift[0] > 0 ? "down" : "up"} and ${right} too far ${place.shift[1] > 0 ? "right" : "left"}.`;
  find(".gc-png").onclick = () => savePicture(S.overlay, H, W, meta.file);
  saves(root, { file: meta.file, ready: !meta.waiting, csv: () => csv(meta, values.data, h, w) });
  paint();
  return onResize(root, draw);
}

/** True minus signs in a sentence. */
const proper = (sentence) => sentence.replace(/-(?=\d)/g, "−");

function caption(element, strong, rest) {
  element.replaceChildren(make("b", "", strong), ` · ${rest}`);
}

function switches(holder, S, changed) {
  if (!holder.children.length) {
    for (const [name, choices] of SWITCHES) {
      const group = holder.appendChild(make("div", "gc-switch"));
      group.setAttribute("role", "radiogroup");
      group.setAttribute("aria-label", { sign: "Sign", place: "Placement", grain: "Drawing" }[name]);
      for (const [value, text] of choices) {
        const button = group.appendChild(make("button", "", text));
        Object.assign(button, { type: "button" }).setAttribute("role", "radio");
        Object.assign(button.dataset, { name, value });
      }
    }
  }
  for (const button of holder.querySelectorAll("button")) {
    const { name, value } = button.dataset;
    const show = () => button.setAttribute("aria-checked", String(S[name] === value));
    show();
    button.onclick = () => {
      S[name] = value;
      for (const other of button.parentElement.children) other.setAttribute("aria-checked", String(other === button));
      changed();
    };
  }
}

/** The overlay as it is seen, each pixel of the network's input as a square of whole pixels. */
function savePicture(overlay, H, W, file) {
  const zoom = Math.max(1, Math.round(896 / Math.max(H, W)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [W * zoom, H * zoom];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(overlay, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => download(`${file}.png`, blob), "image/png");
}

function csv(meta, data, h, w) {
  const rows = [["row", "column", "centre_row_px", "centre_column_px", "value"].join(",")];
  for (let r = 0; r < h; r++) {
    for (let c = 0; c < w; c++) {
      rows.push([r, c, meta.place.offset[0] + meta.place.stride[0] * r, meta.place.offset[1] + meta.place.stride[1] * c, data[r * w + c]].join(","));
    }
  }
  return rows.join("\n") + "\n";
}

// ------------------------------------------------------------------------------------ the same class, layer by layer

function strip(root, S, send) {
  const { meta, rgb } = S.payload;
  const size = [rgb.shape[0], rgb.shape[1]];
  const holder = root.querySelector(".gc-strip") || root.appendChild(make("div", "gc-strip"));
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-label", "The same class at several depths");
  // A dark grey picture beneath: fine maps of early layers are a few bright dots, which colours would swallow.
  const dim = rgb.data.map((_, i) => {
    const k = 3 * Math.floor(i / 3);
    return 0.5 * (0.299 * rgb.data[k] + 0.587 * rgb.data[k + 1] + 0.114 * rgb.data[k + 2]);
  });
  holder.replaceChildren(...meta.layers.map((layer, i) => {
    const values = S.payload[`map${i}`];
    const used = positive(values.data);
    const map = layer.empty ? null : drawnMap(used, values.shape, size, layer.place, 0, true);
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(layer.current));
    const canvas = button.appendChild(canvasOf(mix(dim, size, map, layer.empty ? 0 : largest(used), false, 1, 0, S.theme.mode)));
    canvas.setAttribute("aria-hidden", "true");
    const text = button.appendChild(make("span"));
    text.append(make("b", "", `${values.shape[0]} × ${values.shape[1]}`), make("br"), make("span", "small quiet", layer.title), make("br"),
      make("span", "small quiet", layer.empty ? "says nothing" : `0 to ${number(largest(used), 3)}`));
    button.title = layer.note;
    button.onclick = () => send("open", layer.name);
    return button;
  }));
  saves(root, {
    file: "the same class at several depths",
    csv: () => [["layer", "row", "column", "value"], ...meta.layers.flatMap((layer, i) => csvOfArray(S.payload[`map${i}`], ["row", "column"]).slice(1).map((row) => [layer.name, ...row]))],
  });
}
