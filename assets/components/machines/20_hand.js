// A digit that is moved and shuffled by hand, and what three machines make of it at every place: all of it is here.

function hand(root, S, send) {
  const { meta } = S.payload;
  const { reach } = meta;
  const side = 2 * reach + 1;
  const pixels = S.payload.digit.data;
  const order = S.payload.order.data;
  const scores = meta.waiting ? null : S.payload.scores; // (sets, machines, side, side, classes)
  if (S.subject !== meta.subject) Object.assign(S, { subject: meta.subject, down: meta.place[0], right: meta.place[1], shuffle: meta.shuffled, aim: null });
  S.told = meta.told;
  S.stop?.();

  const box = make("div", "mm-hand");
  const left = box.appendChild(make("div", "mm-left"));
  const canvas = left.appendChild(make("canvas", "mm-digit"));
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `A handwritten ${meta.label}. Arrow keys or dragging move it, Home brings it back, S shuffles its pixels.`);
  const bar = left.appendChild(make("div", "bar mm-bar"));
  const switcher = bar.appendChild(choiceOf("Pixels", [["no", "In order"], ["yes", "Shuffled"]], S.shuffle ? "yes" : "no", (key) => { S.shuffle = key === "yes"; S.aim = null; all(); }));
  const play = bar.appendChild(make("button", "", "▶ Walk"));
  const home = bar.appendChild(make("button", "", "Middle"));
  const keep = bar.appendChild(make("button", "mm-keep", "Keep in the link"));
  for (const button of [play, home, keep]) button.type = "button";
  const where = left.appendChild(make("div", "small quiet mm-where"));

  const cards = box.appendChild(make("div", "mm-cards"));
  const machines = meta.machines.map((machine, m) => {
    const card = cards.appendChild(make("section", "mm-card"));
    card.dataset.machine = machine.key;
    const head = card.appendChild(make("div", "mm-head"));
    head.append(make("b", "", machine.title));
    const says = head.appendChild(make("span", "mm-says"));
    const part = { card, says, m, machine };
    if (meta.waiting) {
      card.append(make("p", "small quiet mm-what", machine.what));
      return part;
    }
    const body = card.appendChild(make("div", "mm-body"));
    part.map = body.appendChild(make("canvas", "mm-map"));
    part.map.tabIndex = 0;
    part.map.setAttribute("role", "application");
    part.map.setAttribute("aria-label", `${machine.title}: what it says with the digit at each place. Arrow keys look, Enter moves the digit there.`);
    part.bars = body.appendChild(make("div", "mm-bars"));
    part.rows = meta.classes.map((name) => {
      const row = part.bars.appendChild(make("div", "mm-row"));
      const track = make("span", "mm-track");
      const fill = track.appendChild(make("span", "mm-fill"));
      const value = make("span", "num mm-value");
      row.append(make("span", "num", name), track, value);
      return { row, fill, value };
    });
    part.count = card.appendChild(make("div", "small quiet mm-count"));
    return part;
  });
  const readout = make("div", "readout");
  readout.setAttribute("aria-live", "polite");
  const note = make("p", "small quiet mm-note", meta.waiting ? "Drag the digit or use the arrow keys, and shuffle its pixels. What the machines say is shown once you have guessed." :
    "Each small map has one cell for every place of the digit, 8 px each way: filled where the machine is right, otherwise the digit that it says. A shuffled digit is shown to machines that learned from digits shuffled in the very same way.");
  root.replaceChildren(box, readout, note);

  const current = () => S.aim || [S.down, S.right];
  const at = (m, down, right) => {
    const set = S.shuffle ? 1 : 0;
    const start = (((set * machines.length + m) * side + down + reach) * side + right + reach) * meta.classes.length;
    return scores.data.subarray(start, start + meta.classes.length);
  };
  const best = (values) => values.reduce((top, v, i) => (v > values[top] ? i : top), 0);

  function digit() {
    const [down, right] = current();
    const seen = S.shuffle ? shuffled(moved(pixels, down, right), order) : moved(pixels, down, right);
    const size = Math.min(336, Math.floor((left.clientWidth || 300) / SIDE) * SIDE);
    const context = fit(canvas, size, size);
    context.drawImage(greyCanvas(seen, S.theme.mode), 0, 0, size, size);
    canvas.dataset.down = down;
    canvas.dataset.right = right;
    canvas.dataset.shuffled = S.shuffle;
    where.textContent = `A ${meta.label}, ${placeText(down, right)}${S.shuffle ? ", then its pixels shuffled" : ""}. Test picture ${meta.index}.`;
  }

  function maps() {
    for (const part of machines) {
      const size = Math.min(238, Math.max(170, (part.map.parentElement.clientWidth || 238) >= 330 ? 204 : 221));
      const cell = size / side;
      const context = fit(part.map, size, size);
      context.clearRect(0, 0, size, size);
      context.font = `${Math.round(cell * 0.72)}px ${getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace"}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      let right = 0;
      for (let r = 0; r < side; r++) {
        for (let c = 0; c < side; c++) {
          const top = best(at(part.m, r - reach, c - reach));
          const good = top === meta.target;
          right += good;
          context.fillStyle = good ? S.theme.output : S.theme.panel;
          context.fillRect(c * cell, r * cell, cell - 0.75, cell - 0.75);
          if (!good) {
            context.fillStyle = S.theme.quiet;
            context.fillText(meta.classes[top], (c + 0.5) * cell, (r + 0.54) * cell);
          }
        }
      }
      part.card.dataset.right = right;
      part.count.textContent = `right at ${right} of ${side * side} places`;
      const [down, across] = current();
      context.lineWidth = 2.5;
      context.strokeStyle = S.theme.text;
      context.strokeRect((across + reach) * cell - 1.5, (down + reach) * cell - 1.5, cell + 2.25, cell + 2.25);
      // The middle, where it was while they learned.
      context.lineWidth = 1;
      context.strokeStyle = S.theme.page;
      context.strokeRect(reach * cell + 2, reach * cell + 2, cell - 4.75, cell - 4.75);
    }
  }

  function bars() {
    const [down, right] = current();
    for (const part of machines) {
      const values = [...at(part.m, down, right)];
      const top = best(values);
      let shown = values;
      let words = (v) => `${(100 * v).toFixed(1)} %`;
      if (part.machine.probabilities) {
        const high = Math.max(...values);
        const powers = values.map((v) => Math.exp(v - high));
        const sum = powers.reduce((a, b) => a + b, 0);
        shown = powers.map((v) => v / sum);
      } else words = (v) => number(v, 3);
      const good = top === meta.target;
      part.says.textContent = `${good ? "✓" : "≠"} says ${meta.classes[top]}`;
      part.says.className = `mm-says ${good ? "right" : "wrong"}`;
      part.card.dataset.says = top;
      const limit = part.machine.probabilities ? 1 : Math.max(...shown.map(Math.abs), 1e-6);
      part.rows.forEach(({ row, fill, value }, k) => {
        row.dataset.top = k === top ? "yes" : "no";
        row.dataset.target = k === meta.target ? "yes" : "no";
        const part_ = Math.abs(shown[k]) / limit;
        if (part.machine.probabilities) Object.assign(fill.style, { left: "0", width: `${100 * part_}%` });
        else Object.assign(fill.style, { left: `${shown[k] < 0 ? 50 - 50 * part_ : 50}%`, width: `${50 * part_}%` });
        value.textContent = words(shown[k]);
      });
    }
    const told = machines.map((part) => `${part.machine.short} says ${meta.classes[best(at(part.m, down, right))]}`);
    if (!S.timer) readout.textContent = `${placeText(down, right)[0].toUpperCase()}${placeText(down, right).slice(1)}${S.shuffle ? ", pixels shuffled" : ""}: ${told.join("; ")}. It is a ${meta.label}.`;
  }

  const all = oncePerFrame(() => {
    digit();
    switcher.pick(S.shuffle ? "yes" : "no");
    if (!meta.waiting) {
      maps();
      bars();
    } else readout.textContent = "";
    const here = `${S.down}~${S.right}~${S.shuffle ? "shuffled" : "plain"}`;
    keep.disabled = here === S.told;
  });
  const clip = (v) => Math.max(-reach, Math.min(reach, v));
  const go = (down, right) => {
    Object.assign(S, { down: clip(down), right: clip(right), aim: null });
    all();
  };
  const stopWalk = () => {
    clearInterval(S.timer);
    S.timer = 0;
    play.textContent = "▶ Walk";
    play.setAttribute("aria-label", "Walk the digit down and right, one pixel at a time");
  };
  S.stop = stopWalk;
  stopWalk();
  play.onclick = () => {
    if (S.timer) { stopWalk(); return all(); }
    let step = 0;
    go(0, 0);
    play.textContent = "⏸ Pause";
    play.setAttribute("aria-label", "Pause");
    S.timer = setInterval(() => {
      step++;
      if (step > reach) { stopWalk(); return all(); }
      go(step, step);
    }, 450);
  };
  home.onclick = () => { stopWalk(); go(0, 0); };
  keep.onclick = () => send("keep", [S.down, S.right, S.shuffle]);
  canvas.onkeydown = (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (by) { stopWalk(); go(S.down + by[0], S.right + by[1]); }
    else if (event.key === "Home" || event.key === "Escape") { stopWalk(); go(0, 0); }
    else if (event.key === " ") play.click();
    else if (event.key === "s" || event.key === "S") { S.shuffle = !S.shuffle; all(); }
    else return;
    event.preventDefault();
  };
  canvas.onpointerdown = (event) => {
    stopWalk();
    canvas.setPointerCapture(event.pointerId);
    const scale = SIDE / canvas.clientWidth;
    const from = [event.clientY, event.clientX, S.down, S.right];
    canvas.onpointermove = (move) => go(from[2] + Math.round((move.clientY - from[0]) * scale), from[3] + Math.round((move.clientX - from[1]) * scale));
  };
  canvas.onpointerup = canvas.onpointercancel = () => { canvas.onpointermove = null; };
  for (const part of machines) {
    if (!part.map) continue;
    const cellAt = (event) => {
      const bounds = part.map.getBoundingClientRect();
      return [(event.clientY - bounds.top) / bounds.height, (event.clientX - bounds.left) / bounds.width].map((v) => clip(Math.floor(v * side) - reach));
    };
    part.map.onpointermove = (event) => { S.aim = cellAt(event); all(); };
    part.map.onpointerleave = () => { S.aim = null; all(); };
    part.map.onclick = (event) => { stopWalk(); go(...cellAt(event)); };
    part.map.onblur = () => { S.aim = null; all(); };
    part.map.onkeydown = (event) => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      const from = current();
      if (by) { S.aim = [clip(from[0] + by[0]), clip(from[1] + by[1])]; all(); }
      else if (event.key === "Enter") { stopWalk(); go(...from); }
      else if (event.key === "Escape") { S.aim = null; all(); }
      else return;
      event.preventDefault();
    };
  }
  all();
  const rest = onResize(root, all);
  return () => { stopWalk(); rest(); };
}
