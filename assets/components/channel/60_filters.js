// The first convolution's filters as pictures, and one of them large with its numbers.

function filtersPart({ root, state, payload, theme, send }) {
  const { meta, weights } = payload;
  const [n, depth, rows, columns] = weights.shape;
  const size = depth * rows * columns;
  if (state.subject !== meta.subject) Object.assign(state, { subject: meta.subject, at: meta.chosen, cell: null, hover: null });
  state.scale ||= "shared";
  const largest = (i) => Math.max(...extent(weights.data, i * size, size).map(Math.abs)) || 1;
  const limit = (i) => (state.scale === "shared" ? meta.limit : largest(i));
  const weight = (i, plane, r, c) => weights.data[i * size + (plane * rows + r) * columns + c];

  /** A filter as a picture: 0 is mid-grey, the limit white (or full colour), minus the limit black. */
  function picture(i) {
    const image = new ImageData(columns, rows);
    for (let p = 0; p < rows * columns; p++) {
      for (let plane = 0; plane < 3; plane++) {
        const w = weights.data[i * size + (depth === 3 ? plane : 0) * rows * columns + p];
        image.data[4 * p + plane] = Math.round(127.5 + (127.5 * w) / limit(i));
      }
      image.data[4 * p + 3] = 255;
    }
    return canvasOf(image);
  }

  const top = make("div", "bar");
  const words = make("span", "quiet small");
  top.append(choice("Scale of the filters", { shared: "One shared scale", own: "Each its own" }, state.scale, (key) => { state.scale = key; paintWall(); draw(); }), words);
  const wall = make("div", n > 16 ? "filterwall" : "filterwall few");
  wall.setAttribute("role", "radiogroup");
  wall.setAttribute("aria-label", `The ${n} filters of ${meta.layer}`);
  const buttons = Array.from({ length: n }, (_, i) => {
    const button = make("button", "filter");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-label", `Filter ${i}`);
    button.append(make("canvas", "pixels"), make("span", "num small quiet", String(i)));
    button.onclick = () => { state.at = i; mark(); draw(); };
    return button;
  });
  wall.append(...buttons);
  arrows(wall, buttons);
  const mark = () => buttons.forEach((button, i) => {
    button.setAttribute("aria-checked", String(i === state.at));
    button.tabIndex = i === state.at ? 0 : -1;
  });
  function paintWall() {
    buttons.forEach((button, i) => {
      const canvas = button.firstChild;
      [canvas.width, canvas.height] = [columns, rows];
      canvas.getContext("2d").drawImage(picture(i), 0, 0);
    });
    words.textContent = state.scale === "shared" ? `mid-grey is 0, the ends are ±${number(meta.limit)} in all filters` : "mid-grey is 0, each filter's own largest weight is at the end: sizes cannot be compared";
  }

  const side = make("div", "oneside");
  const title = make("h3");
  const open = make("button", "", "Look at this channel");
  open.type = "button";
  open.onclick = () => send("pick", { layer: meta.layer, channel: state.at });
  const head = make("div", "rowhead");
  head.append(title, open);
  const large = make("canvas");
  large.setAttribute("role", "img");
  const planes = make("div", "planes");
  const names = depth === 3 ? ["red", "green", "blue"] : ["grey"];
  const sheets = names.map((name, plane) => {
    const figure = make("figure");
    const canvas = make("canvas");
    canvas.tabIndex = plane ? -1 : 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `Weights for ${name}: arrows move from weight to weight`);
    figure.append(make("figcaption", "small quiet", `weights for ${name}`), canvas);
    planes.append(figure);
    return canvas;
  });
  const bars = make("div", "bars");
  const read = make("div", "readout");
  read.setAttribute("aria-live", "polite");
  side.append(head, large, planes, bars, read);
  const body = make("div", "filterbody");
  body.append(wall, side);
  root.replaceChildren(top, body);

  function draw() {
    const i = state.at;
    const cell = state.hover || state.cell;
    title.textContent = `Filter ${i} of ${meta.layer}`;
    open.disabled = meta.isLayer && i === meta.channel;
    const width = Math.min(side.clientWidth || 320, 360);
    const wide = Math.min(width, 180);
    const g = fit(large, wide, Math.round((wide * rows) / columns));
    g.drawImage(picture(i), 0, 0, wide, Math.round((wide * rows) / columns));
    large.setAttribute("aria-label", `Filter ${i} as a picture`);
    const top = limit(i);
    bars.replaceChildren(scaleBar([-top, top], state.scale === "shared" ? "weight, shared scale" : "weight, own scale", theme.mode));
    const each = Math.floor(((side.clientWidth || 320) - 8 * (names.length - 1)) / names.length);
    const share = Math.min(each, 200);
    sheets.forEach((canvas, plane) => {
      const source = mapCanvas(weights.data, i * size + plane * rows * columns, rows, columns, [-top, top], theme.mode);
      const tall = Math.round((share * rows) / columns);
      const h = fit(canvas, share, tall);
      h.drawImage(source, 0, 0, share, tall);
      if (cell) outline(h, theme, (cell[1] * share) / columns, (cell[0] * tall) / rows, share / columns, tall / rows, theme.kernel);
    });
    if (cell) {
      const [r, c] = cell;
      read.textContent = `Row ${r}, column ${c}: ${names.map((name, plane) => `${name} ${number(weight(i, plane, r, c))}`).join(", ")}.`;
    } else {
      const sums = names.map((name, plane) => {
        let sum = 0;
        for (let p = 0; p < rows * columns; p++) sum += weights.data[i * size + plane * rows * columns + p];
        return `${name} ${number(sum)}`;
      });
      read.textContent = `The weights sum to ${sums.join(", ")}: times the level of a flat area, that is what it answers there. Point at a weight to read it.`;
    }
  }
  const redraw = oncePerFrame(draw);
  const clamp = (v, most) => Math.max(0, Math.min(most - 1, v));
  sheets.forEach((canvas) => {
    const cellAt = (event) => {
      const box = canvas.getBoundingClientRect();
      return [clamp(Math.floor(((event.clientY - box.top) / box.height) * rows), rows), clamp(Math.floor(((event.clientX - box.left) / box.width) * columns), columns)];
    };
    canvas.onpointermove = (event) => { state.hover = cellAt(event); redraw(); };
    canvas.onpointerleave = () => { state.hover = null; redraw(); };
    canvas.onclick = (event) => { state.cell = cellAt(event); redraw(); };
    canvas.onkeydown = (event) => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (event.key === "Escape") state.cell = null;
      else if (by) state.cell = state.cell ? [clamp(state.cell[0] + by[0], rows), clamp(state.cell[1] + by[1], columns)] : [0, 0];
      else return;
      event.preventDefault();
      redraw();
    };
  });
  paintWall();
  mark();
  draw();
  return draw;
}
