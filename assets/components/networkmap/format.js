// How numbers are named, and which colour stands for which kind of operation.
const METRICS = {
  parameters: { label: "Parameters", of: "parameters", field: "parameters" },
  macs: { label: "Multiply-adds", of: "multiply-adds", field: "macs" },
  memory: { label: "Memory", of: "activations", field: "bytes" },
};
const KINDS = [
  { name: "convolution", role: "kernel", kinds: ["conv2d"] },
  { name: "linear", role: "linear", kinds: ["linear"] },
  { name: "normalisation", role: "quiet", kinds: ["batch_norm2d", "layer_norm", "group_norm", "lrn"] },
  { name: "activation", role: "output", kinds: ["relu", "relu6", "silu", "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "elu", "leaky_relu", "softmax"] },
  { name: "pooling", role: "input", kinds: ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "mean"] },
  { name: "add, multiply, join", role: "text", kinds: ["add", "mul", "cat", "sub", "div"] },
  { name: "reshaping and the rest", role: "line", kinds: [] },
];
const familyOf = (kind) => KINDS.find((family) => family.kinds.includes(kind)) || KINDS.at(-1);

/** The colour of a family; fully connected layers hold weights too: the kernel's colour, nearer to the text's. */
function colourOf(family, theme) {
  if (family.role !== "linear") return theme[family.role];
  const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const [a, b] = [parts(theme.kernel), parts(theme.text)];
  return `#${a.map((v, i) => Math.round(0.5 * v + 0.5 * b[i]).toString(16).padStart(2, "0")).join("")}`;
}

/** 3504872 -> "3.505 million"; small numbers are written out. */
function count(value) {
  for (const [size, name] of [[1e9, "billion"], [1e6, "million"]]) {
    if (value >= size) return `${(value / size).toPrecision(4)} ${name}`;
  }
  return Math.round(value).toLocaleString("en-US");
}
function bytes(value) {
  for (const [size, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) if (value >= size) return `${(value / size).toPrecision(3)} ${name}`;
  return `${value} bytes`;
}
/** The same in little room: "3.505 M", "11.51 G". */
function short(metric, value) {
  if (metric === "memory") return bytes(value);
  for (const [size, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (value >= size) return `${(value / size).toPrecision(4)} ${name}`;
  return String(value);
}
const amount = (metric, value) => (metric === "memory" ? bytes(value) : count(value));
/** A share for people: "31 %", "0.4 %", "0". */
const percent = (share) => (share === 0 ? "0 %" : share < 0.001 ? "< 0.1 %" : `${share < 0.0995 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`);
const shapeOf = (shape) => shape.join(" × ");

const NAMESPACE = "http://www.w3.org/2000/svg";
/** An SVG element; its text is never read as markup. */
function draw(tag, attributes, parent, text) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

const RULER = document.createElement("canvas").getContext("2d");
const CUT = new Map();
/** The text, cut with an ellipsis where it is wider than the room; measured once for each text, font and room. */
function cut(text, font, room) {
  const key = `${font}|${Math.round(room)}|${text}`;
  if (!CUT.has(key)) {
    if (CUT.size > 20_000) CUT.clear();
    CUT.set(key, measured(text, font, room));
  }
  return CUT.get(key);
}
function measured(text, font, room) {
  RULER.font = font;
  if (RULER.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 1 && RULER.measureText(`${text.slice(0, length)}…`).width > room) length--;
  return `${text.slice(0, length)}…`;
}

/** All at once where it stays legible; a longer graph is scrolled at a readable size instead. */
function legibleZoom(scale) {
  return scale < 0.66 ? 0.8 : Math.min(1, scale);
}
