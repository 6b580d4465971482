// The picture with what each step's unit sees: the window of the step that is read is lit, deeper ones are nested in it.
const WINDOW = "#74B4F0";
const MARK = "#FFFFFF";

/** The part of a box that lies in the picture, [top, left, bottom, right] in input pixels. */
const clipped = ([top, left, bottom, right], H, W) => [Math.max(0, top), Math.max(0, left), Math.min(H, bottom), Math.min(W, right)];

function pictureCanvas(rgb) {
  const [H, W] = rgb.shape;
  const image = new ImageData(W, H);
  for (let i = 0; i < H * W; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = rgb.data[3 * i + c];
    image.data[4 * i + 3] = 255;
  }
  return canvasOf(image);
}

/** Draw the picture at a width; `lit` is the window (it may be between two steps while it moves). */
function drawPicture(canvas, S, lit) {
  const { meta, rgb } = S.payload;
  const [H, W] = rgb.shape;
  const width = canvas.parentElement.clientWidth;
  if (!width) return;
  const zoom = width / W;
  const g = fit(canvas, width, H * zoom);
  g.drawImage(S.picture, 0, 0, width, H * zoom);
  if (meta.waiting) {
    if (S.aim) cross(g, S.aim[1] * zoom, S.aim[0] * zoom, MARK);
    return;
  }
  const box = lit.map((edge) => edge * zoom);
  const [t, l, b, r] = box;
  g.fillStyle = "rgba(6,10,18,.58)";
  g.beginPath();
  g.rect(0, 0, width, H * zoom);
  g.rect(l, t, r - l, b - t);
  g.fill("evenodd");
  // Windows of the steps that are still to come, fainter the deeper.
  const ahead = S.visible.filter((i) => i > S.at);
  ahead.forEach((i, n) => {
    const [t1, l1, b1, r1] = clipped(meta.steps[i].box, H, W).map((edge) => edge * zoom);
    g.strokeStyle = `rgba(255,255,255,${0.4 * (1 - (0.7 * n) / Math.max(1, ahead.length))})`;
    g.lineWidth = 1;
    g.strokeRect(l1 + 0.5, t1 + 0.5, Math.max(1, r1 - l1 - 1), Math.max(1, b1 - t1 - 1));
  });
  for (const [stroke, thick] of [["rgba(0,0,0,.65)", 4.5], [WINDOW, 2.5]]) {
    g.strokeStyle = stroke;
    g.lineWidth = thick;
    g.strokeRect(Math.max(1.5, l), Math.max(1.5, t), Math.max(2, Math.min(width - 1.5, r) - Math.max(1.5, l)), Math.max(2, Math.min(H * zoom - 1.5, b) - Math.max(1.5, t)));
  }
  if (meta.guess) cross(g, meta.guess[1] * zoom, meta.guess[0] * zoom, "#FF9E5E");
  if (meta.pixel) ring(g, (meta.pixel[1] + 0.5) * zoom, (meta.pixel[0] + 0.5) * zoom);
  lens(g, S, lit, width, zoom);
}

function cross(g, x, y, colour) {
  for (const [stroke, thick] of [["rgba(0,0,0,.7)", 5], [colour, 2.5]]) {
    g.strokeStyle = stroke;
    g.lineWidth = thick;
    g.beginPath();
    g.arc(x, y, 9, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      g.moveTo(x + 5 * dx, y + 5 * dy);
      g.lineTo(x + 15 * dx, y + 15 * dy);
    }
    g.stroke();
  }
}

function ring(g, x, y) {
  for (const [stroke, thick] of [["rgba(0,0,0,.7)", 5], [MARK, 2.5]]) {
    g.strokeStyle = stroke;
    g.lineWidth = thick;
    g.beginPath();
    g.arc(x, y, 6, 0, 2 * Math.PI);
    g.stroke();
  }
}

/** A small window is shown enlarged in the corner that lies farthest from it, each pixel a square. */
function lens(g, S, lit, width, zoom) {
  const [H, W] = S.payload.rgb.shape;
  const [t, l, b, r] = [Math.floor(lit[0]), Math.floor(lit[1]), Math.ceil(lit[2]), Math.ceil(lit[3])];
  const side = Math.max(b - t, r - l);
  if (side > Math.min(H, W) / 5 || side < 1) return;
  const size = width * 0.34;
  const around = Math.max(side, 3);
  const [row, column] = [(t + b) / 2, (l + r) / 2];
  const [top, left] = [row - around / 2, column - around / 2];
  const x = column > W / 2 ? 8 : width - size - 8;
  const y = row > H / 2 ? 8 : H * zoom - size - 8;
  g.save();
  g.fillStyle = "#0E1117";
  g.fillRect(x, y, size, size);
  g.beginPath();
  g.rect(x, y, size, size);
  g.clip();
  const k = size / around;
  g.drawImage(S.picture, x - left * k, y - top * k, W * k, H * k);
  if (S.payload.meta.pixel) {
    const [pr, pc] = S.payload.meta.pixel;
    g.strokeStyle = MARK;
    g.lineWidth = 2;
    g.strokeRect(x + (pc - left) * k + 1, y + (pr - top) * k + 1, Math.max(2, k - 2), Math.max(2, k - 2));
  }
  g.restore();
  g.strokeStyle = WINDOW;
  g.lineWidth = 2.5;
  g.strokeRect(x, y, size, size);
}
