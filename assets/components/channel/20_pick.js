// Which channel: its map beside the picture, the layer's strongest channels as thumbnails, and a field for the number.

function pickPart({ root, state, payload, theme, send }) {
  const { meta, map, thumbs, rgb } = payload;
  const [rows, columns] = map.shape;
  const limits = limitsOf(...extent(map.data));
  const source = mapCanvas(map.data, 0, rows, columns, limits, theme.mode);
  const picture = rgbCanvas(rgb.data, 0, rgb.shape[0], rgb.shape[1]);
  const subject = [meta.network, meta.layer, meta.channel, meta.picture].join("|");
  if (state.subject !== subject) Object.assign(state, { subject, cell: meta.peak, hover: null });

  const top = make("div", "bar");
  const field = make("label", "field");
  const input = make("input");
  Object.assign(input, { type: "number", min: 0, max: meta.channels - 1, step: 1, value: meta.channel });
  field.append(make("span", "", "Channel"), input, make("span", "quiet", `of 0 to ${meta.channels - 1}`));
  const go = (channel) => {
    if (Number.isInteger(channel) && channel >= 0 && channel < meta.channels && channel !== meta.channel) send("pick", { layer: meta.layer, channel });
    else input.value = meta.channel;
  };
  input.onchange = () => go(Number(input.value));
  const step = (by, words, sign) => {
    const button = make("button", "step", sign);
    button.type = "button";
    button.setAttribute("aria-label", words);
    button.disabled = meta.channel + by < 0 || meta.channel + by >= meta.channels;
    button.onclick = () => go(meta.channel + by);
    return button;
  };
  top.append(step(-1, "The channel before", "‹"), field, step(1, "The next channel", "›"), make("span", "quiet small", meta.words));

  const view = (name, caption, words) => {
    const figure = make("figure", name);
    const line = make("figcaption");
    line.append(make("b", name === "seen" ? "in" : "out", caption), make("span", "quiet small", ` ${words}`));
    const canvas = make("canvas");
    figure.append(line, canvas);
    return [figure, canvas];
  };
  const [seen, seenCanvas] = view("seen", "The picture", "with what the cell reads");
  const [one, mapView] = view("one", `Channel ${meta.channel}`, `${rows} × ${columns} cells`);
  seenCanvas.setAttribute("role", "img");
  mapView.tabIndex = 0;
  mapView.setAttribute("role", "application");
  mapView.setAttribute("aria-label", `Map of channel ${meta.channel}: arrows move from cell to cell`);
  one.append(scaleBar(limits, "own scale", theme.mode));
  const read = make("div", "readout");
  read.setAttribute("aria-live", "polite");

  const gallery = make("div", "gallery");
  gallery.append(make("div", "small quiet", `The strongest channels on this picture, by their largest number; each its own scale.`));
  const wall = listed(make("div", "thumbs"), "The strongest channels");
  const [, high, wide] = thumbs.shape;
  const buttons = meta.thumbs.map((thumb, i) => {
    const button = make("button", "thumb");
    button.type = "button";
    button.setAttribute("aria-pressed", String(thumb.channel === meta.channel));
    button.setAttribute("aria-label", `Channel ${thumb.channel} ${number(thumb.peak)} at the most`);
    const canvas = make("canvas");
    const size = high * wide;
    paintMap(canvas, mapCanvas(thumbs.data, i * size, high, wide, limitsOf(...extent(thumbs.data, i * size, size)), theme.mode), 60);
    const words = make("span", "num small");
    words.append(make("b", "", String(thumb.channel)), " ", make("span", "quiet", number(thumb.peak)));
    button.append(canvas, words);
    button.onclick = () => go(thumb.channel);
    return button;
  });
  wall.append(...buttons);
  arrows(wall, buttons);
  gallery.append(wall);
  const body = make("div", "pickbody");
  body.append(seen, one, gallery);
  root.replaceChildren(top, body, read);

  const draw = () => {
    const [r, c] = state.hover || state.cell;
    const width = one.clientWidth || 280;
    const height = Math.round((width * rows) / columns);
    const g = fit(mapView, width, height);
    g.drawImage(source, 0, 0, width, height);
    outline(g, theme, (c * width) / columns, (r * height) / rows, width / columns, height / rows, theme.output);
    const h = fit(seenCanvas, width, Math.round((width * picture.height) / picture.width));
    const scale = width / picture.width;
    h.imageSmoothingEnabled = scale < 3;
    h.drawImage(picture, 0, 0, width, picture.height * scale);
    const box = fieldBox(meta.field, r, c, picture.height, picture.width);
    shade(h, theme, box.map((v) => v * scale), width, picture.height * scale);
    seenCanvas.setAttribute("aria-label", `The picture; the cell reads rows ${Math.round(box[0])} to ${Math.round(box[2])}, columns ${Math.round(box[1])} to ${Math.round(box[3])}`);
    const everything = meta.field.everything ? " The rest of the picture acts on it too, by a global branch." : "";
    read.textContent = `Row ${r}, column ${c}: ${number(map.data[r * columns + c])}. It reads the window that is lit.${everything}`;
  };
  const redraw = oncePerFrame(draw);
  const cellAt = (event) => {
    const box = mapView.getBoundingClientRect();
    const inside = (v, n) => Math.max(0, Math.min(n - 1, Math.floor(v * n)));
    return [inside((event.clientY - box.top) / box.height, rows), inside((event.clientX - box.left) / box.width, columns)];
  };
  mapView.onpointermove = (event) => { state.hover = cellAt(event); redraw(); };
  mapView.onpointerleave = () => { state.hover = null; redraw(); };
  mapView.onclick = (event) => { state.cell = cellAt(event); redraw(); };
  mapView.onkeydown = (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Escape") state.cell = meta.peak;
    else if (by) state.cell = [Math.max(0, Math.min(rows - 1, state.cell[0] + by[0])), Math.max(0, Math.min(columns - 1, state.cell[1] + by[1]))];
    else return;
    event.preventDefault();
    state.hover = null;
    redraw();
  };
  draw();
  return draw;
}

function outline(g, theme, x, y, width, height, colour) {
  const grow = Math.max(0, (7 - Math.min(width, height)) / 2); // a cell of one pixel must still be found
  for (const [stroke, line] of [[theme.page, 4], [colour, 2]]) {
    g.strokeStyle = stroke;
    g.lineWidth = line;
    g.strokeRect(x - grow, y - grow, width + 2 * grow, height + 2 * grow);
  }
}

/** (top, left, bottom, right) of what a cell reads, in input pixels, clipped to the picture. */
function fieldBox(field, row, column, height, width) {
  const [down, across] = field.stride;
  const [top, left, bottom, right] = field.box;
  const clip = (v, most) => Math.max(0, Math.min(most, v));
  return [clip(top + down * row, height - 1), clip(left + across * column, width - 1), clip(bottom + down * row, height), clip(right + across * column, width)];
}

/** Dim a picture outside a box, and draw the box. */
function shade(g, theme, [top, left, bottom, right], width, height, line = 3) {
  g.fillStyle = theme.page;
  g.globalAlpha = 0.5;
  g.beginPath();
  g.rect(0, 0, width, height);
  g.rect(left, top, Math.max(0, right - left), Math.max(0, bottom - top));
  g.fill("evenodd");
  g.globalAlpha = 1;
  for (const [colour, stroke] of [[theme.page, line + 2], [theme.input, line]]) {
    g.strokeStyle = colour;
    g.lineWidth = stroke;
    g.strokeRect(left + line / 2, top + line / 2, Math.max(2, right - left - line), Math.max(2, bottom - top - line));
  }
}
