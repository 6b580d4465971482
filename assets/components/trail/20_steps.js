// The steps as a list, and the one that is read: its value, its map, and the parts that made it.
const sharePercent = (share) => (share === null ? "" : share >= 0.995 ? "all" : share < 0.001 ? "< 0.1 %" : `${(100 * share).toPrecision(share < 0.1 ? 2 : 2)} %`);
const dotted = (index) => index.join(", ");
const MADE = {
  sum: (n) => `Added from ${n.toLocaleString("en")} ${n === 1 ? "part" : "parts"}`,
  mean: (n) => `The mean of ${n.toLocaleString("en")} numbers, each divided by ${n.toLocaleString("en")}`,
  max: (n) => `The largest of ${n.toLocaleString("en")} numbers`,
  product: (n) => `The product of ${n} numbers`,
  function: () => "A function of one number",
  copy: () => "The same number, passed on",
};

/** Which steps are listed: those where parts meet, the first, the last, and where the visitor turned. */
function listed(steps, all) {
  return steps.map((_, i) => i).filter((i) => all || i === 0 || i === steps.length - 1 || steps[i].turned || steps[i].n_parts > 1);
}

function fillList(list, S, choose) {
  const { steps } = S.payload.meta;
  list.replaceChildren(...S.visible.map((i) => {
    const step = steps[i];
    const row = make("div", "tl-row");
    row.id = `tl-${i}`;
    row.setAttribute("role", "option");
    row.dataset.step = i;
    if (step.turned) row.dataset.turned = "yes";
    const taken = make("span", "num");
    const bar = make("span", "tl-share");
    if (step.share !== null && step.n_parts > 1) {
      taken.textContent = sharePercent(step.share);
      bar.style.setProperty("--share", `${Math.max(2, 100 * step.share)}%`);
    } else bar.style.visibility = "hidden";
    row.append(make("b", "", step.short), make("span", "num", number(step.value, 4)), taken, make("span", "at", step.place), bar);
    row.title = `Step ${i}: ${step.title}, ${step.place}`;
    row.onclick = () => choose(i);
    return row;
  }));
}

function markRow(list, at) {
  for (const row of list.children) {
    const here = Number(row.dataset.step) === at;
    row.setAttribute("aria-selected", String(here));
    if (!here) continue;
    list.setAttribute("aria-activedescendant", row.id);
    // Not scrollIntoView: that would move the page too.
    if (row.offsetTop < list.scrollTop) list.scrollTop = row.offsetTop - 4;
    else if (row.offsetTop + row.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = row.offsetTop + row.offsetHeight - list.clientHeight + 4;
  }
}

function thumbOf(S, step) {
  const { mode } = S.theme;
  const holder = make("div", "tl-thumb");
  if (!step.map) return holder;
  const { start, h, w, low, high, row, column } = step.map;
  const table = scaleTable(low < 0 ? "diverging" : "sequential", mode);
  const limit = Math.max(Math.abs(low), Math.abs(high));
  const values = Float32Array.from({ length: h * w }, (_, k) => low + (S.payload.maps.data[start + k] * (high - low)) / 255);
  const picture = canvasOf(colourise(values, 0, h, w, table, low < 0 ? -limit : 0, limit));
  const canvas = holder.appendChild(make("canvas"));
  const side = 84;
  const [width, height] = w >= h ? [side, (side * h) / w] : [(side * w) / h, side];
  const g = fit(canvas, width, height);
  g.drawImage(picture, 0, 0, width, height);
  const k = width / w;
  g.strokeStyle = "rgba(0,0,0,.8)";
  g.lineWidth = 3.5;
  g.strokeRect(column * k, row * k, Math.max(3, k), Math.max(3, k));
  g.strokeStyle = MARK;
  g.lineWidth = 1.5;
  g.strokeRect(column * k, row * k, Math.max(3, k), Math.max(3, k));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${step.map.title}, the unit marked`);
  holder.append(make("div", "", step.map.title), make("div", "", "own scale,"), make("div", "num", `${number(low, 3)} to ${number(high, 3)}`));
  return holder;
}

/** The step that is read, in full; `turn` is called with (input, index) of another part. */
function openStep(holder, S, turn) {
  const { meta } = S.payload;
  const step = meta.steps[S.at];
  const head = make("div", "tl-head");
  const words = make("div");
  const value = make("div", "tl-value num", number(step.value));
  if (step.matches) value.append(make("span", "right", " ✓"));
  words.append(make("div", "tl-title", step.title), make("div", "small quiet tl-name", `${step.op} · ${step.place}`), value);
  head.append(words, thumbOf(S, step));
  const parts = [head];
  if (step.contributors.length) {
    parts.push(make("p", "tl-made", (MADE[step.combine] || (() => "Made of"))(step.n_parts)));
    const far = Math.max(...step.contributors.map((one) => Math.abs(one.value)), 1e-30);
    const several = new Set(step.contributors.map((one) => one.op)).size > 1;
    for (const one of step.contributors) parts.push(partButton(step, one, far, several, turn));
    const sum = (label, value, note = "") => {
      const line = make("div", "tl-sum");
      line.append(make("span"), make("span", "", label), make("span", "num", value === null ? "" : number(value)), make("span", "num quiet", note));
      parts.push(line);
      return line;
    };
    if (step.n_rest) sum(`${step.n_rest.toLocaleString("en")} more${step.rest === null ? "" : ", together"}`, step.rest);
    if (step.bias !== null) sum("bias", step.bias);
    if (step.n_parts > 1 && ["sum", "mean"].includes(step.combine)) sum("this unit", step.computed, step.matches ? "✓" : "≠").classList.add("total");
  } else {
    parts.push(make("p", "tl-made", meta.ending));
  }
  holder.replaceChildren(...parts);
}

function partButton(step, one, far, several, turn) {
  const button = make("button", "tl-part");
  button.type = "button";
  button.setAttribute("aria-pressed", String(one.followed));
  const where = make("span", "where", one.place.replace("channel", "ch.").replace("column", "col."));
  if (several) where.append(make("small", "", one.op));
  const meter = make("span", "meter");
  const bar = meter.appendChild(make("i", one.value < 0 ? "minus" : ""));
  bar.style.width = `${(50 * Math.abs(one.value)) / far}%`;
  bar.style[one.value < 0 ? "right" : "left"] = "50%";
  button.append(make("span", "", one.followed ? "→" : ""), where, make("span", "num", number(one.value)), make("span", "num quiet", sharePercent(one.share)), meter);
  button.title = one.followed ? "The trail goes on here" : `Go on from ${one.place} of ${one.op} instead`;
  if (step.n_parts < 2) button.disabled = true;
  else button.onclick = () => !one.followed && turn(one.input, one.index);
  return button;
}
