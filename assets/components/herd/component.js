// A wall of animals: where the evidence of one network, or of two, lies on each; hover and arrows send nothing.

export default function (component) {
  const { parentElement, data } = component;
  const payload = unpack(data);
  const { meta } = payload;
  const root = parentElement.querySelector(".hd");
  const theme = applyTheme(root);
  const state = stateOf(parentElement, () => ({ kind: 0, opacity: 0.85, edge: true, shared: true, picked: null, hover: null }));
  state.kind = Math.min(state.kind, meta.kinds.length - 1);
  const veils = new Map();
  const kind = () => meta.kinds[state.kind];
  const count = () => kind().labels.length;

  const bar = make("div", "bar");
  const kinds = make("span", "hd-kinds");
  kinds.setAttribute("role", "radiogroup");
  kinds.setAttribute("aria-label", "Ground");
  const buttons = meta.kinds.map((one, k) => {
    const button = make("button", "", one.title);
    button.type = "button";
    button.setAttribute("role", "radio");
    button.onclick = () => { state.kind = k; draw(); };
    kinds.append(button);
    return button;
  });
  const opacity = make("input");
  Object.assign(opacity, { type: "range", min: 0, max: 1, step: 0.05, value: state.opacity });
  opacity.setAttribute("aria-label", "Opacity of the evidence");
  opacity.oninput = () => { state.opacity = Number(opacity.value); draw(); };
  const faded = make("label", "small quiet", "Evidence");
  faded.append(opacity);
  const toggle = (title, name) => {
    const button = make("button", "", title);
    button.type = "button";
    button.onclick = () => { state[name] = !state[name]; draw(); };
    return button;
  };
  const edge = toggle("Outline", "edge");
  const shared = toggle("Shared scale", "shared");
  if (meta.kinds.length > 1) bar.append(kinds);
  if (meta.looks.length) bar.append(faded, edge, shared);

  const wall = make("div", "hd-looks");
  const looks = (meta.looks.length ? meta.looks : [{ key: "", title: "", notes: [] }]).map((look, l) => {
    const box = make("div", "hd-look");
    const title = make("h3", "", look.title);
    const note = make("p", "small quiet");
    const canvas = make("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${look.title || "Pictures"}: arrows read one picture after the other, Escape lets go`);
    if (look.title) box.append(title, note);
    box.append(canvas);
    wall.append(box);
    canvas.onpointermove = (event) => { hover(at(canvas, event)); };
    canvas.onpointerleave = () => { hover(null); };
    canvas.onclick = (event) => { const i = at(canvas, event); state.picked = i === state.picked ? null : i; draw(); };
    canvas.onkeydown = (event) => key(event, canvas);
    return { ...look, l, canvas, note };
  });
  const scale = make("div", "scale");
  const readout = make("div", "readout");
  readout.setAttribute("aria-live", "polite");
  root.replaceChildren(bar, wall, ...(meta.looks.length ? [scale] : []), readout);

  function hover(i) {
    if (i === state.hover) return;
    state.hover = i;
    again();
  }
  function at(canvas, event) {
    const rect = canvas.getBoundingClientRect();
    const { size, gap, columns, tall } = canvas.geometry;
    const [c, r] = [Math.floor((event.clientX - rect.left) / (size + gap)), Math.floor((event.clientY - rect.top) / tall)];
    const i = r * columns + c;
    return c >= 0 && c < columns && i >= 0 && i < count() ? i : null;
  }
  function key(event, canvas) {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -canvas.geometry.columns, ArrowDown: canvas.geometry.columns }[event.key];
    if (event.key === "Escape") state.picked = null;
    else if (by) state.picked = state.picked === null ? 0 : Math.max(0, Math.min(count() - 1, state.picked + by));
    else return;
    event.preventDefault();
    draw();
  }
  function most(look) {
    const values = payload[`maps_${look}_${kind().key}`].data;
    return values.reduce((high, value) => Math.max(high, value), 0);
  }
  function veil(look, i, side, high) {
    const name = `${look}_${kind().key}_${i}_${high}`;
    if (!veils.has(name)) veils.set(name, veilOf(payload[`maps_${look}_${kind().key}`], i, side, meta.place, high, theme));
    return veils.get(name);
  }

  function draw() {
    const own = kind();
    const pictures = payload[`pictures_${own.key}`];
    const side = pictures.shape[1];
    buttons.forEach((button, k) => button.setAttribute("aria-checked", String(k === state.kind)));
    edge.setAttribute("aria-pressed", String(state.edge));
    shared.setAttribute("aria-pressed", String(state.shared));
    const marked = state.hover ?? state.picked;
    for (const look of looks) {
      const width = Math.max(240, look.canvas.parentElement.clientWidth);
      const columns = Math.min(count(), width >= 640 ? 6 : width >= 380 ? 4 : 3);
      const gap = 8;
      const size = Math.min(260, Math.floor((width - gap * (columns - 1)) / columns)); // a single picture is no poster
      const words = meta.looks.length ? 36 : 20;
      const tall = size + words;
      look.canvas.geometry = { size, gap, columns, tall };
      const g = fit(look.canvas, width, tall * Math.ceil(count() / columns));
      g.clearRect(0, 0, width, tall * Math.ceil(count() / columns));
      const high = meta.looks.length ? most(look.l) : 0;
      look.note.textContent = look.notes[state.kind] ?? "";
      const font = getComputedStyle(look.canvas).fontFamily;
      for (let i = 0; i < count(); i++) {
        const [x, y] = [(i % columns) * (size + gap), Math.floor(i / columns) * tall];
        g.drawImage(pictureOf(pictures, i), x, y, size, size);
        g.textBaseline = "top";
        if (meta.looks.length) {
          const [, h, w] = payload[`maps_${look.l}_${own.key}`].shape;
          const mine = payload[`maps_${look.l}_${own.key}`].data.subarray(i * h * w, (i + 1) * h * w);
          const top = state.shared ? high : mine.reduce((a, b) => Math.max(a, b), 0);
          g.globalAlpha = state.opacity;
          g.imageSmoothingEnabled = false;
          if (top > 0) g.drawImage(veil(look.l, i, side, top), x, y, size, size);
          g.globalAlpha = 1;
          if (state.edge) outline(g, payload[`masks_${own.key}`], i, x, y, size);
          const [named, right] = [look.named[state.kind][i], look.named[state.kind][i] === own.labels[i]];
          g.font = `600 12px ${font}`;
          g.fillStyle = right ? theme.right : theme.wrong;
          g.fillText(`${right ? "✓" : "✗"} ${meta.names[named]} ${size > 84 ? perCent(look.probabilities[state.kind][i]) : ""}`, x, y + size + 3);
          g.font = `11px ${font}`;
          g.fillStyle = theme.quiet;
          g.fillText(`${perCent(payload[`shares_${look.l}_${own.key}`].data[i])} ${size > 84 ? "on the animal" : "on it"}`, x, y + size + 19);
        } else {
          g.font = `12px ${font}`;
          g.fillStyle = theme.quiet;
          g.fillText(own.captions[i], x, y + size + 3);
        }
        if (i === marked) {
          for (const [colour, line] of [[theme.page, 5], [theme.accent, 3]]) {
            g.strokeStyle = colour;
            g.lineWidth = line;
            g.strokeRect(x + 2, y + 2, size - 4, size - 4);
          }
        }
      }
    }
    bars();
    say(marked);
  }

  function bars() {
    if (!meta.looks.length) return;
    scale.replaceChildren();
    const table = scaleTable("evidence", theme.mode);
    looks.forEach((look) => {
      const canvas = make("canvas");
      drawScaleBar(canvas, table, 96);
      const high = state.shared ? number(most(look.l), 3) : "each picture’s own largest";
      const what = state.shared ? `shared scale${looks.length > 1 ? `, ${look.title.toLowerCase()}` : ""}` : "own scale";
      scale.append(make("span", "num", "0"), canvas, make("span", "num", high), make("span", "", `evidence for the named class, part of the logit per cell (${what})`));
    });
  }

  function say(i) {
    const own = kind();
    if (i === null || i >= count()) {
      readout.textContent = meta.looks.length
        ? "Point at a picture, or use the arrows: what the network says, and how much of its evidence lies on the animal."
        : "Point at a picture, or use the arrows.";
      return;
    }
    const what = `Picture ${i + 1}, a ${own.captions[i]}`;
    if (!meta.looks.length) { readout.textContent = `${what}.`; return; }
    const area = perCent(payload[`areas_${own.key}`].data[i]);
    const said = looks.map((look) => {
      const share = payload[`shares_${look.l}_${own.key}`].data[i];
      const named = `“${meta.names[look.named[state.kind][i]]}” with probability ${look.probabilities[state.kind][i].toFixed(3)}`;
      const where = Number.isFinite(share) ? `${perCent(share)} of its evidence lies on the animal` : "its map holds no positive evidence";
      return `${looks.length > 1 ? `${look.title}: ` : "it is called "}${named}; ${where}`;
    });
    readout.textContent = `${what}, which covers ${area} of the picture. ${said.join(". ")}.`.replace(/\. it is/, ": it is");
  }

  const again = oncePerFrame(draw);
  draw();
  saves(root, { file: () => `wall ${kind().title || "of animals"}`, csv: meta.looks.length ? () => csvOfObjects(kind().captions.flatMap((caption, i) => looks.map((look) => ({
    picture: i + 1, caption, network: look.title, named: meta.names[look.named[state.kind][i]], probability: look.probabilities[state.kind][i],
    area_of_animal: payload[`areas_${kind().key}`].data[i], evidence_on_animal: payload[`shares_${look.l}_${kind().key}`].data[i],
  })))) : null });
  const stop = onResize(root, again);
  return () => stop();
}
