// Before and after: the picture as the network sees it, and the classes' logits and probabilities on shared scales.

function beforeAfter({ root, meta, before, after, send }) {
  root.replaceChildren();
  const body = push(root, "div", "iv-outcome");
  const pair = push(body, "div", "iv-pictures");
  body.dataset.same = meta.samePicture ? "yes" : "no";
  const pictures = [["Before", before, "before"], ["After", after, "after"]];
  for (const [title, picture, name] of meta.samePicture ? pictures.slice(0, 1) : pictures) {
    const figure = push(pair, "figure");
    const caption = push(figure, "figcaption");
    if (!meta.samePicture) push(caption, "i", `iv-key ${name}`);
    push(caption, "span", "", meta.samePicture ? "The picture stays" : title);
    const made = pictureCanvas(picture);
    const canvas = push(figure, "canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${title}: the picture as the network sees it`);
    canvas.width = made.width;
    canvas.height = made.height;
    canvas.getContext("2d").drawImage(made, 0, 0);
  }
  const numbers = push(body, "div", "iv-classes");
  const head = push(numbers, "div", "iv-row iv-rowhead small quiet");
  for (const words of ["class", "logit", "change", "probability"]) push(head, "span", "", words);
  const key = push(head.firstChild, "span", "iv-keys");
  for (const name of ["before", "after"]) push(key, "i", `iv-key ${name}`).after(name);
  const reach = meta.classes.flatMap((c) => [c.zb, c.za]);
  const [low, high] = [Math.min(0, ...reach), Math.max(0, ...reach)];
  const place = (z) => (high > low ? (100 * (z - low)) / (high - low) : 0);
  const rows = meta.classes.map((c) => {
    const row = numbers.appendChild(actionButton("", "iv-row"));
    row.dataset.index = c.index;
    row.setAttribute("aria-pressed", String(c.index === meta.target));
    const name = push(row, "span", "iv-name", c.name);
    name.title = c.name;
    const marks = [meta.winner[0] === c.index && "first before", meta.winner[1] === c.index && "first after"].filter(Boolean);
    if (marks.length) push(name, "span", "small quiet iv-first", marks.length === 2 ? "first before and after" : marks[0]);
    const logit = push(row, "span", "iv-bars");
    logit.append(bar("before", Math.min(place(0), place(c.zb)), Math.abs(place(c.zb) - place(0)), number(c.zb)),
      bar("after", Math.min(place(0), place(c.za)), Math.abs(place(c.za) - place(0)), number(c.za)));
    logit.style.setProperty("--zero", `${place(0)}%`);
    const change = push(row, "span", "num iv-change", delta(c.za - c.zb));
    change.dataset.sign = Math.sign(c.za - c.zb);
    const chance = push(row, "span", "iv-bars");
    chance.append(bar("before", 0, 100 * c.pb, share(c.pb)), bar("after", 0, 100 * c.pa, share(c.pa)));
    chance.style.setProperty("--zero", "0%");
    row.setAttribute("aria-label", `${c.name}: logit ${number(c.zb)} before, ${number(c.za)} after; probability ${share(c.pb)} before, ${share(c.pa)} after`);
    row.onclick = () => send("choose", { index: c.index });
    return row;
  });
  numbers.onkeydown = (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const at = rows.indexOf(root.getRootNode().activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    rows[Math.max(0, Math.min(rows.length - 1, at + step))].focus();
  };
  push(numbers, "p", "small quiet", `Bars: logits on one shared scale, ${number(low, 3)} to ${number(high, 3)}; probabilities from 0 to 1. Click a class to ask about it.`);
  return null;
}

function bar(name, left, width, words) {
  const line = make("span", "iv-bar");
  const track = push(line, "span", "iv-track");
  const fill = push(track, "span", `iv-fill ${name}`);
  fill.style.left = `${left}%`;
  fill.style.width = `${Math.max(0, width)}%`;
  push(line, "span", `num ${name}`, words);
  return line;
}

function share(p) {
  return p >= 0.00005 ? p.toFixed(4) : "< .0001";
}

/** The visitor's channels and random draws of as many: each change of the logit as a bar from 0. */
function controlBars({ root, meta }) {
  root.replaceChildren();
  const values = meta.bars.map((b) => b.value);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const place = (v) => (high > low ? (100 * (v - low)) / (high - low) : 0);
  const list = push(root, "div", "iv-control");
  list.setAttribute("role", "list");
  for (const one of meta.bars) {
    const row = push(list, "div", "iv-controlrow");
    row.setAttribute("role", "listitem");
    row.dataset.mine = one.mine ? "yes" : "no";
    const name = push(row, "span", "", one.title);
    if (one.detail) push(name, "span", "small quiet num", ` ${one.detail}`);
    const track = push(row, "span", "iv-track");
    track.style.setProperty("--zero", `${place(0)}%`);
    const fill = push(track, "span", "iv-fill");
    fill.style.left = `${Math.min(place(0), place(one.value))}%`;
    fill.style.width = `${Math.abs(place(one.value) - place(0))}%`;
    push(row, "span", "num", delta(one.value));
  }
  push(root, "p", "small quiet", `Change of the logit of ${meta.label}, one shared scale from ${number(low, 3)} to ${number(high, 3)}.`);
  return null;
}
