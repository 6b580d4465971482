// What changed while it learned: the first layer's kernels and the confusions at each evaluation.

function filmPart(self) {
  const { root, state, payload, theme } = self;
  const { meta, kernels, confusion } = payload;
  const n = meta.steps.length;
  // While it trains, the newest is shown, unless somebody looks at an older one.
  if (state.frame === undefined || state.follow !== false || state.frame >= n) state.frame = n - 1;
  const bar = make("div", "bar");
  const play = make("button", "trd-play", state.playing ? "⏸ Pause" : "▶ Play");
  play.type = "button";
  const slider = make("input");
  Object.assign(slider, { type: "range", min: 0, max: n - 1, step: 1, value: state.frame });
  slider.setAttribute("aria-label", "Evaluation, from the first step to the last");
  const where = make("span", "num trd-where");
  bar.append(play, slider, where);

  const body = make("div", "trd-body");
  const left = make("figure");
  const right = make("figure");
  const readout = make("div", "readout");
  readout.setAttribute("aria-live", "polite");
  let paintKernels = () => {};
  if (kernels) {
    const [, filters, channels, rows, columns] = kernels.shape;
    left.append(caption("ker", "First layer’s kernels", `${filters} of ${rows} × ${columns}${channels > 1 ? `, ${channels} colours` : ""}`));
    const wall = make("div", "trd-wall");
    const canvases = Array.from({ length: filters }, (_, f) => {
      const canvas = make("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Kernel ${f}`);
      wall.append(canvas);
      return canvas;
    });
    left.append(wall);
    const size = channels * rows * columns;
    let limit = 0;
    for (const value of kernels.data) limit = Math.max(limit, Math.abs(value));
    const scale = make("div", "scale");
    const strip = make("canvas");
    if (channels === 1) {
      drawScaleBar(strip, scaleTable("diverging", theme.mode));
      scale.append(make("span", "num", number(-limit, 3)), strip, make("span", "num", number(limit, 3)), make("span", "", "weights, shared scale over all steps"));
    } else scale.append(make("span", "", `weights of red, green, blue as a colour; grey is 0, full colour ±${number(limit, 3)}; shared scale over all steps`));
    left.append(scale);
    paintKernels = () => canvases.forEach((canvas, f) => {
      const start = (state.frame * filters + f) * size;
      const image = channels === 1
        ? colourise(kernels.data, start, rows, columns, scaleTable("diverging", theme.mode), -limit, limit)
        : colours(kernels.data, start, rows, columns, limit);
      const g = fit(canvas, 56, 56);
      g.drawImage(canvasOf(image), 0, 0, 56, 56);
    });
  } else left.append(caption("ker", "First layer’s kernels", "this network begins with no convolution, so it has none"));
  let matrix = null;
  if (confusion) {
    right.append(caption("", "Which is taken for which", `the first ${meta.nTest} test pictures`));
    const classes = meta.names.length;
    matrix = confusionView({ names: meta.names, values: confusion.data, offset: 0, theme, readout, label: "Confusion matrix at this step: arrows read it cell by cell" });
    right.append(matrix.box, readout);
    matrix.step = () => matrix.to(state.frame * classes * classes);
  }
  body.append(left, right);
  root.replaceChildren(bar, body);

  const draw = () => {
    if (state.frame >= n) return; // a frame that was asked for before a new run came
    slider.value = state.frame;
    where.textContent = `step ${meta.steps[state.frame].toLocaleString("en")}: ${(100 * meta.accuracies[state.frame]).toFixed(1)} %`;
    paintKernels();
    if (matrix) matrix.step();
  };
  slider.oninput = () => { state.frame = Number(slider.value); state.follow = state.frame === n - 1; draw(); };
  clearInterval(state.timer);
  const tick = () => {
    state.frame = state.frame + 1 >= n ? 0 : state.frame + 1;
    if (state.frame === n - 1) { state.playing = false; clearInterval(state.timer); play.textContent = "▶ Play"; }
    draw();
  };
  play.onclick = () => {
    state.playing = !state.playing;
    state.follow = !state.playing;
    play.textContent = state.playing ? "⏸ Pause" : "▶ Play";
    clearInterval(state.timer);
    if (state.playing) { if (state.frame === n - 1) state.frame = -1; tick(); state.timer = setInterval(tick, 450); }
  };
  if (state.playing) state.timer = setInterval(tick, 450);
  draw();
  return draw;
}

function caption(role, head, words) {
  const line = make("figcaption");
  line.append(make("b", role, head), make("span", "quiet small", ` ${words}`));
  return line;
}

/** Three channels of weights as a colour round grey. */
function colours(values, start, rows, columns, limit) {
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(127.5 + (127.5 * values[start + c * rows * columns + i]) / (limit || 1));
    image.data[4 * i + 3] = 255;
  }
  return image;
}
