// The builder: presets and undo, the row of cards, the selected layer, what can be added, the sums and what does not fit.

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const payload = unpack(data);
  const root = parentElement.querySelector(".bld");
  applyTheme(root);
  const state = stateOf(parentElement, () => ({ layers: [], selected: 0, back: [], forth: [], refocus: false, sent: null }));
  const meta = payload.meta;
  // An answer to an older change must not undo a newer one that is on its way.
  if (!state.sent || sameLayers(state.sent, meta.layers) || meta.told !== state.told) {
    if (state.sent && sameLayers(state.sent, meta.layers)) state.sent = null;
    if (!sameLayers(state.layers, meta.layers) && state.layers.length && !state.sent) state.refocus = false;
    state.layers = meta.layers;
    state.told = meta.told;
    state.sent = null;
  }
  state.selected = Math.max(0, Math.min(state.layers.length - 1, state.selected));
  const self = { root, state, meta, send: setTriggerValue, draw: () => drawBuilder(self), say: (words) => { root.querySelector(".bld-say").textContent = words; } };
  self.draw();
}

function drawBuilder(self) {
  const { root, state, meta } = self;
  const active = root.getRootNode().activeElement;
  // Everything is drawn anew: what had the focus gets it again.
  const own = active && root.contains(active) ? active.dataset : {};
  const scroll = root.querySelector(".bld-row") ? root.querySelector(".bld-row").scrollLeft : 0;
  root.dataset.waiting = state.sent ? "yes" : "no";

  const top = make("div", "bar");
  top.append(make("span", "quiet", "Begin with"));
  for (const { key, title, layers } of meta.presets) {
    const button = make("button", "bld-preset", title);
    button.type = "button";
    button.dataset.preset = key;
    button.setAttribute("aria-pressed", String(sameLayers(layers, state.layers)));
    button.onclick = () => change(self, layers, 0);
    top.append(button);
  }
  const spread = make("span", "bld-spread");
  for (const [words, sign, from, to] of [["Undo", "↶ Undo", "back", "forth"], ["Redo", "↷ Redo", "forth", "back"]]) {
    const button = make("button", "", sign);
    button.type = "button";
    button.setAttribute("aria-label", words);
    button.disabled = !state[from].length;
    button.onclick = () => undo(self, from, to);
    spread.append(button);
  }
  top.append(spread);

  const row = make("div", "bld-row");
  const list = make("div", "bld-list");
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-orientation", "horizontal");
  list.setAttribute("aria-label", "Layers: arrows choose, Shift with arrows moves, Delete removes");
  const known = state.layers.filter((layer) => layer.out !== undefined);
  const most = { parameters: Math.max(1, ...known.map((l) => l.parameters)), macs: Math.max(1, ...known.map((l) => l.macs)) };
  const cards = state.layers.map((layer, i) => layerCard(self, layer, i, most));
  list.append(...cards);
  row.append(inputCard(meta), list);

  const add = make("div", "bld-add");
  add.append(make("span", "quiet", "Add"));
  for (const [kind, { title }] of Object.entries(meta.kinds)) {
    const button = make("button", "", `+ ${title}`);
    button.type = "button";
    button.dataset.add = kind;
    button.style.setProperty("--tint", `var(--cl-${TINT[kind] || "quiet"})`);
    button.onclick = () => addLayer(self, kind);
    add.append(button);
  }
  const sums = make("div", "bld-sums");
  const sum = (name, words, className) => {
    const part = make("span");
    part.append(make("b", `num ${className}`, words), document.createTextNode(` ${name}`));
    sums.append(part);
  };
  sum("layers", String(state.layers.length), "");
  sum("parameters", meta.parameters.toLocaleString("en"), "ker");
  sum("multiply-adds for one picture", meta.macs.toLocaleString("en"), "out");
  const said = make("div", `bld-say ${meta.problem ? "wrong" : "right"}`);
  said.setAttribute("role", "status");
  said.textContent = meta.problem ? `✕ ${meta.problem}` : "✓ All layers fit.";
  root.replaceChildren(top, row, editPanel(self), add, sums, said);
  saves(root, { file: `my network for ${meta.dataTitle}`, csv: () => csvOfObjects(meta.layers) });

  row.scrollLeft = scroll;
  list.onkeydown = (event) => keys(self, event, cards);
  root.onkeydown = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.tagName === "INPUT") return;
    event.preventDefault();
    undo(self, ...(event.shiftKey ? ["forth", "back"] : ["back", "forth"]));
  };
  const again = own.field && root.querySelector(`input[data-field="${own.field}"]`);
  if (again) again.focus({ preventScroll: true });
  else if ((state.refocus || own.index !== undefined) && cards[state.selected]) {
    cards[state.selected].focus({ preventScroll: true });
    const [card, from] = [cards[state.selected], row.getBoundingClientRect()];
    const box = card.getBoundingClientRect();
    if (box.left < from.left || box.right > from.right) row.scrollLeft += box.left - from.left - 60;
  }
  state.refocus = false;
}

function keys(self, event, cards) {
  const { state } = self;
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (by && event.shiftKey) moveLayer(self, state.selected, state.selected + by);
  else if (by || event.key === "Home" || event.key === "End") {
    state.selected = event.key === "Home" ? 0 : event.key === "End" ? cards.length - 1 : Math.max(0, Math.min(cards.length - 1, state.selected + by));
    state.refocus = true;
    self.draw();
  } else if (event.key === "Delete" || event.key === "Backspace") removeLayer(self);
  else return;
  event.preventDefault();
}
