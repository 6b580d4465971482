// What a landmark is known for, in numbers; and the five small networks' answers to one picture.
function cardsOf(meta) {
  const cards = make("div", "cards");
  for (const one of meta.cards) {
    const right = meta.truth ? one.top[0].name === meta.truth : null;
    const card = make("div", `card ${right === null ? "" : right ? "ok" : "no"}`);
    card.append(make("div", "name", one.title));
    card.append(make("div", `verdict ${right === null ? "quiet" : right ? "right" : "wrong"}`, right === null ? "" : right ? "✓ right" : "✗ not right"));
    one.top.forEach((guess, index) => {
      const line = make("div", `p ${index ? "" : "first"}`);
      const rail = make("div", "rail");
      const bar = make("i");
      bar.style.width = `${100 * guess.probability}%`;
      rail.append(bar);
      line.append(make("span", "w", guess.name), make("span", "num", `${(100 * guess.probability).toFixed(1)} %`), rail);
      card.append(line);
    });
    cards.append(card);
  }
  return cards;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".cl");
  const stage = root.querySelector(".stage");
  const readout = root.querySelector(".readout");
  applyTheme(root);
  const { meta } = unpack(data);
  const state = stateOf(parentElement, () => ({}));
  root.dataset.view = meta.view;
  readout.hidden = meta.view === "bars" || meta.view === "cards";
  if (meta.view === "cards") stage.replaceChildren(cardsOf(meta));
  else if (meta.view === "connections") {
    stage.replaceChildren(...drawConnections(stage, readout, meta.reads, meta.area, state), ...barsOf(meta.groups, meta.measures));
  } else stage.replaceChildren(...barsOf(meta.groups, meta.measures));
  const rows = meta.view === "cards" ? meta.cards.flatMap((one) => one.top.map(({ name, probability }) => ({ network: one.title, class: name, probability })))
    : meta.groups.flatMap((group) => group.rows.map((row) => ({ group: group.title, ...row })));
  saves(root, { file: meta.view === "cards" ? "answers of five networks" : `counts ${meta.groups[0].title || meta.groups[0].rows[0].title}`, csv: () => csvOfObjects(rows) });
}
