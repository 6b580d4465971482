// A residual block in numbers: x, the change F(x) and their sum, cell by cell, under one cursor.

const PARTS = [
  ["x", "in", "x", "goes round"],
  ["change", "ker", "F(x)", "what the layers add"],
  ["y", "out", "y = x + F(x)", "what goes on"],
];

function build(root) {
  const ui = { sum: make("div", "rs-sum"), strip: make("div", "rs-strip"), readout: make("p", "readout rs-readout"), scale: make("div", "scale rs-scale"), figures: [] };
  PARTS.forEach(([key, colour, name, words], i) => {
    if (i) ui.sum.append(make("div", "rs-sign", i === 1 ? "+" : "="));
    const figure = make("figure");
    const caption = make("figcaption");
    caption.append(make("b", colour, name), document.createElement("br"), make("span", "quiet", words));
    const canvas = make("canvas");
    canvas.tabIndex = i === 2 ? 0 : -1;
    canvas.setAttribute("role", "application");
    const value = make("div", "rs-value num");
    figure.append(caption, canvas, value);
    ui.sum.append(figure);
    ui.figures.push({ key, canvas, value });
  });
  ui.low = make("span", "num");
  ui.bar = make("canvas");
  ui.high = make("span", "num");
  ui.scale.append(ui.low, ui.bar, ui.high, make("span", "", "activation, one shared scale for the three maps"));
  ui.strip.setAttribute("role", "radiogroup");
  ui.strip.setAttribute("aria-label", "Channel");
  ui.readout.setAttribute("aria-live", "polite");
  root.append(ui.sum, ui.readout, ui.scale, ui.strip);
  return ui;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".rs");
  const S = stateOf(parentElement, () => ({ ui: build(root), k: 0, hover: null, pin: null }));
  S.theme = applyTheme(root);
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
    Object.assign(S, { hover: null, pin: null, k: 0 });
  }
  const { ui, theme } = S;
  const { meta, x } = S.payload;
  const [, height, width] = x.shape;
  const size = height * width;
  const at = (key, row, column) => S.payload[key].data[S.k * size + row * width + column];

  function draw() {
    let limit = 0;
    for (const { key } of ui.figures) {
      const [low, high] = extent(S.payload[key].data, S.k * size, size);
      limit = Math.max(limit, -low, high);
    }
    const table = scaleTable("diverging", theme.mode);
    const cell = S.pin || S.hover;
    for (const { key, canvas, value } of ui.figures) {
      const side = Math.max(80, Math.round(canvas.parentElement.clientWidth));
      const tall = Math.round((side * height) / width);
      const context = fit(canvas, side, tall);
      canvas.style.width = "100%";
      canvas.style.height = "auto";
      context.drawImage(canvasOf(colourise(S.payload[key].data, S.k * size, height, width, table, -limit, limit)), 0, 0, side, tall);
      context.strokeStyle = theme.line;
      context.strokeRect(0.5, 0.5, side - 1, tall - 1);
      value.textContent = "";
      if (!cell) continue;
      const [w, h] = [side / width, tall / height];
      context.lineWidth = 2;
      context.strokeStyle = theme.text;
      context.strokeRect(cell[1] * w - 1, cell[0] * h - 1, Math.max(3, w) + 2, Math.max(3, h) + 2);
      value.textContent = number(at(key, ...cell));
    }
    ui.low.textContent = number(-limit);
    ui.high.textContent = number(limit);
    drawScaleBar(ui.bar, table);
    say(cell);
  }

  function say(cell) {
    if (!cell) {
      ui.readout.textContent = `Channel ${meta.channels[S.k]}: point at a cell, or focus the sum and use the arrow keys.`;
      return;
    }
    const [a, b, y] = ["x", "change", "y"].map((key) => at(key, ...cell));
    const good = Math.abs(a + b - y) <= 1e-4 * Math.max(1, Math.abs(y));
    ui.readout.textContent = `Row ${cell[0]}, column ${cell[1]}${S.pin ? " (pinned)" : ""}: ${number(a)} ${signed(b)} = ${number(a + b)} ${good ? "✓" : `, but the network has ${number(y)}`}`;
  }

  function cellOf(event, canvas) {
    const box = canvas.getBoundingClientRect();
    const clamp = (v, n) => Math.max(0, Math.min(n - 1, Math.floor(v)));
    return [clamp(((event.clientY - box.top) / box.height) * height, height), clamp(((event.clientX - box.left) / box.width) * width, width)];
  }
  for (const { canvas } of ui.figures) {
    canvas.setAttribute("aria-label", `${meta.title}: arrow keys move the cell, Enter pins it, Escape frees it.`);
    canvas.onpointermove = (event) => { S.hover = cellOf(event, canvas); draw(); };
    canvas.onpointerleave = () => { S.hover = null; draw(); };
    canvas.onclick = (event) => { S.pin = S.pin ? null : cellOf(event, canvas); draw(); };
    canvas.onkeydown = (event) => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      const from = S.pin || S.hover || [Math.floor(height / 2), Math.floor(width / 2)];
      if (by) {
        const next = [Math.max(0, Math.min(height - 1, from[0] + by[0])), Math.max(0, Math.min(width - 1, from[1] + by[1]))];
        if (S.pin) S.pin = next; else S.hover = next;
      } else if (event.key === "Enter") S.pin = S.pin ? null : from;
      else if (event.key === "Escape") Object.assign(S, { pin: null, hover: null });
      else return;
      event.preventDefault();
      draw();
    };
  }

  function strip() {
    ui.strip.replaceChildren(...meta.channels.map((channel, k) => {
      const button = make("button");
      button.type = "button";
      button.setAttribute("role", "radio");
      button.setAttribute("aria-checked", k === S.k);
      button.setAttribute("aria-label", `Channel ${channel}`);
      const canvas = make("canvas");
      const [low, high] = extent(S.payload.change.data, k * size, size);
      const limit = Math.max(-low, high);
      const context = fit(canvas, 44, 44);
      context.drawImage(canvasOf(colourise(S.payload.change.data, k * size, height, width, scaleTable("diverging", theme.mode), -limit, limit)), 0, 0, 44, 44);
      button.append(canvas, make("span", "", String(channel)));
      button.onclick = () => {
        S.k = k;
        [...ui.strip.children].forEach((child, i) => child.setAttribute("aria-checked", i === k));
        draw();
      };
      return button;
    }));
  }
  strip();
  draw();
  saves(root, { file: `residual block ${meta.title}`,
    csv: () => csvOfArray(x, ["channel", "row", "column"], "x").map((row, i) => (i ? [meta.channels[row[0]], ...row.slice(1), S.payload.change.data[i - 1], S.payload.y.data[i - 1]] : [...row, "F_of_x", "y"])) });
  S.ended?.();
  S.ended = onResize(root, draw);
  return () => S.ended();
}
