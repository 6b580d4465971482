// Several methods' maps side by side: one cursor in all of them, one scale or each its own. The raw numbers are here, so
// nothing that follows the mouse goes to the server; only a guess, and the placement that a link should keep, are sent.

function wall(root, S, send) {
  const { meta, rgb } = S.payload;
  const size = [rgb.shape[0], rgb.shape[1]];
  const [H, W] = size;
  if (S.subject !== meta.subject) Object.assign(S, { subject: meta.subject, hover: null, pin: null, aim: null });
  if (S.opened !== meta.opened) Object.assign(S, { opened: meta.opened, place: meta.place, slide: meta.place === "naive" ? 1 : 0 });
  root.dataset.name = meta.name;
  if (meta.shared) S.scale ??= "shared";
  S.scale ??= "own";
  root.dataset.waiting = meta.waiting ? "yes" : "no";
  root.replaceChildren();
  const plain = canvasOf(mixed(rgb.data, size, null, 0, false, 0, S.theme.mode));
  if (meta.waiting) return asking(root, S, send, plain);

  const controls = root.appendChild(make("div", "sal-controls"));
  const scaleNote = make("p", "sal-note quiet small");
  const grid = make("div", "sal-grid");
  const readout = make("p", "readout sal-readout");
  readout.setAttribute("aria-live", "polite");
  root.append(grid, readout, scaleNote);

  const tiles = meta.tiles.map((tile, i) => buildTile(tile, S.payload[`map${i}`]));
  const seen = pictureTile();
  grid.append(seen.figure, ...tiles.map((tile) => tile.figure));
  const canvases = [seen, ...tiles];

  function pictureTile() {
    const figure = make("figure", "sal-tile sal-seen");
    const head = figure.appendChild(make("div", "sal-head"));
    head.append(make("b", "", "What the network saw"));
    const canvas = figure.appendChild(make("canvas"));
    const caption = figure.appendChild(make("figcaption", "small quiet"));
    caption.append(`${H} × ${W} pixels`, make("br"), `${meta.title}: `, make("span", "num", number(meta.value)));
    return { figure, canvas, image: plain, name: "The picture as the network saw it" };
  }

  function buildTile(tile, map) {
    const figure = make("figure", "sal-tile");
    figure.dataset.method = tile.key;
    const head = figure.appendChild(make("div", "sal-head"));
    head.append(make("b", "", tile.title));
    const save = head.appendChild(make("button", "sal-save", "PNG"));
    save.type = "button";
    save.setAttribute("aria-label", `Save the picture of ${tile.title} as PNG`);
    const frame = figure.appendChild(make("div", "sal-frame"));
    const canvas = frame.appendChild(make("canvas"));
    const nothing = frame.appendChild(make("div", "sal-nothing"));
    const value = figure.appendChild(make("div", "sal-value num"));
    const scale = figure.appendChild(make("div", "scale"));
    const [low, bar, high] = [make("span", "num sal-low"), make("canvas", "sal-bar"), make("span", "num sal-high")];
    scale.append(low, bar, high);
    const caption = figure.appendChild(make("figcaption", "small quiet"));
    const made = { ...tile, figure, canvas, map, value, low, bar, high, caption, nothing, save, name: tile.title };
    save.onclick = () => savePixels(made.image, H, W, tile.file);
    return made;
  }

  const signed = () => S.sign === "both";
  const beneath = { picture: rgb.data, grey: dimmed(rgb.data), nothing: new Uint8Array(rgb.data.length).fill(S.theme.mode === "dark" ? 24 : 250) };

  /** Where a tile's own scale ends: the largest value; for maps of single pixels, whose few largest would leave the rest
   * invisible, the 99.5th percentile. -> { limit, most } */
  function ownScale(tile, sign) {
    tile.scales ??= {};
    return (tile.scales[sign] ??= (() => {
      if (tile.empty[sign]) return { limit: 0, most: 0 };
      const used = sign === "both" ? tile.map.data.map(Math.abs) : positivePart(tile.map.data);
      const most = largestSize(used);
      const cut = tile.cells === "pixels" ? quantile(used, 0.995) : most;
      return { limit: cut > 0 ? cut : most, most };
    })());
  }

  /** What is drawn and on which scale: after any change but a move of the cursor. */
  function paint() {
    const own = tiles.map((tile) => ownScale(tile, S.sign).limit);
    const all = Math.max(0, ...own);
    tiles.forEach((tile, i) => {
      const kept = S.kept && S.kept.limits[`${tile.key}:${S.sign}`];
      tile.limit = S.scale === "shared" ? all : S.scale === "kept" && kept ? kept : own[i];
      const empty = tile.empty[S.sign];
      const used = signed() ? tile.map.data : positivePart(tile.map.data);
      tile.drawn = empty ? null : drawnMap(used, tile.map.shape, size, tile.place, S.slide, S.grain === "smooth");
      tile.image = canvasOf(mixed(beneath[S.beneath], size, tile.drawn, tile.limit, signed(), S.opacity, S.theme.mode));
      tile.nothing.textContent = empty ? proper(tile.note[S.sign]) : "";
      tile.figure.dataset.empty = empty ? "yes" : "no";
      const beyond = ownScale(tile, S.sign).most > tile.limit * (1 + 1e-6);
      tile.low.textContent = empty ? "nothing to show" : signed() ? `${beyond ? "≤ " : ""}${number(-tile.limit, 3)}` : "0";
      tile.high.textContent = empty ? "" : `${beyond ? "≥ " : ""}${number(tile.limit, 3)}`;
      tile.bar.hidden = empty;
      drawScaleBar(tile.bar, scaleTable(signed() ? "diverging" : "evidence", S.theme.mode), 84, 8);
      const words = { own: beyond ? "own scale, up to its 99.5th percentile" : "own scale", shared: "shared scale", kept: kept ? "kept scale" : "own scale" }[S.scale];
      const [down, right] = tile.shift;
      const slid = S.place === "naive" && (down || right)
        ? `, drawn ${number(Math.abs(down), 3)} px too far ${down > 0 ? "down" : "up"} and ${number(Math.abs(right), 3)} too far ${right > 0 ? "right" : "left"}` : "";
      tile.caption.replaceChildren(`${tile.unit}; ${words}`, make("br"), `${tile.layer}, ${tile.map.shape[0]} × ${tile.map.shape[1]} ${tile.cells}${slid}`);
      for (const line of [tile.settings && `Set: ${tile.settings}`, tile.remark]) if (line) tile.caption.append(make("br"), proper(line));
      tile.caption.dataset.slid = slid ? "yes" : "no";
    });
    scaleNote.textContent = S.scale === "shared"
      ? meta.shared || `One scale for all shown, up to ${number(all, 3)}. The methods' units differ, so a pale map need not be a weak one.`
      : S.scale === "kept" ? `Limits kept from ${S.kept.from}: a colour means the same number there and here. A map that was not shown then has its own scale.`
        : "Each map on its own scale: colours compare places within a map, not maps with each other.";
    draw();
  }

  function arrange() {
    const n = canvases.length;
    const width = grid.clientWidth || root.clientWidth;
    const gap = 20;
    const most = Math.max(1, Math.floor((width + gap) / ((width < 560 ? 150 : 210) + gap)));
    const rows = Math.ceil(n / most);
    let columns = Math.min(n, most);
    while (columns > 1 && Math.ceil(n / (columns - 1)) === rows) columns -= 1;
    grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, ${n <= 3 ? "24rem" : "1fr"}))`;
  }

  function draw() {
    for (const one of canvases) {
      const width = one.canvas.parentElement.clientWidth;
      if (!width || !one.image) continue;
      const height = (width * H) / W;
      const context = fit(one.canvas, width, height);
      context.drawImage(one.image, 0, 0, width, height);
      if (meta.guess) targetAt(context, (meta.guess[1] * width) / W, (meta.guess[0] * height) / H);
      const at = S.pin || S.hover;
      if (at) crossAt(context, ((at[1] + 0.5) * width) / W, ((at[0] + 0.5) * height) / H);
    }
    read();
  }

  function read() {
    const at = S.pin || S.hover;
    for (const tile of tiles) {
      if (!tile.drawn) tile.value.textContent = "–";
      else if (at) tile.value.textContent = number(tile.drawn[at[0] * W + at[1]]);
      else {
        const top = tile.drawn.reduce((best, v, i) => (v > tile.drawn[best] ? i : best), 0);
        tile.value.replaceChildren(number(tile.drawn[top]), make("span", "small quiet", ` greatest, row ${Math.floor(top / W)}, column ${top % W}`));
      }
    }
    readout.textContent = at
      ? `Row ${at[0]}, column ${at[1]}${S.pin ? " (pinned)" : ""}: ${tiles.map((t) => `${t.title} ${t.drawn ? number(t.drawn[at[0] * W + at[1]]) : "says nothing"}`).join(" · ")}`
      : "Move over a picture, or press an arrow key in one: all maps read the same pixel. Click or Enter pins it, Escape frees it.";
  }

  const schedule = oncePerFrame(draw);
  const repaint = oncePerFrame(paint);
  for (const one of canvases) {
    one.canvas.tabIndex = 0;
    one.canvas.setAttribute("role", "application");
    one.canvas.setAttribute("aria-label", `${one.name}. Arrow keys move the cursor of all maps, with Shift by one pixel; Enter pins, Escape frees.`);
    steer(one.canvas, S, size, schedule);
  }
  controlBar(controls, S, meta, {
    repaint,
    place: (value) => slideTo(S, value, paint, () => send("place", { subject: meta.subject, place: value })),
    keep: () => {
      const limits = {};
      for (const sign of ["positive", "both"]) {
        for (const tile of tiles) limits[`${tile.key}:${sign}`] = ownScale(tile, sign).limit;
      }
      S.kept = { limits, from: meta.from };
    },
  });
  arrange();
  paint();
  return onResize(root, () => { arrange(); draw(); });
}

/** Pointer and keys move one cursor, in pixels of the picture. */
function steer(canvas, S, [H, W], schedule) {
  const inside = (y, x) => [Math.max(0, Math.min(H - 1, Math.floor(y))), Math.max(0, Math.min(W - 1, Math.floor(x)))];
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return inside(((event.clientY - box.top) / box.height) * H, ((event.clientX - box.left) / box.width) * W);
  };
  canvas.onpointermove = (event) => { S.hover = point(event); schedule(); };
  canvas.onpointerleave = () => { S.hover = null; schedule(); };
  canvas.onclick = (event) => {
    S.pin = S.pin ? null : point(event);
    S.hover = point(event);
    schedule();
  };
  canvas.onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step && !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Escape") S.pin = S.hover = null;
    else if (event.key === "Enter") S.pin = S.pin ? null : S.hover;
    else {
      const from = S.pin || S.hover;
      const by = event.shiftKey ? 1 : Math.max(1, Math.round(H / 28));
      const next = from ? inside(from[0] + by * step[0], from[1] + by * step[1]) : inside(H / 2, W / 2);
      if (S.pin) S.pin = next;
      S.hover = next;
    }
    schedule();
  };
}

/** The maps slide from one placement to the other, so that the eye sees by how much. */
function slideTo(S, place, paint, done) {
  const [from, to, start] = [S.slide, place === "naive" ? 1 : 0, performance.now()];
  S.place = place;
  cancelAnimationFrame(S.sliding);
  const step = (now) => {
    const t = reducedMotion() ? 1 : Math.min(1, (now - start) / 280);
    S.slide = from + (to - from) * t * (2 - t);
    paint();
    if (t < 1) S.sliding = requestAnimationFrame(step);
    else done();
  };
  S.sliding = requestAnimationFrame(step);
}

function controlBar(holder, S, { compact, shared }, { repaint, place, keep }) {
  const set = (name, after) => (value) => { S[name] = value; after?.(value); repaint(); };
  const slider = make("label", "sal-slider");
  const [input, output] = [make("input"), make("output", "num")];
  Object.assign(input, { type: "range", min: 0, max: 100, step: 1, value: Math.round(100 * S.opacity) });
  const show = () => { output.textContent = `${Math.round(100 * S.opacity)} %`; };
  input.oninput = () => { S.opacity = Number(input.value) / 100; show(); repaint(); };
  show();
  slider.append(make("span", "sal-label quiet", "Opacity"), input, output);
  holder.append(
    choice("Sign", [["positive", "Evidence for"], ["both", "For and against"]], S.sign, set("sign")),
    choice("Placement", [["aligned", "Aligned", "Each cell at its receptive field's centre"], ["naive", "Naive", "Stretched from edge to edge, as most tools do"]], S.place, place),
  );
  if (compact) {
    if (shared) holder.append(choice("Scale", [["own", "Own"], ["shared", "All shown"]], S.scale, set("scale")));
    return;
  }
  holder.append(
    choice("Scale", [["own", "Own"], ["shared", "All shown"], ["kept", "Fixed", "Keep the limits of now while you change picture or class"]], S.scale,
      set("scale", (value) => { if (value === "kept") keep(); })),
    choice("Drawing", [["smooth", "Smooth"], ["cells", "Cells"]], S.grain, set("grain")),
    choice("Beneath", [["grey", "Grey"], ["picture", "Picture"], ["nothing", "Nothing"]], S.beneath, set("beneath")),
    slider,
  );
}

/** The guess: the picture alone, and the question beside it. */
function asking(root, S, send, plain) {
  const { meta, rgb } = S.payload;
  const [H, W] = [rgb.shape[0], rgb.shape[1]];
  const stage = root.appendChild(make("div", "sal-ask"));
  const holder = stage.appendChild(make("div", "sal-ask-picture"));
  const canvas = holder.appendChild(make("canvas"));
  const words = stage.appendChild(make("div", "sal-ask-words"));
  const line = make("p", "readout quiet");
  line.setAttribute("aria-live", "polite");
  const skip = make("button", "sal-skip", "Show the maps without a guess");
  skip.type = "button";
  skip.onclick = () => send("guess", { subject: meta.subject, skip: true });
  words.append(make("p", "sal-question", meta.question), line, skip);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", meta.question);
  const clamp = (v, most) => Math.max(0, Math.min(most - 1, v));
  const commit = (at) => send("guess", { subject: meta.subject, row: at[0], column: at[1] });
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [clamp(((event.clientY - box.top) / box.height) * H, H), clamp(((event.clientX - box.left) / box.width) * W, W)];
  };
  function draw() {
    const width = holder.clientWidth;
    if (!width) return;
    const context = fit(canvas, width, (width * H) / W);
    context.drawImage(plain, 0, 0, width, (width * H) / W);
    if (S.aim) targetAt(context, (S.aim[1] * width) / W, (S.aim[0] * width) / W);
    line.textContent = S.aim ? `Row ${Math.round(S.aim[0])}, column ${Math.round(S.aim[1])}. Click or Enter commits your guess.`
      : "Click in the picture, or move the cross with the arrow keys and press Enter.";
  }
  const schedule = oncePerFrame(draw);
  canvas.onpointermove = (event) => { S.aim = point(event); schedule(); };
  canvas.onpointerleave = () => { S.aim = null; schedule(); };
  canvas.onclick = (event) => commit(point(event));
  canvas.onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step && !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Enter" && S.aim) return commit(S.aim);
    const from = S.aim || [H / 2, W / 2];
    S.aim = event.key === "Escape" ? null : step ? [clamp(from[0] + (step[0] * H) / 16, H), clamp(from[1] + (step[1] * W) / 16, W)] : S.aim;
    schedule();
  };
  draw();
  return onResize(root, draw);
}
