// The bench: the same channel on seven versions of the picture, its map over each, and what the decision says.

function benchPart({ root, state, payload, theme }) {
  const { meta, pictures, maps } = payload;
  const [n, height, width] = pictures.shape;
  const [, rows, columns] = maps.shape;
  const size = rows * columns;
  const limits = limitsOf(...extent(maps.data));
  const subject = meta.subject;
  if (state.subject !== subject) Object.assign(state, { subject, pin: null, hover: null });
  state.look ||= "both";

  const top = make("div", "bar");
  top.append(choice("What to draw", { both: "Map over picture", picture: "Picture", map: "Map" }, state.look, (key) => { state.look = key; rescale(); redraw(); }));
  let legend = top.appendChild(make("span"));
  /** The bar shows the colours that are drawn: what lies over a picture fades out towards 0. */
  function rescale() {
    const next = state.look === "picture" ? make("span") : scaleBar(limits, "the map's numbers, one shared scale", theme.mode, state.look === "both" ? "evidence" : "sequential");
    legend.replaceWith(next);
    legend = next;
  }
  rescale();
  const [low, high] = [Math.min(0, ...meta.rows.map((row) => row.mean)), Math.max(0, ...meta.rows.map((row) => row.mean))];
  const wall = listed(make("div", "versions"), "Versions of the picture");
  const cards = meta.rows.map((row, i) => {
    const card = make("div", "version");
    card.setAttribute("role", "group");
    card.dataset.key = row.key;
    Object.assign(card.dataset, { mean: row.mean, peak: row.peak, logit: row.logit, probability: row.probability, top: row.top });
    const canvas = make("canvas");
    canvas.tabIndex = i ? -1 : 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${row.title}: arrows move from cell to cell, in all versions at once`);
    const mean = make("div", "line");
    const kept = i === 0 ? "" : row.ratio !== null ? `× ${number(row.ratio, 3)}` : `${row.change > 0 ? "+" : "−"}${number(Math.abs(100 * row.change), 3)} %`;
    mean.append(make("span", "num", number(row.mean)), make("span", "num kept", kept));
    const chance = make("div", "line");
    chance.append(make("span", "num", row.probability < 0.00005 ? "< 0.0001" : row.probability.toFixed(4)), make("span", "num quiet", `logit ${number(row.logit)}`));
    const leads = make("div", "leads small", row.same ? "still leads" : `≠ ${row.name} ${row.chance.toFixed(2)}`);
    leads.classList.toggle("wrong", !row.same);
    leads.classList.toggle("quiet", row.same);
    if (i === 0) leads.textContent = "leads";
    card.append(make("h3", "", row.title), make("div", "what small quiet", row.what), canvas,
      make("div", "name small quiet", "channel, mean"), mean, bar(row.mean, low, high, "channel"),
      make("div", "small quiet num", `max ${number(row.peak)}`),
      make("div", "name small quiet", meta.target), chance, bar(row.probability, 0, 1, "decision"), leads);
    wall.append(card);
    return { row, canvas, picture: rgbCanvas(pictures.data, i * height * width * 3, height, width), map: mapCanvas(maps.data, i * size, rows, columns, limits, theme.mode) };
  });
  const read = make("div", "readout");
  read.setAttribute("aria-live", "polite");
  root.replaceChildren(top, wall, read);
  const veil = veiled(maps.data, n, rows, columns, limits, theme.mode);

  const draw = () => {
    const cell = state.hover || state.pin;
    const [down, across] = meta.field.stride;
    const [atRow, atColumn] = meta.field.centre;
    cards.forEach(({ canvas, picture, map }, i) => {
      const side = canvas.parentElement.clientWidth || 130;
      const tall = Math.round((side * height) / width);
      const scale = side / width;
      const g = fit(canvas, side, tall);
      const place = [(atColumn - across / 2) * scale, (atRow - down / 2) * scale, across * columns * scale, down * rows * scale];
      if (state.look === "map") g.drawImage(map, 0, 0, side, tall);
      else {
        g.imageSmoothingEnabled = scale < 3;
        g.drawImage(picture, 0, 0, side, tall);
        g.imageSmoothingEnabled = false;
        if (state.look === "both") g.drawImage(veil[i], ...place);
      }
      if (!cell) return;
      const [r, c] = cell;
      if (state.look === "map") outline(g, theme, (c * side) / columns, (r * tall) / rows, side / columns, tall / rows, theme.output);
      else outline(g, theme, place[0] + c * across * scale, place[1] + r * down * scale, across * scale, down * scale, theme.output);
    });
    if (!cell) {
      read.textContent = "Point at a cell to read it in all versions at once; a click keeps it, Escape lets it go.";
      return;
    }
    const [r, c] = cell;
    const at = (i) => number(maps.data[i * size + r * columns + c]);
    read.textContent = `Row ${r}, column ${c}: ${meta.rows.map((row, i) => `${row.title.toLowerCase()} ${at(i)}`).join(" · ")}`;
  };
  const redraw = oncePerFrame(draw);
  const clamp = (v, most) => Math.max(0, Math.min(most - 1, v));
  for (const { canvas } of cards) {
    const cellAt = (event) => {
      const box = canvas.getBoundingClientRect();
      const [y, x] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
      if (state.look === "map") return [clamp(Math.floor(y * rows), rows), clamp(Math.floor(x * columns), columns)];
      const [down, across] = meta.field.stride;
      return [clamp(Math.round((y * height - meta.field.centre[0]) / down), rows), clamp(Math.round((x * width - meta.field.centre[1]) / across), columns)];
    };
    canvas.onpointermove = (event) => { state.hover = cellAt(event); redraw(); };
    canvas.onpointerleave = () => { state.hover = null; redraw(); };
    canvas.onclick = (event) => { state.pin = cellAt(event); redraw(); };
    canvas.onkeydown = (event) => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (event.key === "Escape") state.pin = null;
      else if (by) {
        const [r, c] = state.pin || [Math.floor(rows / 2), Math.floor(columns / 2)];
        state.pin = [clamp(r + by[0], rows), clamp(c + by[1], columns)];
      } else return;
      event.preventDefault();
      state.hover = null;
      redraw();
    };
  }
  draw();
  return draw;
}

/** Maps to be laid over pictures: the evidence scale, whose opacity rises with the number; blue for what is below 0. */
function veiled(values, n, rows, columns, limits, mode) {
  const signed = limits[0] < 0;
  const table = scaleTable(signed ? "diverging" : "evidence", mode);
  const last = table.length / 3 - 1;
  return Array.from({ length: n }, (_, i) => {
    const image = new ImageData(columns, rows);
    for (let p = 0; p < rows * columns; p++) {
      const v = values[i * rows * columns + p];
      const share = Math.min(1, Math.abs(v) / limits[1]);
      const k = 3 * Math.max(0, Math.min(last, Math.round(((v - limits[0]) / (limits[1] - limits[0])) * last)));
      image.data.set([table[k], table[k + 1], table[k + 2], Math.round(230 * Math.sqrt(share))], 4 * p);
    }
    return canvasOf(image);
  });
}
