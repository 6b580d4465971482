// The patches of many pictures that excite a channel most, beside blind ones and the least exciting; and all means.

function patchesPart({ root, state, payload, theme, send }) {
  const { meta, files, raw } = payload;
  dropUrls(state);
  const values = meta.rows.flatMap((row) => row.patches.map((patch) => patch.value));
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const sections = meta.rows.map((row) => {
    const section = make("section", `patchrow ${row.key}`);
    const head = make("div", "rowhead");
    head.append(make("h3", "", row.title), make("span", "small quiet", row.words));
    const wall = listed(make("div", "patches"), row.title);
    const buttons = row.patches.map((patch, i) => {
      const button = make("button", "patch");
      button.type = "button";
      button.dataset.value = patch.value;
      button.dataset.picture = patch.picture;
      button.setAttribute("aria-label", `${patch.title}, row ${patch.cell[0]}, column ${patch.cell[1]}: ${number(patch.value)}. Open it in Feature maps.`);
      button.title = `Open ${patch.title} at this unit`;
      const frame = make("span", "frame");
      if (patch.raw) {
        const canvas = make("canvas", "pixels");
        const small = rgbCanvas(raw.data, patch.raw[0], patch.raw[1], patch.raw[2]);
        canvas.width = small.width;
        canvas.height = small.height;
        canvas.getContext("2d").drawImage(small, 0, 0);
        frame.append(canvas);
      } else frame.append(jpegImage(state, files.data, patch.file, ""));
      const [height, width] = patch.size;
      const whole = make("span", "whole");
      const mark = make("span", "mark");
      const [top, left, bottom, right] = patch.box;
      Object.assign(mark.style, {
        top: `${(100 * top) / height}%`, left: `${(100 * left) / width}%`,
        width: `${(100 * (right - left)) / width}%`, height: `${(100 * (bottom - top)) / height}%`,
      });
      whole.append(jpegImage(state, files.data, patch.thumb, ""), mark);
      const words = make("span", "words");
      const value = make("span", "num out", number(patch.value));
      words.append(value);
      if (patch.own) words.append(make("b", "own small", "yours"));
      const foot = make("span", "foot");
      foot.append(whole, words);
      button.append(frame, foot, make("span", "name small", patch.title), bar(patch.value, low, high, "channel"));
      button.onclick = () => send("open", { layer: meta.layer, channel: meta.channel, picture: patch.picture, row: patch.cell[0], column: patch.cell[1] });
      return button;
    });
    wall.append(...buttons);
    arrows(wall, buttons);
    section.append(head, wall);
    return section;
  });
  const spread = make("section", "spread");
  const head = make("div", "rowhead");
  head.append(make("h3", "", "The channel's mean on every picture"), make("span", "small quiet", `n = ${meta.means.length} pictures; each mark is one, the bars count them`));
  const canvas = make("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `Means of channel ${meta.channel} on ${meta.means.length} pictures: left and right go from picture to picture`);
  const read = make("div", "readout");
  read.setAttribute("aria-live", "polite");
  spread.append(head, canvas, read);
  root.replaceChildren(...sections, spread);

  const means = [...meta.means].sort((a, b) => a.value - b.value);
  if (state.subject !== meta.subject) Object.assign(state, { subject: meta.subject, at: Math.max(0, means.findIndex((one) => one.here)), hover: null });
  const draw = () => histogram(canvas, read, means, state, theme, getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace");
  const redraw = oncePerFrame(draw);
  canvas.onpointermove = (event) => {
    const box = canvas.getBoundingClientRect();
    const value = state.place.low + ((event.clientX - box.left - state.place.left) / state.place.width) * (state.place.high - state.place.low);
    state.hover = means.reduce((best, one, i) => (Math.abs(one.value - value) < Math.abs(means[best].value - value) ? i : best), 0);
    redraw();
  };
  canvas.onpointerleave = () => { state.hover = null; redraw(); };
  readByTouch(canvas);
  canvas.onclick = () => { if (state.hover !== null) state.at = state.hover; redraw(); };
  canvas.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    state.hover = null;
    state.at = Math.max(0, Math.min(means.length - 1, state.at + step));
    redraw();
  };
  draw();
  return draw;
}

/** Bars that count the pictures, and under them a mark for each one. */
function histogram(canvas, read, means, state, theme, font) {
  const width = canvas.parentElement.clientWidth || 600;
  const [height, foot, left] = [150, 34, 8];
  const g = fit(canvas, width, height);
  g.clearRect(0, 0, width, height);
  const values = means.map((one) => one.value);
  let [low, high] = [Math.min(0, values[0]), Math.max(0, values[values.length - 1])];
  if (low === high) high = low + 1;
  const bins = 12;
  const counts = new Array(bins).fill(0);
  for (const v of values) counts[Math.min(bins - 1, Math.floor(((v - low) / (high - low)) * bins))] += 1;
  const most = Math.max(...counts);
  const room = width - 2 * left;
  state.place = { low, high, left, width: room };
  const x = (v) => left + ((v - low) / (high - low)) * room;
  const chosen = state.hover ?? state.at;
  g.font = `12px ${font}`;
  counts.forEach((count, i) => {
    const tall = (count / most) * (height - foot - 22);
    g.fillStyle = theme.output;
    g.globalAlpha = 0.3;
    g.fillRect(left + (i * room) / bins + 1, height - foot - tall, room / bins - 2, tall);
    g.globalAlpha = 1;
    g.fillStyle = theme.quiet;
    g.textAlign = "center";
    if (count) g.fillText(String(count), left + ((i + 0.5) * room) / bins, height - foot - tall - 5);
  });
  g.fillStyle = theme.line;
  g.fillRect(left, height - foot, room, 1);
  means.forEach((one, i) => {
    g.fillStyle = one.here ? theme.input : one.own ? theme.kernel : theme.output;
    g.globalAlpha = i === chosen || one.here ? 1 : 0.6;
    g.fillRect(x(one.value) - 1, height - foot + 2, 2, one.here ? 14 : 9);
    if (i === chosen) {
      g.globalAlpha = 1;
      g.beginPath();
      g.arc(x(one.value), height - foot + 9, 5, 0, 7);
      g.fill();
    }
  });
  g.globalAlpha = 1;
  g.fillStyle = theme.quiet;
  g.textAlign = "left";
  g.fillText(number(low, 3), left, height - 4);
  g.textAlign = "right";
  g.fillText(number(high, 3), width - left, height - 4);
  const one = means[chosen];
  const rank = means.length - chosen;
  read.textContent = one ? `${one.title}${one.here ? " (the picture on the bench)" : one.own ? " (yours)" : ""}: mean ${number(one.value)}, rank ${rank} of ${means.length}.` : "";
}
