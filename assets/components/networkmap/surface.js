// One drawing, two papers: a canvas, where only what is large enough to be read is drawn, and an SVG file.
const LEGIBLE = 5; // pixels: smaller words and maps are left out

/** Draws in the drawing's own coordinates on a canvas whose context is already moved and scaled by `zoom`. */
function canvasPaper(context, zoom, family) {
  const outline = (x, y, w, h, r) => {
    context.beginPath();
    if (r * zoom < 1) context.rect(x, y, w, h);
    else context.roundRect(x, y, w, h, r);
  };
  return {
    zoom,
    open: (node) => {
      context.save();
      context.translate(node.left, node.top);
    },
    close: () => context.restore(),
    rect({ x = 0, y = 0, w, h, r = 0, fill, stroke, line = 1, alpha = 1, dash }) {
      outline(x, y, w, h, r);
      context.globalAlpha = alpha;
      if (fill) {
        context.fillStyle = fill;
        context.fill();
      }
      if (stroke) {
        context.strokeStyle = stroke;
        context.lineWidth = line;
        context.setLineDash(dash || []);
        context.stroke();
      }
      context.globalAlpha = 1;
    },
    text({ x, y, words, room, size, fill, weight = 400, end = false, halo }) {
      if (size * zoom < LEGIBLE) return;
      const font = `${weight} ${size}px ${family}`;
      context.font = font;
      context.fillStyle = fill;
      context.textAlign = end ? "right" : "left";
      if (halo) {
        [context.strokeStyle, context.lineWidth, context.lineJoin] = [halo, size / 3, "round"];
        context.setLineDash([]);
        context.strokeText(cut(words, font, room), x, y);
      }
      context.fillText(cut(words, font, room), x, y);
    },
    image(picture, x, y, w, h, smooth = false) {
      if (w * zoom < LEGIBLE) return;
      const made = picture();
      // Cells are averaged where they outnumber the screen's pixels, and never blurred into each other where they are large.
      context.imageSmoothingEnabled = smooth || made.width > w * zoom * (window.devicePixelRatio || 1);
      context.drawImage(made, x, y, w, h);
    },
    path(edge, stroke, line) {
      context.strokeStyle = stroke;
      context.lineWidth = line;
      context.setLineDash([]);
      context.stroke(edge.shape);
    },
    dot(x, y, radius, fill) {
      context.fillStyle = fill;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    },
    arrow(x, y, size, fill) {
      context.fillStyle = fill;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x - size, y - size * 0.6);
      context.lineTo(x - size, y + size * 0.6);
      context.fill();
    },
  };
}

/** The same into SVG elements; words are never read as markup. */
function svgPaper(svg, family) {
  let parent = svg;
  const name = family.replace(/"/g, "'");
  return {
    zoom: 1,
    open: (node) => (parent = draw("g", { class: node.open ? "box" : "card", "data-id": node.id, transform: `translate(${node.left} ${node.top})` }, svg)),
    close: () => (parent = svg),
    rect({ x = 0, y = 0, w, h, r = 0, fill, stroke, line = 1, alpha = 1, dash }) {
      draw("rect", { x, y, width: w, height: h, rx: r, fill: fill || "none", stroke: stroke || "none", "stroke-width": line, opacity: alpha, ...(dash ? { "stroke-dasharray": dash.join(" ") } : {}) }, parent);
    },
    text({ x, y, words, room, size, fill, weight = 400, end = false }) {
      const shown = cut(words, `${weight} ${size}px ${family}`, room);
      draw("text", { x, y, "font-size": size, fill, "font-weight": weight, "font-family": name, "text-anchor": end ? "end" : "start" }, parent, shown);
    },
    image(picture, x, y, width, height, smooth = false) {
      const made = picture();
      const canvas = made instanceof HTMLCanvasElement ? made : Object.assign(document.createElement("canvas"), { width: made.naturalWidth, height: made.naturalHeight });
      if (canvas !== made) canvas.getContext("2d").drawImage(made, 0, 0);
      draw("image", { href: canvas.toDataURL(), x, y, width, height, preserveAspectRatio: "none", style: smooth ? "" : "image-rendering:pixelated" }, parent);
    },
    path: (edge, stroke, line) => draw("path", { class: "edge", d: edge.path, fill: "none", stroke, "stroke-width": line }, parent),
    dot: (cx, cy, r, fill) => draw("circle", { cx, cy, r, fill }, parent),
    arrow: (x, y, s, fill) => draw("path", { d: `M${x} ${y}L${x - s} ${y - s * 0.6}V${y + s * 0.6}z`, fill }, parent),
  };
}
