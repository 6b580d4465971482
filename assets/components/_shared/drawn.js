// What an element shows, as an SVG that stands on its own: boxes, words, pictures and drawings, where the browser put them.

const { drawnSvg, drawnPng } = (() => {
  const SVG_SPACE = "http://www.w3.org/2000/svg";
  // A drawing's own colours and strokes come from style sheets that do not travel with it.
  const DRAWN_STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin",
    "opacity", "display", "visibility", "paint-order", "text-anchor", "dominant-baseline", "font-family", "font-size", "font-weight", "font-style"];
  const CONTROLS = "input, select, textarea";
  const drawnInk = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  let drawnClips = 0;

  function svgNode(tag, attributes = {}, text = "") {
    const node = document.createElementNS(SVG_SPACE, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, typeof value === "number" ? Math.round(value * 100) / 100 : value);
    if (text) node.textContent = text;
    return node;
  }

  const seen = (colour) => colour && colour !== "transparent" && !/^rgba\(.*, 0\)$|\/ 0\)$/.test(colour);

  /** A colour that every viewer of SVG knows: what the browser mixed (color(srgb ...)) as rgba(). */
  function inkOf(colour) {
    if (/^(rgb|#)/.test(colour)) return colour;
    drawnInk.clearRect(0, 0, 1, 1);
    drawnInk.fillStyle = colour;
    drawnInk.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = drawnInk.getImageData(0, 0, 1, 1).data;
    return `rgba(${r}, ${g}, ${b}, ${Math.round((1000 * a) / 255) / 1000})`;
  }

  /** A button that only does something (Play, Save) is no part of a figure; one that shows a choice, or stands in the picture, is. */
  function isAction(element) {
    return element.matches("button, [role='button']") && !element.matches("[aria-pressed], [aria-checked], [aria-selected], [aria-current]") &&
      element.closest(".bar, .files, [role='toolbar']") !== null && !element.querySelector("canvas, img, svg");
  }

  function drawBox(element, style, box, into) {
    const radius = Math.min(parseFloat(style.borderTopLeftRadius) || 0, box.height / 2);
    if (seen(style.backgroundColor)) into.append(svgNode("rect", { ...box, rx: radius, fill: inkOf(style.backgroundColor) }));
    // A bar striped or shaded by its style sheet keeps its colour, without the stripes.
    const shade = style.backgroundImage.startsWith("repeating") && style.backgroundImage.match(/rgba?\([^)]+\)/);
    if (shade) into.append(svgNode("rect", { ...box, rx: radius, fill: shade[0], "fill-opacity": 0.6 }));
    const sides = ["Top", "Right", "Bottom", "Left"].map((side) => {
      const width = style[`border${side}Style`] === "none" ? 0 : parseFloat(style[`border${side}Width`]);
      return { width, colour: inkOf(style[`border${side}Color`]), dash: style[`border${side}Style`] === "dashed" ? `${3 * width} ${2 * width}` : "none" };
    });
    const visible = sides.filter(({ width, colour }) => width && seen(colour));
    if (!visible.length) return;
    const [{ width, colour, dash }] = visible;
    if (visible.length === 4 && sides.every((side) => side.width === width && side.colour === colour)) {
      into.append(svgNode("rect", { x: box.x + width / 2, y: box.y + width / 2, width: Math.max(0, box.width - width), height: Math.max(0, box.height - width),
        rx: Math.max(0, radius - width / 2), fill: "none", stroke: colour, "stroke-width": width, "stroke-dasharray": dash }));
      return;
    }
    const [x1, y1, x2, y2] = [box.x, box.y, box.x + box.width, box.y + box.height];
    [[x1, y1, x2, y1], [x2, y1, x2, y2], [x1, y2, x2, y2], [x1, y1, x1, y2]].forEach(([a, b, c, d], i) => {
      if (sides[i].width && seen(sides[i].colour)) {
        into.append(svgNode("line", { x1: a, y1: b, x2: c, y2: d, stroke: sides[i].colour, "stroke-width": sides[i].width, "stroke-dasharray": sides[i].dash }));
      }
    });
  }

  /** A line of words, as wide as it was: another machine's letters are drawn closer or wider to fit. */
  function drawLine(text, style, at, into, scale = 1) {
    const size = parseFloat(style.fontSize);
    drawnInk.font = `${style.fontStyle} ${style.fontWeight} ${size}px ${style.fontFamily}`;
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = drawnInk.measureText(text);
    const baseline = at.y + (at.height - (up + down) * scale) / 2 + up * scale;
    into.append(svgNode("text", { x: at.x, y: baseline, textLength: at.width, lengthAdjust: "spacingAndGlyphs", fill: inkOf(style.color),
      "font-family": style.fontFamily, "font-size": size * scale, "font-weight": style.fontWeight, "font-style": style.fontStyle, "xml:space": "preserve" }, text));
  }

  /** A text node's lines, as the browser broke them. */
  function drawWords(node, style, origin, into, scale) {
    const range = document.createRange();
    const lines = [];
    for (const word of node.data.matchAll(/\S+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      for (const box of range.getClientRects()) {
        if (!box.width) continue;
        const last = lines[lines.length - 1];
        if (last && Math.abs(last.y - box.y) < box.height / 2) {
          if (last.word !== word.index) last.text += ` ${word[0]}`;
          [last.right, last.word] = [box.right, word.index];
        } else lines.push({ text: lines.some((line) => line.word === word.index) ? "" : word[0], x: box.x, y: box.y, right: box.right, height: box.height, word: word.index });
      }
    }
    for (const { text, x, y, right, height } of lines) {
      const told = style.textTransform === "uppercase" ? text.toUpperCase() : text;
      if (told) drawLine(told, style, { x: x - origin.x, y: y - origin.y, width: right - x, height }, into, scale);
    }
  }

  /** What a style sheet puts before or after an element's words: an arrow, a sign. */
  function drawSign(element, which, box, into, scale) {
    const style = getComputedStyle(element, which);
    const sign = /^"([^"]+)"$/.exec(style.content);
    if (!sign || style.display === "none") return;
    const size = parseFloat(style.fontSize) * scale;
    const placed = style.position === "absolute";
    if (placed && style.placeItems === "center") {
      into.append(svgNode("text", { x: box.x + box.width / 2, y: box.y + box.height / 2 + size * 0.35, "text-anchor": "middle", fill: inkOf(style.color), "font-size": size,
        "font-weight": style.fontWeight, "font-family": style.fontFamily }, sign[1]));
      return;
    }
    const x = placed ? box.x + (parseFloat(style.left) || 0) + (parseFloat(style.paddingLeft) || 0) : which === "::before" ? box.x + (parseFloat(style.paddingLeft) || 0) : box.x + box.width;
    const y = placed && Number.isFinite(parseFloat(style.top)) ? box.y + parseFloat(style.top) + size : box.y + box.height / 2 + size * 0.35;
    into.append(svgNode("text", { x, y, fill: inkOf(style.color), "font-size": size, "font-family": style.fontFamily }, sign[1]));
  }

  function drawControl(element, style, box, into, theme) {
    const middle = box.y + box.height / 2;
    if (element.type === "range") {
      const share = (element.value - element.min) / ((element.max || 100) - element.min || 1);
      const at = box.x + 8 + share * (box.width - 16);
      into.append(svgNode("line", { x1: box.x, x2: box.x + box.width, y1: middle, y2: middle, stroke: theme.line, "stroke-width": 4, "stroke-linecap": "round" }),
        svgNode("line", { x1: box.x, x2: at, y1: middle, y2: middle, stroke: theme.accent, "stroke-width": 4, "stroke-linecap": "round" }),
        svgNode("circle", { cx: at, cy: middle, r: 7, fill: theme.accent }));
    } else if (element.type === "checkbox" || element.type === "radio") {
      into.append(svgNode("rect", { ...box, rx: element.type === "radio" ? box.width / 2 : 2, fill: element.checked ? theme.accent : "none", stroke: theme.quiet }));
      if (element.checked) into.append(svgNode("path", { d: `M${box.x + 3} ${middle}l3 3l5 -6`, fill: "none", stroke: theme.page, "stroke-width": 2 }));
    } else if (element.type !== "file") {
      drawBox(element, style, box, into);
      const words = element.tagName === "SELECT" ? element.selectedOptions[0]?.textContent || "" : element.value || element.placeholder || "";
      drawnInk.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
      const [left, right] = [parseFloat(style.paddingLeft), parseFloat(style.paddingRight)];
      const width = Math.min(drawnInk.measureText(words).width, box.width - left - right);
      const x = style.textAlign === "center" ? box.x + (box.width - width) / 2 : style.textAlign === "right" ? box.x + box.width - right - width : box.x + left;
      if (words && width > 0) drawLine(words, style, { x, y: box.y, width, height: box.height }, into);
    }
  }

  /** A picture's bytes, as they stand in the page. */
  function bytesOf(element) {
    if (element.tagName === "CANVAS") return element.toDataURL("image/png");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [element.naturalWidth, element.naturalHeight];
    canvas.getContext("2d").drawImage(element, 0, 0);
    return canvas.toDataURL("image/png");
  }

  function drawPicture(element, style, box, into) {
    const [width, height] = element.tagName === "CANVAS" ? [element.width, element.height] : [element.naturalWidth, element.naturalHeight];
    if (!width || !height || !box.width) return;
    const edge = (side) => (parseFloat(style[`border${side}Width`]) || 0) + (parseFloat(style[`padding${side}`]) || 0);
    into.append(svgNode("image", { x: box.x + edge("Left"), y: box.y + edge("Top"), width: Math.max(0, box.width - edge("Left") - edge("Right")),
      height: Math.max(0, box.height - edge("Top") - edge("Bottom")), href: bytesOf(element),
      preserveAspectRatio: style.objectFit === "contain" ? "xMidYMid meet" : style.objectFit === "cover" ? "xMidYMid slice" : "none", style: "image-rendering:pixelated" }));
  }

  function drawDrawing(element, box, into) {
    const copy = element.cloneNode(true);
    const [from, to] = [[element, ...element.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
    from.forEach((node, i) => {
      const style = getComputedStyle(node);
      for (const name of DRAWN_STYLES) if (style.getPropertyValue(name)) to[i].setAttribute(name, style.getPropertyValue(name));
      for (const name of ["class", "style", "tabindex", "role"]) to[i].removeAttribute(name);
      if (node.tagName === "image" && !/^data:/.test(node.href.baseVal)) to[i].remove(); // a file on its own cannot ask the page
    });
    for (const [name, value] of Object.entries(box)) copy.setAttribute(name, value);
    if (!copy.hasAttribute("viewBox")) copy.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
    into.append(copy);
  }

  function drawElement(element, origin, into, theme) {
    const style = getComputedStyle(element);
    if (style.display === "none" || style.visibility === "hidden" || style.opacity === "0" || element.matches(".sr, template, style, script") || isAction(element)) return;
    const bounds = element.getBoundingClientRect();
    const box = { x: bounds.x - origin.x, y: bounds.y - origin.y, width: bounds.width, height: bounds.height };
    const scale = element.offsetWidth ? bounds.width / element.offsetWidth : 1;
    let group = into;
    if (style.opacity !== "1") into.append((group = svgNode("g", { opacity: style.opacity })));
    if (element instanceof SVGElement) return drawDrawing(element, box, group);
    if (element.matches(CONTROLS)) return drawControl(element, style, box, group, theme);
    if (bounds.width && bounds.height && style.display !== "contents") drawBox(element, style, box, group);
    if (element.matches("canvas, img")) return drawPicture(element, style, box, group);
    if (style.overflow !== "visible" && bounds.width && bounds.height) {
      const clip = svgNode("clipPath", { id: `clip${++drawnClips}` });
      clip.append(svgNode("rect", box));
      const inner = svgNode("g", { "clip-path": `url(#${clip.id})` });
      group.append(clip, inner);
      group = inner;
    }
    drawSign(element, "::before", box, group, scale);
    for (const child of element.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) drawWords(child, style, origin, group, scale);
      else if (child.nodeType === Node.ELEMENT_NODE) drawElement(child, origin, group, theme);
    }
    drawSign(element, "::after", box, group, scale);
  }

  /** { text, width, height }: an SVG of an element as it stands, on the page's colour. Nothing is asked of the server. */
  function drawnSvg(element, theme, title) {
    const bounds = element.getBoundingClientRect();
    const margin = 12;
    const [width, height] = [Math.ceil(bounds.width) + 2 * margin, Math.ceil(bounds.height) + 2 * margin];
    const svg = svgNode("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    svg.append(svgNode("title", {}, title), svgNode("rect", { width, height, fill: theme.page }));
    drawElement(element, { x: bounds.x - margin, y: bounds.y - margin }, svg, theme);
    return { text: new XMLSerializer().serializeToString(svg), width, height };
  }

  /** The SVG as a PNG, two pixels for each of the page's. */
  async function drawnPng({ text, width, height }) {
    const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    // Browsers refuse canvases of more than about 16 thousand pixels a side.
    const scale = Math.min(2, 16000 / Math.max(width, height));
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(url);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }
  return { drawnSvg, drawnPng };
})(); // a room of its own: components have functions with such names too
