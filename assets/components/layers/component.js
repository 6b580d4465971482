// The depth strip: one bar for each layer, as tall as its maps are wide; a click or the arrow keys choose one.
const FAMILIES = [
  { name: "convolution", role: "kernel", kinds: ["conv2d", "linear"] },
  { name: "activation", role: "output", kinds: ["relu", "relu6", "silu", "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "elu", "leaky_relu"] },
  { name: "pooling", role: "input", kinds: ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "input"] },
  { name: "other", role: "quiet", kinds: [] },
];
const familyOf = (kind) => FAMILIES.find((family) => family.kinds.includes(kind)) || FAMILIES.at(-1);

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".cl");
  const find = (selector) => parentElement.querySelector(selector);
  const theme = applyTheme(root);
  const state = stateOf(parentElement, () => ({ timer: 0 }));
  const { layers, selected, turn, label } = unpack(data).meta;
  const canvas = find(".strip");
  const list = find(".list");
  const readout = find(".readout");
  // A turn is a choice made elsewhere; without a new one (another theme, say) what was picked here stays.
  const wanted = state.turn === turn && state.sent ? state.sent : selected;
  const known = layers.findIndex((layer) => layer.name === wanted);
  state.turn = turn;
  state.at = known < 0 ? layers.length - 1 : known;
  state.sent = layers[state.at].name;
  state.hover = -1;
  canvas.setAttribute("aria-label", label);

  const words = (layer) => `${layer.name} · ${layer.title} · ${layer.what}`;

  const signature = layers.map((layer) => layer.name).join();
  if (state.signature !== signature) {
    state.signature = signature;
    const groups = new Map();
    layers.forEach((layer, index) => {
      if (!groups.has(layer.stage)) {
        const group = document.createElement("optgroup");
        group.label = layer.stage;
        groups.set(layer.stage, group);
      }
      const option = make("option", "", words(layer));
      option.value = index;
      groups.get(layer.stage).append(option);
    });
    list.replaceChildren(...groups.values());
  }
  find(".legend").replaceChildren(
    ...FAMILIES.filter((family) => layers.some((layer) => familyOf(layer.kind) === family)).map((family) => {
      const entry = make("span");
      const swatch = make("i");
      swatch.style.background = theme[family.role];
      entry.append(swatch, family.name);
      return entry;
    })
  );

  const PAD = 6;
  const TOP = 8;
  const BASE = 60;
  const HEIGHT = 78;
  let width = 260;
  const tallest = Math.log2(Math.max(2, ...layers.map((layer) => Math.max(layer.shape[1], layer.shape[2]))));
  const left = (index) => PAD + (index * (width - 2 * PAD)) / layers.length;

  function draw() {
    width = Math.max(260, root.clientWidth);
    const g = fit(canvas, width, HEIGHT);
    g.clearRect(0, 0, width, HEIGHT);
    g.fillStyle = theme.panel;
    g.fillRect(0, 0, width, BASE + 2);
    const gap = (width - 2 * PAD) / layers.length > 5 ? 1 : 0;
    layers.forEach((layer, index) => {
      const height = 6 + ((BASE - TOP - 6) * Math.log2(Math.max(1, layer.shape[1], layer.shape[2]))) / tallest;
      const chosen = index === state.at || index === state.hover;
      g.fillStyle = theme[familyOf(layer.kind).role];
      g.globalAlpha = chosen ? 1 : 0.5;
      g.fillRect(left(index), BASE - height, Math.max(1, left(index + 1) - left(index) - gap), height);
    });
    g.globalAlpha = 1;
    // The chosen layer: a bracket in the text colour, seen without telling colours apart.
    const x = (left(state.at) + left(state.at + 1)) / 2;
    g.fillStyle = theme.text;
    g.fillRect(x - 1, 2, 2, BASE);
    g.beginPath();
    g.moveTo(x - 6, 0);
    g.lineTo(x + 6, 0);
    g.lineTo(x, 8);
    g.fill();
    // Resolutions under the runs of equal ones, where there is room.
    g.fillStyle = theme.quiet;
    g.font = `11px ${getComputedStyle(root).fontFamily}`;
    g.textAlign = "center";
    let end = -Infinity;
    for (let start = 0; start < layers.length; ) {
      let stop = start;
      while (stop < layers.length && layers[stop].shape[1] === layers[start].shape[1] && layers[stop].shape[2] === layers[start].shape[2]) stop++;
      const text = `${layers[start].shape[1]}×${layers[start].shape[2]}`;
      const centre = (left(start) + left(stop)) / 2;
      const half = g.measureText(text).width / 2 + 3;
      if (centre - half > end && centre + half < width && centre - half > 0) {
        g.fillText(text, centre, HEIGHT - 4);
        end = centre + half;
      }
      if (start > 0) {
        g.fillStyle = theme.line;
        g.fillRect(left(start) - 0.5, TOP, 1, BASE - TOP);
        g.fillStyle = theme.quiet;
      }
      start = stop;
    }
  }
  const redraw = oncePerFrame(draw);

  function tell() {
    const layer = layers[state.hover >= 0 ? state.hover : state.at];
    readout.textContent = words(layer);
    readout.classList.toggle("quiet", state.hover >= 0 && state.hover !== state.at);
    canvas.setAttribute("aria-valuemin", 1);
    canvas.setAttribute("aria-valuemax", layers.length);
    canvas.setAttribute("aria-valuenow", state.at + 1);
    canvas.setAttribute("aria-valuetext", words(layers[state.at]));
    list.value = state.at;
    find(".previous").disabled = state.at === 0;
    find(".next").disabled = state.at === layers.length - 1;
  }
  function choose(index, wait = 0) {
    state.at = Math.max(0, Math.min(layers.length - 1, index));
    state.hover = -1;
    clearTimeout(state.timer);
    // Held arrow keys pass over many layers: only the one where they rest is asked for.
    if (wait) state.timer = setTimeout(ask, wait);
    else ask();
    tell();
    redraw();
  }
  function ask() {
    const name = layers[state.at].name;
    if (name === state.sent) return;
    state.sent = name;
    setTriggerValue("pick", name);
  }
  const indexAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const share = (event.clientX - box.left - PAD) / (box.width - 2 * PAD);
    return Math.max(0, Math.min(layers.length - 1, Math.floor(share * layers.length)));
  };

  canvas.onpointermove = (event) => {
    const index = indexAt(event);
    if (index !== state.hover) {
      state.hover = index;
      tell();
      redraw();
    }
  };
  canvas.onpointerleave = () => {
    state.hover = -1;
    tell();
    redraw();
  };
  canvas.onclick = (event) => choose(indexAt(event));
  canvas.onkeydown = (event) => {
    const target = {
      ArrowRight: state.at + 1, ArrowUp: state.at + 1, ArrowLeft: state.at - 1, ArrowDown: state.at - 1,
      PageUp: state.at + 10, PageDown: state.at - 10, Home: 0, End: layers.length - 1,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    choose(target, 250);
  };
  list.onchange = () => choose(Number(list.value));
  find(".previous").onclick = () => choose(state.at - 1, 120);
  find(".next").onclick = () => choose(state.at + 1, 120);

  tell();
  draw();
  const stop = onResize(root, redraw);
  return () => {
    clearTimeout(state.timer);
    stop();
  };
}
