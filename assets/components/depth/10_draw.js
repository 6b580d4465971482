// The picture with a cell's box, padding that the box sticks out into, and how strongly each pixel really acts.
const BOX = "#74B4F0";
const PALE = "#FFFFFF";

/** How wide a margin the boxes of a layer need round the picture, in input pixels: [top, left, bottom, right]. */
function marginsOf(meta, H, W) {
  if (meta.vector) return [0, 0, 0, 0];
  const first = boxAt(meta, 0, 0);
  const last = boxAt(meta, meta.rows - 1, meta.columns - 1);
  const most = 0.12 * Math.min(H, W);
  return [-first[0], -first[1], last[2] - H, last[3] - W].map((out) => Math.max(0, Math.min(most, out)));
}

/** Box of a cell [top, left, bottom, right] in input pixels, as it stands: it may stick out. */
function boxAt(meta, row, column) {
  if (meta.vector) return [0, 0, meta.size[0], meta.size[1]];
  const { box, stride } = meta.field;
  return [box[0] + row * stride[0], box[1] + column * stride[1], box[2] + row * stride[0], box[3] + column * stride[1]];
}

/** Picture and effective field mixed: the colour says how strong, and the opacity rises with it. */
function mixField(rgb, field, limit, opacity, mode) {
  const [H, W] = rgb.shape;
  const image = new ImageData(W, H);
  const table = scaleTable("evidence", mode);
  const last = table.length / 3 - 1;
  for (let i = 0; i < H * W; i++) {
    const share = field && limit > 0 ? Math.min(1, field.data[i] / limit) : 0;
    const alpha = opacity * Math.min(1, 1.6 * share);
    const k = 3 * Math.round(share * last);
    // Under a field the picture steps back into grey, so that colours speak of the field alone.
    const grey = 0.45 * (0.299 * rgb.data[3 * i] + 0.587 * rgb.data[3 * i + 1] + 0.114 * rgb.data[3 * i + 2]);
    const dim = field ? 0.75 * opacity : 0;
    for (let c = 0; c < 3; c++) {
      const base = (1 - dim) * rgb.data[3 * i + c] + dim * grey;
      image.data[4 * i + c] = Math.round((1 - alpha) * base + alpha * table[k + c]);
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** Where the field is centred, and the value at which the colours end: 99.5 % of the pixels lie below it. */
function summaryOf(field) {
  const { data, shape: [H, W] } = field;
  let [sum, down, right] = [0, 0, 0];
  for (let i = 0; i < H * W; i++) {
    sum += data[i];
    down += data[i] * (Math.floor(i / W) + 0.5);
    right += data[i] * ((i % W) + 0.5);
  }
  if (!sum) return { limit: 0, centre: null };
  const sorted = Float32Array.from(data).sort();
  const limit = sorted[Math.floor(0.995 * (sorted.length - 1))] || sorted.at(-1);
  return { limit, centre: [down / sum, right / sum] };
}

function strokeBox(g, [t, l, b, r], colour, dash, thick) {
  for (const [stroke, width, pattern] of [["rgba(0,0,0,.6)", thick + 2, []], [colour, thick, dash]]) {
    g.setLineDash(pattern);
    g.strokeStyle = stroke;
    g.lineWidth = width;
    g.strokeRect(l, t, r - l, b - t);
  }
  g.setLineDash([]);
}

/** Slanted lines: what the box reads outside of the picture is padding, all zeros. */
function hatch(g, x, y, width, height, colour) {
  if (width <= 0 || height <= 0) return;
  g.save();
  g.beginPath();
  g.rect(x, y, width, height);
  g.clip();
  g.strokeStyle = colour;
  g.lineWidth = 1;
  g.beginPath();
  for (let k = -height; k < width; k += 7) {
    g.moveTo(x + k, y + height);
    g.lineTo(x + k + height, y);
  }
  g.stroke();
  g.restore();
}

function drawSeen(canvas, S, at) {
  const { meta, rgb } = S.payload;
  const [H, W] = rgb.shape;
  const width = canvas.parentElement.clientWidth;
  if (!width) return;
  const [mt, ml, mb, mr] = S.margins;
  const zoom = width / (W + ml + mr);
  const height = (H + mt + mb) * zoom;
  const g = fit(canvas, width, height);
  g.fillStyle = S.theme.panel;
  g.fillRect(0, 0, width, height);
  const [x0, y0] = [ml * zoom, mt * zoom];
  g.drawImage(S.mixed, x0, y0, W * zoom, H * zoom);
  const place = ([t, l, b, r]) => [y0 + t * zoom, x0 + l * zoom, y0 + b * zoom, x0 + r * zoom];
  const boxed = at || meta.cell;
  const raw = boxAt(meta, ...(boxed || [0, 0]));
  const [t, l, b, r] = place(raw);
  const edge = [Math.max(1.5, t), Math.max(1.5, l), Math.min(height - 1.5, b), Math.min(width - 1.5, r)];
  if (!meta.everything) {
    g.fillStyle = S.show === "none" ? "rgba(6,10,18,.55)" : "rgba(6,10,18,.3)";
    g.beginPath();
    g.rect(x0, y0, W * zoom, H * zoom);
    g.rect(edge[1], edge[0], edge[3] - edge[1], edge[2] - edge[0]);
    g.fill("evenodd");
  }
  // The padding inside the box: the four bands outside of the picture.
  const ink = S.theme.input;
  hatch(g, edge[1], edge[0], edge[3] - edge[1], y0 - edge[0], ink);
  hatch(g, edge[1], y0 + H * zoom, edge[3] - edge[1], edge[2] - y0 - H * zoom, ink);
  hatch(g, edge[1], Math.max(y0, edge[0]), x0 - edge[1], Math.min(edge[2], y0 + H * zoom) - Math.max(y0, edge[0]), ink);
  hatch(g, x0 + W * zoom, Math.max(y0, edge[0]), edge[3] - x0 - W * zoom, Math.min(edge[2], y0 + H * zoom) - Math.max(y0, edge[0]), ink);
  if (at && meta.cell && (at[0] !== meta.cell[0] || at[1] !== meta.cell[1])) {
    const pinned = place(boxAt(meta, ...meta.cell)).map((e, i) => (i < 2 ? Math.max(1.5, e) : Math.min((i === 2 ? height : width) - 1.5, e)));
    strokeBox(g, pinned, PALE, [3, 4], 1.5);
  }
  strokeBox(g, edge, BOX, meta.everything ? [7, 5] : [], 2.5);
  const [cy, cx] = [(t + b) / 2, (l + r) / 2];
  if (!meta.vector) {
    g.fillStyle = PALE;
    g.strokeStyle = "rgba(0,0,0,.7)";
    g.lineWidth = 1.5;
    g.beginPath();
    g.arc(cx, cy, 3.5, 0, 2 * Math.PI);
    g.fill();
    g.stroke();
  }
  const facts = meta.fields[S.show];
  const pinnedHere = !at || !meta.cell || (at[0] === meta.cell[0] && at[1] === meta.cell[1]);
  if (facts && S.summary[S.show].centre && pinnedHere) {
    const [down, right] = S.summary[S.show].centre;
    g.setLineDash([5, 4]);
    for (const [stroke, thick] of [["rgba(0,0,0,.7)", 4], [PALE, 2]]) {
      g.strokeStyle = stroke;
      g.lineWidth = thick;
      g.beginPath();
      g.arc(x0 + right * zoom, y0 + down * zoom, facts.radius * zoom, 0, 2 * Math.PI);
      g.stroke();
    }
    g.setLineDash([]);
  }
}

function drawMap(canvas, S, at) {
  const { meta } = S.payload;
  const width = canvas.parentElement.clientWidth;
  if (!width || meta.vector) return;
  const side = Math.min(width, width < 400 && canvas.closest(".dp").clientWidth < 540 ? 240 : 320);
  const [h, w] = [meta.rows, meta.columns];
  const k = side / Math.max(h, w);
  const g = fit(canvas, w * k, h * k);
  g.drawImage(S.mapPicture, 0, 0, w * k, h * k);
  const frame = ([row, column], colour, dash) => {
    const size = Math.max(7, k);
    const [y, x] = [row * k + k / 2 - size / 2, column * k + k / 2 - size / 2];
    strokeBox(g, [y, x, y + size, x + size], colour, dash, 2);
  };
  if (meta.cell) frame(meta.cell, at && (at[0] !== meta.cell[0] || at[1] !== meta.cell[1]) ? PALE : BOX, at ? [3, 3] : []);
  if (at) frame(at, BOX, []);
}
