// The row of cards from the picture to the classes, and the selected layer's numbers under it.

function inputCard(meta) {
  const card = make("div", "bld-card fixed");
  card.append(make("div", "bld-name", "Picture"), shapeDrawing(meta.input, "input", meta.input[1]));
  card.append(make("div", "num bld-shape", meta.inputWords), make("div", "quiet small bld-cost", meta.dataTitle));
  return card;
}

function layerCard(self, layer, index, most) {
  const { meta, state } = self;
  const known = layer.out !== undefined;
  const card = make("button", "bld-card");
  card.type = "button";
  card.dataset.index = index;
  card.dataset.kind = layer.kind;
  card.setAttribute("role", "option");
  card.setAttribute("aria-selected", String(index === state.selected));
  card.tabIndex = index === state.selected ? 0 : -1;
  const problem = meta.problemAt === index && known === false;
  if (problem) card.classList.add("bad");
  const title = meta.kinds[layer.kind].title;
  const drawn = TINT[layer.kind];
  card.append(make("div", "bld-name", title));
  if (known) card.append(shapeDrawing(layer.out, index === state.layers.length - 1 ? "output" : drawn, meta.input[1]));
  else card.append(make("div", "bld-unknown", problem ? "does not fit" : "…"));
  card.append(make("div", "num bld-shape", known ? layer.outWords : "–"));
  const detail = detailOf(self, layer, index);
  card.append(make("div", "small quiet bld-detail", detail));
  // The words that are seen stand in the name as they are, for those who steer by speaking them.
  const seen = [...card.children].map((part) => part.textContent.trim()).filter(Boolean).join(" ");
  for (const part of [...card.children]) part.after(" ");
  const cost = make("div", "bld-bars");
  if (known) {
    for (const [name, value, limit] of [["ker", layer.parameters, most.parameters], ["out", layer.macs, most.macs]]) {
      const bar = make("span", `bld-bar ${name}`);
      const fill = make("i");
      fill.style.width = `${value ? Math.max(3, (100 * value) / limit) : 0}%`;
      bar.append(fill);
      cost.append(bar);
    }
    const words = `${layer.parameters.toLocaleString("en")} parameters, ${layer.macs.toLocaleString("en")} multiply-adds`;
    card.title = `${layer.title}: ${layer.inWords} → ${layer.outWords}; ${words}`;
    card.setAttribute("aria-label", `Layer ${index + 1} of ${state.layers.length}: ${seen}. ${words}`);
  } else card.setAttribute("aria-label", `Layer ${index + 1} of ${state.layers.length}: ${seen}`);
  card.append(cost);
  card.onclick = () => { state.selected = index; state.refocus = true; self.draw(); };
  draggable(self, card, index);
  return card;
}

function detailOf(self, layer, index) {
  if (layer.kind === "conv") return `${layer.kernel} × ${layer.kernel}${layer.stride > 1 ? ` /${layer.stride}` : ""}${layer.padding !== (layer.kernel - 1) >> 1 ? `, pad ${layer.padding}` : ""}`;
  if (layer.kind === "max" || layer.kind === "avg") return `${layer.kernel} × ${layer.kernel}${layer.stride !== layer.kernel ? ` /${layer.stride}` : ""}`;
  if (layer.kind === "res") return `2 × 3 × 3${layer.stride > 1 ? ` /${layer.stride}` : ""} + skip`;
  if (layer.kind === "drop") return `${layer.units} %`;
  if (layer.kind === "linear" && index === self.state.layers.length - 1) return `${self.meta.classes} classes`;
  return " ";
}

/** The numbers of the selected layer, and what can be done to it. */
function editPanel(self) {
  const { state, meta } = self;
  const panel = make("div", "bld-edit");
  const layer = state.layers[state.selected];
  if (!layer) {
    panel.append(make("span", "quiet", "Add a first layer below, or begin with one of the four networks above."));
    return panel;
  }
  const kind = meta.kinds[layer.kind];
  const head = make("b", "", `Layer ${state.selected + 1}: ${kind.title}`);
  panel.append(head);
  const isLast = state.selected === state.layers.length - 1;
  for (const name of kind.numbers) {
    if (layer.kind === "linear" && isLast) {
      panel.append(make("span", "quiet", `gives one number for each of the ${meta.classes} classes`));
      continue;
    }
    const [low, high] = meta.limits[`${layer.kind}.${name}`];
    const label = make("label", "bld-field");
    const input = make("input");
    Object.assign(input, { type: "number", min: low, max: high, step: 1, value: layer[name] });
    input.dataset.field = name;
    const words = name === "units" ? kind.units : FIELD_WORDS[name];
    label.append(make("span", "", words[0].toUpperCase() + words.slice(1)), input);
    input.onchange = () => { state.field = name; setNumber(self, name, Number(input.value)); };
    panel.append(label);
  }
  const actions = make("span", "bld-actions");
  const act = (words, sign, go, disabled = false) => {
    const button = make("button", "", sign);
    button.type = "button";
    button.title = words;
    button.setAttribute("aria-label", words);
    button.disabled = disabled;
    button.onclick = go;
    actions.append(button);
  };
  act("Move this layer to the left", "←", () => moveLayer(self, state.selected, state.selected - 1), state.selected === 0);
  act("Move this layer to the right", "→", () => moveLayer(self, state.selected, state.selected + 1), isLast);
  act("Remove this layer", "Remove", () => removeLayer(self));
  panel.append(actions);
  return panel;
}
