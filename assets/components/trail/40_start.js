// Where a trail starts: a channel's map, of which a click picks the unit, and small maps of the strongest channels.

function startPart(root, S, send) {
  const { meta, values, thumbs } = S.payload;
  const holder = root.querySelector(".tl-start");
  holder.hidden = false;
  root.querySelector(".tl-stage").hidden = true;
  const canvas = holder.querySelector(".tl-map");
  const readout = holder.querySelector(".tl-choose");
  const [h, w] = values.shape;
  const table = scaleTable(meta.low < 0 ? "diverging" : "sequential", S.theme.mode);
  const limit = Math.max(Math.abs(meta.low), Math.abs(meta.high));
  const colours = (data, start, rows, columns, low, high) => {
    const most = Math.max(Math.abs(low), Math.abs(high));
    return canvasOf(colourise(data, start, rows, columns, table, meta.low < 0 ? -most : 0, most));
  };
  const picture = colours(values.data, 0, h, w, meta.low, meta.high);
  if (S.unit !== meta.unit.join()) Object.assign(S, { unit: meta.unit.join(), hover: null });
  canvas.setAttribute("aria-label", `Map of channel ${meta.unit[0]} of ${meta.layer}, ${h} by ${w} cells. Arrow keys move, Enter starts the trail there.`);

  const pick = (channel, row, column) => send("unit", { layer: meta.layer, channel, row, column });
  function draw() {
    const width = Math.min(224, holder.clientWidth);
    if (!width) return;
    const g = fit(canvas, width, (width * h) / w);
    g.drawImage(picture, 0, 0, width, (width * h) / w);
    const k = width / w;
    const frame = ([row, column], colour, thick) => {
      const side = Math.max(5, k);
      const [x, y] = [column * k + k / 2 - side / 2, row * k + k / 2 - side / 2];
      for (const [stroke, line] of [["rgba(0,0,0,.75)", thick + 2], [colour, thick]]) {
        g.strokeStyle = stroke;
        g.lineWidth = line;
        g.strokeRect(x, y, side, side);
      }
    };
    frame([meta.unit[1], meta.unit[2]], WINDOW, 2);
    if (S.hover) frame(S.hover, MARK, 2);
    const [row, column] = S.hover || [meta.unit[1], meta.unit[2]];
    readout.textContent = `${S.hover ? "" : "The trail starts at "}channel ${meta.unit[0]}, row ${row}, column ${column}: ${number(values.data[row * w + column])}.${S.hover ? " Click or press Enter to start the trail here." : " Click in the map for another unit."}`;
  }
  const redraw = oncePerFrame(draw);
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [[event.clientY - box.top, box.height, h], [event.clientX - box.left, box.width, w]].map(([p, size, n]) => Math.max(0, Math.min(n - 1, Math.floor((p / size) * n))));
  };
  canvas.onpointermove = (event) => { S.hover = at(event); redraw(); };
  canvas.onpointerleave = () => { S.hover = null; redraw(); };
  canvas.onclick = (event) => pick(meta.unit[0], ...at(event));
  canvas.onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step && !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Enter" && S.hover) pick(meta.unit[0], ...S.hover);
    const from = S.hover || [meta.unit[1], meta.unit[2]];
    S.hover = step ? [Math.max(0, Math.min(h - 1, from[0] + step[0])), Math.max(0, Math.min(w - 1, from[1] + step[1]))] : null;
    redraw();
  };
  holder.querySelector(".tl-low").textContent = number(meta.low < 0 ? -limit : 0, 3);
  holder.querySelector(".tl-high").textContent = number(limit, 3);
  holder.querySelector(".tl-unit").textContent = `channel ${meta.unit[0]}, own scale`;
  drawScaleBar(holder.querySelector(".tl-scale"), table, 90, 8);
  holder.querySelector(".tl-thumbs").replaceChildren(...meta.thumbs.map((one, i) => {
    const button = make("button");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(one.channel === meta.unit[0]));
    const [, rows, columns] = thumbs.shape;
    button.append(colours(thumbs.data, i * rows * columns, rows, columns, one.low, one.high), make("span", "num", `${one.channel}`));
    button.setAttribute("aria-label", `Channel ${one.channel}, strongest number ${number(one.peak)}`);
    button.onclick = () => pick(one.channel, one.row, one.column);
    return button;
  }));
  draw();
  saves(root, { file: `start of the trail channel ${meta.unit[0]}`, csv: () => csvOfArray(values, ["row", "column"], "value") });
  return onResize(root, redraw);
}
