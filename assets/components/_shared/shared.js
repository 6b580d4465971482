// Shared by all components: it is put before each component's own script, so these names are in its scope.
// PALETTE comes from cnn_core/palette.py and stands above this line when the component is mounted.

const SCALES = Object.fromEntries(
  Object.entries(PALETTE.scales).map(([name, flat]) => [name, Uint8Array.from(flat)])
);

/** Numbers packed by ui/components.py: a JSON header, then little-endian arrays. -> { meta, name: { data, shape } } */
function unpack(bytes) {
  // The view into the message is not aligned to 4 bytes, so the arrays need a copy of their own.
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const kinds = { f4: Float32Array, u1: Uint8Array, u2: Uint16Array, i4: Int32Array };
  const out = { meta: header.meta };
  for (const { name, dtype, shape, offset } of header.arrays) {
    const size = shape.reduce((product, n) => product * n, 1);
    out[name] = { data: new kinds[dtype](buffer, 4 + length + offset, size), shape };
  }
  return out;
}

const STORES = new WeakMap();
/** State that lives as long as the component's element: the default export runs again with new data or theme. */
function stateOf(element, initial) {
  if (!STORES.has(element)) STORES.set(element, initial());
  return STORES.get(element);
}

/** The role colours of the theme in force: { mode, page, panel, line, text, quiet, accent, input, kernel, output, wrong, right }. */
function themeOf(element) {
  const style = getComputedStyle(element);
  const page = style.getPropertyValue("--st-background-color").trim() || "#ffffff";
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = page;
  const hex = probe.fillStyle; // the canvas turns any CSS colour into #rrggbb
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const mode = 0.2126 * r + 0.7152 * g + 0.0722 * b < 128 ? "dark" : "light";
  return { mode, ...PALETTE.colours[mode] };
}

/** Hand the role colours to a component's CSS as --cl-input, --cl-kernel, ... and return them. */
function applyTheme(root) {
  const theme = themeOf(root);
  for (const [role, colour] of Object.entries(theme)) if (role !== "mode") root.style.setProperty(`--cl-${role}`, colour);
  root.dataset.mode = theme.mode;
  return theme;
}

/** RGB bytes of a scale by name: "sequential", "evidence" or "diverging" (which follows the theme). */
function scaleTable(name, mode) {
  return name === "diverging" ? SCALES[`diverging_${mode}`] : SCALES[name];
}

/** Numbers -> ImageData of their colours; low sits at the scale's first colour, high at its last. */
function colourise(values, start, height, width, table, low, high) {
  const image = new ImageData(width, height);
  const last = table.length / 3 - 1;
  const factor = high > low ? last / (high - low) : 0;
  for (let i = 0; i < height * width; i++) {
    const k = 3 * Math.max(0, Math.min(last, Math.round((values[start + i] - low) * factor) || 0));
    image.data[4 * i] = table[k];
    image.data[4 * i + 1] = table[k + 1];
    image.data[4 * i + 2] = table[k + 2];
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** Black or white, whichever reads better on this colour (relative luminance as in WCAG 2): at least 4.58 to 1. */
function inkOn([r, g, b]) {
  const linear = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000000" : "#FFFFFF";
}

/** An offscreen canvas that holds the ImageData, to be drawn at any size without smoothing. */
function canvasOf(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Size a canvas in CSS pixels, crisp at the device's pixel ratio; returns a context in CSS pixels, without smoothing. */
function fit(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.imageSmoothingEnabled = false;
  return context;
}

/** Smallest and largest of a run of numbers. */
function extent(values, start = 0, count = values.length - start) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = start; i < start + count; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return [low, high];
}

/** A number for people: four significant digits, a true minus sign, never "-0". */
function number(value, digits = 4) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-4 ? value.toExponential(digits - 1) : value.toPrecision(digits);
  return text.replace(/-/g, "−");
}

/** A signed number for sums: "+ 0.4120" or "− 0.2880". */
function signed(value, digits = 4) {
  return `${value < 0 ? "−" : "+"} ${number(Math.abs(value), digits)}`;
}

function reducedMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Run a drawing once in the next frame, however often it is asked for. */
function oncePerFrame(draw) {
  let request = 0;
  return () => {
    cancelAnimationFrame(request);
    request = requestAnimationFrame(draw);
  };
}

/** A finger does not hover: where a pointer is only followed, a tap reads that place, and what it shows stays. Call it after the handlers. */
function readByTouch(element) {
  const leave = element.onpointerleave;
  element.onpointerdown = (event) => { if (event.pointerType === "touch") element.onpointermove(event); };
  element.onpointerleave = (event) => { if (event.pointerType !== "touch") leave?.call(element, event); };
}

/** Draw whenever the element's width changes; returns a function that stops it. */
function onResize(element, draw) {
  let last = -1;
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width !== last) {
      last = width;
      draw();
    }
  });
  observer.observe(element);
  return () => observer.disconnect();
}

/** A scale bar with its units: fills a <canvas> and the two or three labels beside it. */
function drawScaleBar(canvas, table, width = 120, height = 8) {
  const context = fit(canvas, width, height);
  const n = table.length / 3;
  const strip = new ImageData(n, 1);
  for (let i = 0; i < n; i++) strip.data.set([table[3 * i], table[3 * i + 1], table[3 * i + 2], 255], 4 * i);
  context.imageSmoothingEnabled = true;
  context.drawImage(canvasOf(strip), 0, 0, width, height);
}

/** Offer a file made in the browser. */
function download(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Create an element with a class and text; text is never read as HTML. */
function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

/** Fractional cell at each pixel of a side; slide 0: at receptive fields' centres, 1: stretched from edge to edge. */
function cellPositions(size, cells, inputSize, offset, stride, slide) {
  return Float64Array.from({ length: size }, (_, i) => {
    const aligned = (((i + 0.5) * inputSize) / size - offset) / stride;
    const naive = ((i + 0.5) * cells) / size - 0.5;
    return slide === 0 ? aligned : (1 - slide) * aligned + slide * naive;
  });
}

/** The map at the picture's size: bilinear between cells (or the nearest cell), the outermost one kept beyond them. */
function drawnMap(values, [h, w], [H, W], place, slide, smooth) {
  const side = (axis, size, n) => cellPositions(size, n, place.size[axis], place.offset[axis], place.stride[axis], slide)
    .map((p) => Math.max(0, Math.min(n - 1, smooth ? p : Math.round(p))));
  const [ys, xs] = [side(0, H, h), side(1, W, w)];
  const out = new Float32Array(H * W);
  for (let y = 0; y < H; y++) {
    const [top, v] = [Math.floor(ys[y]), ys[y] - Math.floor(ys[y])];
    const below = Math.min(top + 1, h - 1);
    for (let x = 0; x < W; x++) {
      const [left, u] = [Math.floor(xs[x]), xs[x] - Math.floor(xs[x])];
      const right = Math.min(left + 1, w - 1);
      out[y * W + x] = (1 - v) * ((1 - u) * values[top * w + left] + u * values[top * w + right]) +
        v * ((1 - u) * values[below * w + left] + u * values[below * w + right]);
    }
  }
  return out;
}
