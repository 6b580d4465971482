// The network as a list of plain layers, and how each is drawn: a stack of maps, or a bar for a list of numbers.

const TINT = { conv: "kernel", res: "kernel", linear: "kernel", bn: "kernel", max: "input", avg: "input", gap: "input", gmp: "input", flatten: "input" };
const FIELD_WORDS = { kernel: "Kernel", stride: "Stride", padding: "Padding" };
const DEFAULTS = {
  conv: { units: 16, kernel: 3, stride: 1, padding: 1 }, res: { units: 16, kernel: 3, stride: 1, padding: 1 },
  max: { kernel: 2, stride: 2 }, avg: { kernel: 2, stride: 2 }, drop: { units: 25 }, linear: { units: 64 },
};

/** What is sent and kept: kind and numbers only. */
function plainLayers(layers) {
  return layers.map(({ kind, units = 0, kernel = 0, stride = 0, padding = 0 }) => ({ kind, units, kernel, stride, padding }));
}

function sameLayers(a, b) {
  return JSON.stringify(plainLayers(a)) === JSON.stringify(plainLayers(b));
}

const SVG = "http://www.w3.org/2000/svg";
function svg(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (parent) parent.append(element);
  return element;
}

/** What comes out of a layer, as a drawing: side of the maps by size, their number by depth. */
function shapeDrawing(shape, tint, side) {
  const [width, height] = [76, 56];
  const box = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  const colour = `var(--cl-${tint || "quiet"})`;
  if (shape.length === 3) {
    const size = 9 + 29 * Math.sqrt(Math.min(1, shape[1] / side));
    const depth = Math.min(7, Math.max(1, Math.round(Math.log2(shape[0]) + 1)));
    const gap = 3;
    const [left, top] = [(width - size - (depth - 1) * gap) / 2, (height - size + (depth - 1) * gap) / 2];
    for (let i = depth - 1; i >= 0; i--) {
      svg("rect", { x: left + i * gap, y: top - i * gap, width: size, height: size, rx: 2, fill: "var(--cl-page)", stroke: colour, "stroke-width": 1.2 }, box);
      svg("rect", { x: left + i * gap, y: top - i * gap, width: size, height: size, rx: 2, fill: colour, opacity: 0.1 + 0.16 * (i === 0) }, box);
    }
  } else {
    const cells = Math.min(9, Math.max(2, Math.round(1.2 * Math.log2(shape[0] + 1))));
    const size = 5;
    const top = (height - cells * size) / 2;
    for (let i = 0; i < cells; i++) {
      svg("rect", { x: width / 2 - 4, y: top + i * size, width: 8, height: size, fill: colour, "fill-opacity": 0.2 + 0.1 * (i % 2), stroke: colour, "stroke-width": 1 }, box);
    }
  }
  return box;
}

/** A count in few letters: "61.7 k", "1.72 M". */
function short(n) {
  if (n >= 1e6) return `${(n / 1e6).toPrecision(3)} M`;
  if (n >= 1e4) return `${(n / 1e3).toPrecision(3)} k`;
  return n.toLocaleString("en");
}
