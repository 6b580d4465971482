// Five landmarks on a line of time: one moves along it, and below stands the chosen network, slab by slab.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".cl");
  const find = (selector) => root.querySelector(selector);
  applyTheme(root);
  const { landmarks, chosen, costs, turn } = unpack(data).meta;
  const state = stateOf(parentElement, () => ({ turn: -1, at: 0, sent: "", model: {}, unit: {}, open: {} }));
  if (state.turn !== turn) {
    state.turn = turn;
    state.at = Math.max(0, landmarks.findIndex((one) => one.key === chosen));
    state.sent = chosen;
  }
  const here = () => landmarks[state.at];
  const model = () => here().models[state.model[here().key] || 0];
  const at = () => Math.min(state.unit[model().key] ?? 0, model().units.length - 1);

  function send() {
    if (here().key === state.sent) return;
    state.sent = here().key;
    setTriggerValue("pick", here().key);
  }
  function go(index, focus) {
    state.at = (index + landmarks.length) % landmarks.length;
    draw();
    if (focus) find(`.line button:nth-child(${state.at + 1})`).focus();
  }

  function timeline() {
    const line = find(".line");
    if (line.children.length !== landmarks.length) {
      line.replaceChildren(...landmarks.map((one, index) => {
        const tab = make("button");
        tab.type = "button";
        tab.setAttribute("role", "tab");
        tab.append(make("span", "year", String(one.year)), make("span", "dot"), make("span", "name", one.title));
        return tab;
      }));
    }
    [...line.children].forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === state.at));
      tab.tabIndex = index === state.at ? 0 : -1;
      tab.onclick = () => { go(index, true); send(); };
    });
    line.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) go(state.at + step, true);
      else if (event.key === "Home") go(0, true);
      else if (event.key === "End") go(landmarks.length - 1, true);
      else if (event.key === "Enter" || event.key === " ") send();
      else return;
      event.preventDefault();
    };
  }

  function story() {
    const one = here();
    find(".problem").textContent = one.problem;
    find(".answer").textContent = one.answer;
    find(".paper").textContent = one.paper;
    find(".models").replaceChildren(...(one.models.length < 2 ? [] : one.models.map((entry, index) => {
      const button = make("button", "", entry.title);
      button.type = "button";
      button.setAttribute("aria-pressed", String(entry === model()));
      button.onclick = () => { state.model[one.key] = index; draw(); find(".models").children[index].focus(); };
      return button;
    })));
    const m = model();
    find(".totals").textContent = costs
      ? `${m.title}: ${count(m.parameters)} parameters · ${large(m.macs)} multiply-adds · activations ${(m.bytes / 1e6).toPrecision(3)} MB · ${m.layers} layers with weights`
      : `${m.title}: ${m.layers} layers with weights on the longest way · picture ${shapeShort(m.input)}`;
  }

  const log = (n) => Math.log2(Math.max(1, n));
  function slab(unit, index) {
    const maps = unit.shape.length === 3;
    const box = make("i", "slab");
    const last = index === model().units.length - 1;
    box.classList.add(index === 0 ? "picture" : last ? "logits" : unit.parameters ? "weights" : "plain");
    if (unit.kind === "block") box.classList.add("block");
    box.style.height = `${12 + (maps ? (138 * log(unit.shape[1])) / log(224) : (138 * log(unit.shape[0])) / log(25088))}px`;
    // As wide as a narrow window leaves room for, so that nothing overlaps.
    box.style.width = maps ? `clamp(6px, ${10 + (80 * log(unit.shape[0])) / log(2048)}%, ${8 + (34 * log(unit.shape[0])) / log(2048)}px)` : "8px";
    return box;
  }
  function cost(unit) {
    const bars = make("span", "cost");
    const most = (key) => Math.max(...model().units.map((one) => one[key]));
    for (const [kind, key] of [["p", "parameters"], ["m", "macs"]]) {
      const bar = make("i", kind);
      bar.style.height = `${unit[key] ? Math.max(1.5, (32 * unit[key]) / most(key)) : 0}px`;
      bars.append(bar);
    }
    return bars;
  }

  function graph() {
    const m = model();
    const holder = find(".graph");
    holder.replaceChildren(...m.units.map((unit, index) => {
      const button = make("button", "unit");
      button.type = "button";
      button.tabIndex = index === at() ? 0 : -1;
      button.setAttribute("aria-pressed", String(state.open[m.key] === index));
      const dim = make("span", "dim");
      dim.append(make("b", "", count(unit.shape[0])), " ", make("br"), unit.shape.length === 3 ? `${unit.shape[1]}²` : "\u00a0");
      // The words that are seen stand in the name as they are, for those who steer by speaking them.
      button.setAttribute("aria-label", `${dim.textContent.trim()}: ${unitWords(unit, m, costs)}`);
      button.append(slab(unit, index), dim);
      if (costs) button.append(cost(unit));
      button.onpointerenter = () => tell(index);
      button.onpointerleave = () => tell(at());
      button.onfocus = () => { state.unit[m.key] = index; tell(index); };
      button.onclick = () => open(index);
      return button;
    }));
    holder.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const n = m.units.length;
      const target = step ? Math.max(0, Math.min(n - 1, at() + step)) : event.key === "Home" ? 0 : event.key === "End" ? n - 1 : -1;
      if (event.key === "Escape") open(null);
      else if (target < 0) return;
      else {
        state.unit[m.key] = target;
        [...holder.children].forEach((child, index) => { child.tabIndex = index === target ? 0 : -1; });
        holder.children[target].focus();
      }
      event.preventDefault();
    };
  }
  function open(index) {
    const m = model();
    state.open[m.key] = index === state.open[m.key] ? null : index;
    if (index !== null) state.unit[m.key] = index;
    [...find(".graph").children].forEach((child, i) => child.setAttribute("aria-pressed", String(state.open[m.key] === i)));
    opened();
  }
  function opened() {
    const m = model();
    const index = state.open[m.key];
    drawInner(find(".inner"), index == null ? null : m.units[index], m.units[Math.max(0, (index ?? 1) - 1)].shape, costs);
    tell(at());
  }
  function tell(index) {
    const m = model();
    find(".readout").textContent = unitWords(m.units[index], m, costs);
  }

  function draw() {
    // What opens first is the block that the landmark is known for.
    for (const one of landmarks) for (const m of one.models) {
      if (!(m.key in state.open)) {
        const skips = m.units.findIndex((unit) => unit.nodes.some((node) => node.inputs.includes(-1) && node.inputs.length > 1));
        const first = skips >= 0 ? skips : m.units.findIndex((unit) => unit.kind === "block" && unit.nodes.length > 3);
        state.open[m.key] = first < 0 ? null : first;
        state.unit[m.key] = first < 0 ? 1 : first;
      }
    }
    timeline();
    story();
    graph();
    opened();
    root.dataset.landmark = here().key;
    saves(root, {
      file: () => `${model().title} ${here().year}`,
      csv: () => csvOfObjects(model().units.map(({ title, kind, shape, parameters, macs }) => ({ unit: title, kind, shape, ...(costs ? { parameters, macs } : {}) }))),
    });
  }
  draw();
}
