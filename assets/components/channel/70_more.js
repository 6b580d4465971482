// A channel switched off beside others of its layer; and a picture made by gradient ascent, with its rise.

function lesionsPart({ root, state, payload, theme }) {
  const { meta } = payload;
  const rows = [...meta.rows].sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  const most = Math.max(...rows.map((row) => Math.abs(row.change))) || 1;
  const wall = make("div", "lesions");
  wall.setAttribute("role", "table");
  wall.setAttribute("aria-label", `Change of the logit of ${meta.target} with one channel at zero`);
  wall.append(...rows.map((row) => {
    const line = make("div", `lesion${row.chosen ? " chosen" : ""}`);
    line.setAttribute("role", "row");
    line.dataset.channel = row.channel;
    line.dataset.change = row.change;
    const cells = [make("span", "num", String(row.channel)), bar(row.change, -most, most, row.chosen ? "mine" : "other"),
      make("span", "num", signed(row.change, 3)), make("span", row.same ? "num small quiet" : "small wrong", row.same ? row.probability.toFixed(4) : `≠ ${row.name}`)];
    cells.forEach((cell) => cell.setAttribute("role", "cell"));
    line.append(...cells);
    return line;
  }));
  const head = make("div", "lesion small quiet");
  head.append(make("span", "", "channel off"), make("span", "", `change of the logit of ${meta.target} (${number(meta.logit)} with all channels on)`), make("span", "", ""), make("span", "", "probability after"));
  root.replaceChildren(head, wall);
  return () => {};
}

function dreamPart({ root, state, payload, theme }) {
  const { meta, rgb, values } = payload;
  const picture = rgbCanvas(rgb.data, 0, rgb.shape[0], rgb.shape[1]);
  const figure = make("figure", "made");
  const canvas = make("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `A picture made for: ${meta.unit}`);
  const caption = make("figcaption");
  caption.append(make("b", "", meta.title), make("span", "quiet small", ` ${rgb.shape[0]} × ${rgb.shape[1]} pixels`));
  figure.append(caption, canvas);
  const curve = make("figure", "rise");
  const graph = make("canvas");
  graph.tabIndex = 0;
  graph.setAttribute("role", "application");
  graph.setAttribute("aria-label", "The value at each step: left and right go from step to step");
  const graphCaption = make("figcaption");
  graphCaption.append(make("b", "out", meta.unit), make("span", "quiet small", " before each step, on the picture as it is shifted"));
  curve.append(graphCaption, graph);
  const read = make("div", "readout");
  read.setAttribute("aria-live", "polite");
  const body = make("div", "dream");
  curve.append(read);
  body.append(figure, curve);
  root.replaceChildren(body);

  const v = values.data;
  const draw = () => {
    const side = Math.min(figure.clientWidth || 320, 420);
    const g = fit(canvas, side, side);
    g.imageSmoothingEnabled = side / picture.width < 3;
    g.drawImage(picture, 0, 0, side, side);
    const [width, height, pad] = [curve.clientWidth || 420, 260, 64];
    const h = fit(graph, width, height);
    h.clearRect(0, 0, width, height);
    h.font = `12px ${getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace"}`;
    const marks = meta.marks.map((mark) => mark.value);
    const low = Math.min(0, ...v, ...marks);
    const high = Math.max(...v, ...marks, low + 1e-9);
    const total = Math.max(2, meta.steps);
    const x = (i) => pad + (i / (total - 1)) * (width - pad - 12);
    const y = (value) => 12 + (1 - (value - low) / (high - low)) * (height - 44);
    h.strokeStyle = theme.line;
    h.lineWidth = 1;
    h.strokeRect(pad + 0.5, 12.5, width - pad - 13, height - 45);
    h.fillStyle = theme.quiet;
    h.textAlign = "right";
    for (const value of [low, high]) h.fillText(number(value, 3), pad - 6, y(value) + 4);
    h.textAlign = "center";
    h.fillText("1", x(0), height - 14);
    h.fillText(`step ${total}`, x(total - 1) - 20, height - 14);
    meta.marks.forEach((mark, i) => {
      h.setLineDash([5, 4]);
      h.strokeStyle = mark.role === "input" ? theme.input : theme.output;
      h.beginPath();
      h.moveTo(pad, y(mark.value));
      h.lineTo(width - 12, y(mark.value));
      h.stroke();
      h.setLineDash([]);
      h.fillStyle = h.strokeStyle;
      h.textAlign = "right";
      h.fillText(`${mark.words} ${number(mark.value)}`, width - 18, y(mark.value) + (y(mark.value) < 34 ? 16 : -6));
    });
    h.strokeStyle = theme.output;
    h.lineWidth = 2.5;
    h.beginPath();
    v.forEach((value, i) => (i ? h.lineTo(x(i), y(value)) : h.moveTo(x(i), y(value))));
    h.stroke();
    const at = Math.min(v.length - 1, state.at ?? v.length - 1);
    if (at >= 0) {
      h.fillStyle = theme.output;
      h.beginPath();
      h.arc(x(at), y(v[at]), 5, 0, 7);
      h.fill();
      read.textContent = `Step ${at + 1} of ${meta.steps}: ${number(v[at])}.`;
    }
    state.x = x;
  };
  const redraw = oncePerFrame(draw);
  const clamp = (i) => Math.max(0, Math.min(v.length - 1, i));
  graph.onpointermove = (event) => {
    const px = event.clientX - graph.getBoundingClientRect().left;
    state.at = clamp(Math.round(((px - state.x(0)) / (state.x(1) - state.x(0) || 1))));
    redraw();
  };
  graph.onpointerleave = () => { state.at = undefined; redraw(); };
  readByTouch(graph);
  graph.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    state.at = clamp((state.at ?? v.length - 1) + step);
    redraw();
  };
  draw();
  return draw;
}
