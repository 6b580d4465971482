// Follow the value: one unit, the part that made most of it, and so on to a pixel. Everything is walked in the browser;
// only another way, a guess or another start asks the server.

// Where the visitor was, whatever becomes of the element: a page that is drawn anew, or come back to, opens there.
let LEFT = null;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tl");
  const theme = applyTheme(root);
  const S = stateOf(parentElement, () => ({ at: 0, all: false, timer: 0, frame: 0, aim: null, hover: null, lit: null }));
  S.theme = theme;
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
    S.picture = null;
  }
  if (S.payload.meta.part === "start") return startPart(root, S, setTriggerValue);
  return walk(root, S, setTriggerValue);
}

function walk(root, S, send) {
  const find = (selector) => root.querySelector(selector);
  const { meta, rgb } = S.payload;
  const [H, W] = rgb.shape;
  const { steps } = meta;
  clearInterval(S.timer);
  S.timer = 0;
  S.rest?.();
  find(".tl-stage").hidden = false;
  find(".tl-start").hidden = true;
  root.dataset.waiting = meta.waiting ? "yes" : "no";
  S.picture ??= pictureCanvas(rgb);
  if (S.subject !== meta.subject) {
    const left = LEFT?.subject === meta.subject && (LEFT.text === meta.text || LEFT.turned !== undefined) ? LEFT : null;
    // For the first time: at the last turn that was taken, or at the start.
    const at = left ? left.at : Math.max(0, steps.findLastIndex((step) => step.turned));
    Object.assign(S, { subject: meta.subject, at, aim: null, lit: null, turned: left?.turned, text: left?.text, all: left?.all ?? S.all });
  }
  if (S.turned !== undefined && meta.text !== S.text) S.at = S.turned;
  S.turned = undefined;
  S.text = meta.text;
  const canvas = find(".tl-picture");
  const [list, open, readout] = [find(".tl-list"), find(".tl-open"), find(".tl-readout")];
  S.visible = listed(steps, S.all);
  const nearest = (at) => S.visible.reduce((best, i) => (Math.abs(i - at) < Math.abs(best - at) ? i : best), S.visible[0]);
  S.at = nearest(Math.min(S.at, steps.length - 1));
  find(".tl-question").textContent = meta.question;
  canvas.setAttribute("aria-label", meta.waiting ? `${meta.question} Arrow keys move the cross, Enter commits.` : "The picture with the window of the step that is read. Up and down arrow keys walk the trail.");

  const boxOf = (i) => clipped(steps[i].box, H, W);
  const draw = () => drawPicture(canvas, S, S.lit || boxOf(S.at));
  const redraw = oncePerFrame(draw);

  const remember = () => { LEFT = { subject: S.subject, text: S.text, at: S.at, turned: S.turned, all: S.all }; };
  function say(text) { readout.textContent = text; }
  function tell() {
    const step = steps[S.at];
    const box = boxOf(S.at);
    const caption = find("figcaption");
    if (meta.waiting) {
      caption.replaceChildren(make("b", "", "What the network saw"), ` · ${H} × ${W} pixels`);
      say(S.aim ? `Row ${Math.floor(S.aim[0])}, column ${Math.floor(S.aim[1])} of the picture. Enter or click to commit your guess.` : "Click in the picture, or move the cross with the arrow keys and press Enter.");
      return;
    }
    const [rows, columns] = [box[2] - box[0], box[3] - box[1]];
    const whole = rows >= H && columns >= W;
    caption.replaceChildren(make("b", "", whole ? "Lit: the whole picture" : `Lit: ${Number(rows.toFixed(1))} × ${Number(columns.toFixed(1))} pixels`),
      whole ? " is what this unit sees" : step.everything ? " on its local path; by a side path it sees the whole picture" : " are all that this unit sees");
    const n = S.visible.indexOf(S.at);
    const next = step.contributors.find((one) => one.followed);
    const sense = !next ? ` ${meta.ending}`
      : step.n_parts === 1 ? ` It comes from one number: ${next.place} of ${next.op}.`
      : step.share !== null ? ` Of its ${step.n_parts.toLocaleString("en")} parts, ${next.place} of ${next.op} puts in ${number(next.value)}, ${sharePercent(next.share)} of all that is added.`
      : step.combine === "max" ? ` ${next.place} is the largest of ${step.n_parts}.`
      : ` The trail goes on through ${next.place} of ${next.op} (${number(next.value)}).`;
    say(`Step ${n + 1} of ${S.visible.length}. ${step.short}, ${step.place}: ${number(step.value)}.${sense}`);
  }

  function go(at, quiet = false) {
    const from = S.lit || boxOf(S.at);
    S.at = at;
    remember();
    cancelAnimationFrame(S.frame);
    const to = boxOf(at);
    if (reducedMotion() || from.every((edge, i) => edge === to[i])) S.lit = null;
    else {
      const begun = performance.now();
      const move = (now) => {
        const share = Math.min(1, (now - begun) / 220);
        const eased = 1 - (1 - share) ** 3;
        S.lit = share < 1 ? from.map((edge, i) => edge + (to[i] - edge) * eased) : null;
        draw();
        if (share < 1) S.frame = requestAnimationFrame(move);
      };
      S.frame = requestAnimationFrame(move);
    }
    markRow(list, at);
    openStep(open, S, turn);
    if (!quiet) tell();
    buttons();
    redraw();
  }

  const index = () => S.visible.indexOf(S.at);
  const by = (n) => go(S.visible[Math.max(0, Math.min(S.visible.length - 1, index() + n))]);
  function stop() {
    clearInterval(S.timer);
    S.timer = 0;
    buttons();
  }
  function play() {
    if (S.timer) { stop(); tell(); return; }
    if (index() === S.visible.length - 1) go(S.visible[0], true);
    S.timer = setInterval(() => {
      if (index() === S.visible.length - 1) { stop(); tell(); return; }
      go(S.visible[index() + 1], true);
    }, 650);
    buttons();
  }
  function buttons() {
    const [n, last] = [index(), S.visible.length - 1];
    const label = S.timer ? "⏸ Pause" : "▶ Play";
    if (find(".tl-play").textContent !== label) find(".tl-play").textContent = label;
    for (const name of ["first", "back"]) find(`.tl-${name}`).disabled = n <= 0;
    for (const name of ["next", "last"]) find(`.tl-${name}`).disabled = n >= last;
    find(".tl-undo").disabled = !meta.undo;
    find(".tl-again").disabled = !meta.turned;
  }
  function turn(input, at) {
    stop();
    S.turned = S.at;
    remember();
    say("Following the other part …");
    send("act", { what: "turn", text: meta.text, step: S.at, input, index: at });
  }
  const act = (what) => { stop(); S.turned = what === "undo" ? S.at : 0; remember(); send("act", { what, text: meta.text }); };

  find(".tl-first").onclick = () => go(S.visible[0]);
  find(".tl-last").onclick = () => go(S.visible.at(-1));
  find(".tl-back").onclick = () => by(-1);
  find(".tl-next").onclick = () => by(1);
  find(".tl-play").onclick = play;
  find(".tl-undo").onclick = () => act("undo");
  find(".tl-again").onclick = () => act("again");
  find(".tl-link").onclick = () => copyLink(meta, say);
  saves(root, { file: meta.file, ready: !meta.waiting, csv: () => trailCsv(meta) });
  find(".tl-json").onclick = () => download(`${meta.file}.json`, trailJson(meta), "application/json");
  find(".tl-skip").onclick = () => send("act", { what: "skip", text: meta.text });
  const all = find(".tl-all input");
  all.checked = S.all;
  all.onchange = () => {
    S.all = all.checked;
    S.visible = listed(steps, S.all);
    fillList(list, S, (i) => { stop(); go(i); });
    go(nearest(S.at));
  };
  const keys = (event) => {
    const moves = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 8, PageUp: -8 };
    if (event.key in moves) by(moves[event.key]);
    else if (event.key === "Home") go(S.visible[0]);
    else if (event.key === "End") go(S.visible.at(-1));
    else if (event.key === " ") play();
    else if (event.key === "Escape") stop();
    else return;
    if (event.key !== " ") stop();
    event.preventDefault();
  };
  list.onkeydown = keys;

  // The guess: a cross in the picture.
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * H, ((event.clientX - box.left) / box.width) * W];
  };
  const inside = ([row, column]) => [Math.max(0, Math.min(H, row)), Math.max(0, Math.min(W, column))];
  const commit = (at) => { const [row, column] = inside(at); send("act", { what: "guess", text: meta.text, row, column }); };
  canvas.onpointermove = (event) => { if (meta.waiting) { S.aim = point(event); redraw(); tell(); } };
  canvas.onpointerleave = () => { if (meta.waiting) { S.aim = null; redraw(); } };
  canvas.onclick = (event) => meta.waiting && commit(point(event));
  canvas.onkeydown = (event) => {
    if (!meta.waiting) return keys(event);
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step && !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Enter" && S.aim) return commit(S.aim);
    const from = S.aim || [H / 2, W / 2];
    S.aim = event.key === "Escape" ? null : step ? inside([from[0] + (step[0] * H) / 16, from[1] + (step[1] * W) / 16]) : from;
    redraw();
    tell();
  };

  if (!meta.waiting) {
    fillList(list, S, (i) => { stop(); go(i); });
    go(S.at);
  } else {
    tell();
    draw();
  }
  S.rest = onResize(root, redraw);
  return () => {
    clearInterval(S.timer);
    cancelAnimationFrame(S.frame);
    S.rest();
  };
}
