// What can be done to the row of layers; each change is a new list, so that the one before can come back.

const MOST_BACK = 60;

/** Take a new list over, remember the old one, and tell the server. */
function change(self, layers, selected) {
  const { state } = self;
  state.back.push({ layers: plainLayers(state.layers), selected: state.selected });
  if (state.back.length > MOST_BACK) state.back.shift();
  state.forth = [];
  commit(self, layers, selected);
}

function commit(self, layers, selected) {
  const { state } = self;
  state.layers = layers;
  state.selected = Math.max(0, Math.min(layers.length - 1, selected));
  state.refocus = true;
  state.sent = plainLayers(layers);
  self.send("change", { layers: state.sent });
  self.draw();
}

function undo(self, from, to) {
  const { state } = self;
  const step = state[from].pop();
  if (!step) return;
  state[to].push({ layers: plainLayers(state.layers), selected: state.selected });
  commit(self, step.layers, step.selected);
}

function addLayer(self, kind) {
  const { state } = self;
  const at = state.layers.length ? state.selected + 1 : 0;
  const last = state.layers[state.layers.length - 1];
  // Nothing goes behind the layer that gives the classes, unless it is asked for as such.
  const place = last && last.kind === "linear" && at === state.layers.length && kind !== "linear" ? at - 1 : at;
  const layers = plainLayers(state.layers);
  layers.splice(place, 0, { kind, ...DEFAULTS[kind] });
  if (layers.length > self.meta.most) return self.say(`A network here has at most ${self.meta.most} layers.`);
  change(self, layers, place);
}

function removeLayer(self) {
  const { state } = self;
  if (!state.layers.length) return;
  const layers = plainLayers(state.layers);
  layers.splice(state.selected, 1);
  change(self, layers, Math.min(state.selected, layers.length - 1));
}

function moveLayer(self, from, to) {
  const { state } = self;
  if (to < 0 || to >= state.layers.length || to === from) return;
  const layers = plainLayers(state.layers);
  layers.splice(to, 0, ...layers.splice(from, 1));
  change(self, layers, to);
}

function setNumber(self, name, value) {
  const { state, meta } = self;
  const layers = plainLayers(state.layers);
  const layer = layers[state.selected];
  const [low, high] = meta.limits[`${layer.kind}.${name}`];
  const whole = Math.max(low, Math.min(high, Math.round(value) || low));
  if (whole === layer[name]) return self.draw();
  // A convolution that kept the size goes on keeping it, and a pool's steps follow its window.
  if (layer.kind === "conv" && name === "kernel" && layer.padding === (layer.kernel - 1) >> 1) layer.padding = (whole - 1) >> 1;
  if (["max", "avg"].includes(layer.kind) && name === "kernel" && layer.stride === layer.kernel) layer.stride = whole;
  layer[name] = whole;
  change(self, layers, state.selected);
}

/** Drag a card to another place: the others make room, and the drop is one change. */
function draggable(self, card, index) {
  card.onpointerdown = (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    const begin = [event.clientX, event.clientY];
    const place = card.getBoundingClientRect(); // where it comes from, however far it is carried
    let target = null;
    const cards = () => [...self.root.querySelectorAll(".bld-card[data-index]")];
    const move = (e) => {
      if (target === null && Math.hypot(e.clientX - begin[0], e.clientY - begin[1]) < 8) return;
      card.classList.add("dragged");
      target = index;
      let best = Infinity;
      for (const other of cards()) {
        const box = other === card ? place : other.getBoundingClientRect();
        const far = Math.hypot(e.clientX - (box.left + box.width / 2), 1.6 * (e.clientY - (box.top + box.height / 2)));
        if (far < best) [best, target] = [far, Number(other.dataset.index)];
      }
      cards().forEach((other) => other.classList.toggle("over", Number(other.dataset.index) === target && target !== index));
      card.style.transform = `translate(${e.clientX - begin[0]}px, ${e.clientY - begin[1]}px)`;
    };
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      card.classList.remove("dragged");
      card.style.transform = "";
      cards().forEach((other) => other.classList.remove("over"));
      if (target !== null && target !== index) moveLayer(self, index, target);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  };
}
