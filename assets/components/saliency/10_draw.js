// Maps over a picture: where the cells lie, how they are coloured, what is marked.

/** Picture and map mixed: a value's share of the limit is its colour, and its opacity as a share of `opacity`. */
function mixed(rgb, [H, W], map, limit, signed, opacity, mode) {
  const image = new ImageData(W, H);
  const table = scaleTable(signed ? "diverging" : "evidence", mode);
  const last = table.length / 3 - 1;
  for (let i = 0; i < H * W; i++) {
    const share = limit > 0 && map ? Math.max(-1, Math.min(1, map[i] / limit)) : 0;
    const alpha = opacity * (signed ? Math.abs(share) : Math.max(0, share));
    const k = 3 * Math.round((signed ? (share + 1) / 2 : Math.max(0, share)) * last);
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round((1 - alpha) * rgb[3 * i + c] + alpha * table[k + c]);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

const positivePart = (values) => values.map((v) => Math.max(0, v));
const largestSize = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** The picture in dark grey, for maps whose colours it would swallow. */
function dimmed(rgb) {
  const out = new Uint8Array(rgb.length);
  for (let k = 0; k < rgb.length; k += 3) {
    out.fill(Math.round(0.55 * (0.299 * rgb[k] + 0.587 * rgb[k + 1] + 0.114 * rgb[k + 2])), k, k + 3);
  }
  return out;
}

/** The number that this share of the values does not exceed. */
function quantile(values, share) {
  const sorted = Float32Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Lines in white on a dark edge, so that they can be seen on any picture. */
function outlined(context, path, width = 2) {
  for (const [stroke, thick] of [["rgba(0,0,0,.65)", width + 2.5], ["#FFFFFF", width]]) {
    context.strokeStyle = stroke;
    context.lineWidth = thick;
    context.beginPath();
    path(context);
    context.stroke();
  }
}

function crossAt(context, x, y) {
  outlined(context, (c) => {
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      c.moveTo(x + 4 * dx, y + 4 * dy);
      c.lineTo(x + 13 * dx, y + 13 * dy);
    }
  }, 1.75);
}

function targetAt(context, x, y) {
  outlined(context, (c) => {
    c.moveTo(x + 9, y);
    c.arc(x, y, 9, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      c.moveTo(x + 5 * dx, y + 5 * dy);
      c.lineTo(x + 15 * dx, y + 15 * dy);
    }
  }, 2.25);
}

/** Save a drawing with each pixel of the network's input as a square of whole pixels. */
function savePixels(source, H, W, file) {
  const zoom = Math.max(1, Math.round(896 / Math.max(H, W)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [W * zoom, H * zoom];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => download(`${file}.png`, blob), "image/png");
}

/** True minus signs in a sentence. */
const proper = (sentence) => sentence.replace(/-(?=\d)/g, "−");

/** A group of choices of which one holds; arrow keys are the browser's own Tab and Enter on its buttons. */
function choice(label, options, current, onChoose) {
  const group = make("div", "sal-switch");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", label);
  group.append(make("span", "sal-label quiet", label));
  for (const [value, text, help] of options) {
    const button = group.appendChild(make("button", "", text));
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(value === current));
    if (help) button.title = help;
    button.onclick = () => {
      for (const other of group.querySelectorAll("button")) other.setAttribute("aria-checked", String(other === button));
      onChoose(value);
    };
  }
  return group;
}
