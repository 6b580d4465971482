// The instrument: hover and arrow keys move a cell and its box; a click or Enter asks for that unit's effective field.
const SHOWS = [["here", "This picture"], ["mean", "Samples"], ["none", "None"]];

function stage(root, S, send) {
  const find = (selector) => root.querySelector(selector);
  const { meta, rgb } = S.payload;
  const [H, W] = rgb.shape;
  S.rest?.();
  find(".dp-stage").hidden = false;
  find(".dp-plot").hidden = true;
  const [seen, map, readout] = [find(".dp-seen canvas"), find(".dp-mapside > canvas"), find(".dp-readout")];
  if (S.subject !== meta.subject) Object.assign(S, { subject: meta.subject, hover: null });
  S.asked = false;
  // An average that was asked for is shown when it comes.
  if (meta.fields.mean && S.averaged === false) S.show = "mean";
  S.averaged = Boolean(meta.fields.mean);
  if (!meta.fields[S.show] && S.show !== "none") S.show = "here";
  S.margins = marginsOf(meta, H, W);
  S.summary = Object.fromEntries(["here", "mean"].filter((name) => meta.fields[name]).map((name) => [name, summaryOf(S.payload[name])]));
  map.hidden = meta.vector;
  find(".dp-mapscale").hidden = meta.vector;
  find(".dp-vector").hidden = !meta.vector;
  find(".dp-vector").textContent = meta.vectorWords;
  const { values } = S.payload;
  if (!meta.vector) {
    const [low, high] = extent(values.data);
    const table = scaleTable(low < 0 ? "diverging" : "sequential", S.theme.mode);
    const limit = Math.max(Math.abs(low), Math.abs(high));
    S.mapPicture = canvasOf(colourise(values.data, 0, meta.rows, meta.columns, table, low < 0 ? -limit : 0, limit));
    find(".dp-maplow").textContent = number(low < 0 ? -limit : 0, 3);
    find(".dp-maphigh").textContent = `${number(limit, 3)}, own scale`;
    drawScaleBar(find(".dp-mapscale canvas"), table, 90, 8);
  }
  seen.setAttribute("aria-label", `The picture as the network saw it, with the box of a cell of ${meta.layer}. Arrow keys move over ${meta.rows} by ${meta.columns} cells, Enter asks for the effective field, Escape goes back.`);
  map.setAttribute("aria-label", `Map of channel ${meta.channel} of ${meta.layer}. Arrow keys move, Enter asks for the effective field, Escape goes back.`);
  caption(find(".dp-seen figcaption"), "What the network saw", `${H} × ${W} pixels${S.margins.some((m) => m > 0) ? "; hatched: beyond it, padding alone" : ""}`);
  caption(find(".dp-mapside figcaption"), meta.vector ? meta.channelWords : `Channel ${meta.channel}`, meta.vector ? meta.layer : `${meta.layer}, ${meta.rows} × ${meta.columns} cells`);

  function paint() {
    const field = S.show === "none" ? null : S.payload[S.show];
    const limit = field ? S.summary[S.show].limit : 0;
    S.mixed = canvasOf(mixField(rgb, field, limit, S.opacity, S.theme.mode));
    find(".dp-scale").hidden = !field;
    if (field) drawScaleBar(find(".dp-scale canvas"), scaleTable("evidence", S.theme.mode), 110, 10);
    find(".dp-high").textContent = field ? number(limit, 3) : "";
    find(".dp-unit").textContent = !field ? "The picture and the box alone."
      : limit ? `Share of the unit's gradient that a pixel holds; own scale, which ends where 99.5 % of the pixels lie below. Dashed circle: as large as the pixels that hold 90 %.`
      : meta.silent;
    const facts = find(".dp-facts");
    facts.replaceChildren(...(meta.fields[S.show]?.facts || meta.boxFacts).flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
    draw();
  }
  const draw = () => {
    drawSeen(seen, S, S.hover);
    drawMap(map, S, S.hover);
    tell();
  };
  const redraw = oncePerFrame(draw);
  const repaint = oncePerFrame(paint);

  function tell() {
    if (S.asked) return;
    if (meta.vector) {
      readout.textContent = `${meta.channelWords}: ${number(meta.value)}. ${meta.everythingWords}`;
      return;
    }
    const at = S.hover || meta.cell;
    const [row, column] = at;
    const box = boxAt(meta, row, column);
    const outs = [["above", -box[0]], ["to the left", -box[1]], ["below", box[2] - H], ["to the right", box[3] - W]].filter(([, by]) => by > 0);
    const [t, l, b, r] = [Math.max(0, Math.floor(box[0])), Math.max(0, Math.floor(box[1])), Math.min(H, Math.ceil(box[2])), Math.min(W, Math.ceil(box[3]))];
    const whole = t === 0 && l === 0 && b === H && r === W;
    const size = `${round(box[2] - box[0])} × ${round(box[3] - box[1])} pixels`;
    const covers = meta.everything ? `${meta.everythingWords} The dashed box, ${size}, is its local path.`
      : whole ? `Its box, ${size}, covers the whole picture.` : `It sees rows ${t} to ${b - 1} and columns ${l} to ${r - 1}: a box of ${size}.`;
    const beyond = outs.length ? ` It sticks out into the padding: ${outs.map(([where, by]) => `${round(by)} ${where}`).join(", ")}.` : "";
    const same = meta.cell && row === meta.cell[0] && column === meta.cell[1];
    readout.replaceChildren(`Channel ${meta.channel}, row ${row}, column ${column}: `, make("span", "num", number(values.data[row * meta.columns + column])),
      `. ${covers}${beyond}${same ? "" : " Click or press Enter for its effective field."}`);
  }

  const clamp = (cell, n) => Math.max(0, Math.min(n - 1, cell));
  function cellOnPicture(event) {
    const rect = seen.getBoundingClientRect();
    const [mt, ml, mb, mr] = S.margins;
    const y = ((event.clientY - rect.top) / rect.height) * (H + mt + mb) - mt;
    const x = ((event.clientX - rect.left) / rect.width) * (W + ml + mr) - ml;
    const [top, left, bottom, right] = meta.field.box;
    const { stride } = meta.field;
    return [stride[0] ? clamp(Math.round((y - (top + bottom) / 2) / stride[0]), meta.rows) : 0,
      stride[1] ? clamp(Math.round((x - (left + right) / 2) / stride[1]), meta.columns) : 0];
  }
  function cellOnMap(event) {
    const rect = map.getBoundingClientRect();
    return [clamp(Math.floor(((event.clientY - rect.top) / rect.height) * meta.rows), meta.rows), clamp(Math.floor(((event.clientX - rect.left) / rect.width) * meta.columns), meta.columns)];
  }
  function ask(cell) {
    if (meta.cell && cell[0] === meta.cell[0] && cell[1] === meta.cell[1]) return;
    S.asked = true;
    readout.textContent = `Working out the effective field of row ${cell[0]}, column ${cell[1]} …`;
    send("unit", { subject: meta.subject, row: cell[0], column: cell[1] });
  }
  for (const [canvas, cellOf] of [[seen, cellOnPicture], [map, cellOnMap]]) {
    canvas.onpointermove = meta.vector ? null : (event) => { S.hover = cellOf(event); redraw(); };
    canvas.onpointerleave = () => { S.hover = null; redraw(); };
    canvas.onclick = meta.vector ? null : (event) => ask(cellOf(event));
    canvas.onkeydown = meta.vector ? null : (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step && !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      if (event.key === "Enter") { if (S.hover) ask(S.hover); }
      else if (event.key === "Escape") S.hover = null;
      else {
        const from = S.hover || meta.cell;
        S.hover = [clamp(from[0] + step[0], meta.rows), clamp(from[1] + step[1], meta.columns)];
      }
      redraw();
    };
  }
  const holder = find(".dp-switch");
  holder.replaceChildren(...SHOWS.map(([name, words]) => {
    const button = make("button", "", words);
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(S.show === name));
    button.disabled = name === "mean" && !meta.fields.mean;
    if (button.disabled) button.title = "Average it over the samples first, with the button under the instrument.";
    button.onclick = () => {
      S.show = name;
      for (const other of holder.children) other.setAttribute("aria-checked", String(other === button));
      paint();
    };
    return button;
  }));
  const slider = find(".dp-slider input");
  const show = () => { find(".dp-slider output").textContent = `${Math.round(100 * S.opacity)} %`; };
  slider.value = 100 * S.opacity;
  slider.oninput = () => { S.opacity = Number(slider.value) / 100; show(); repaint(); };
  show();
  find(".dp-png").onclick = () => seen.toBlob((blob) => download(`${meta.file}.png`, blob), "image/png");
  // As long as nothing is chosen to be laid over the picture and a guess is asked for, there is no field to give away.
  saves(root, {
    file: meta.file,
    csv: meta.fields.here ? () => csvOfArray(S.payload[S.show === "mean" ? "mean" : "here"], ["row", "column"], "share_of_gradient") : null,
  });
  paint();
  S.rest = onResize(root, redraw);
  return () => S.rest();
}

const round = (value) => Number(value.toFixed(1));

function caption(element, strong, rest) {
  element.replaceChildren(make("b", "", strong), ` · ${rest}`);
}
