// Two parts of one look: the film of a run, and the report on the finished one.

export default function (component) {
  const { parentElement, data } = component;
  const payload = unpack(data);
  const root = parentElement.querySelector(".trd");
  const theme = applyTheme(root);
  const state = stateOf(parentElement, () => ({}));
  root.dataset.part = payload.meta.part;
  root.dataset.running = payload.meta.running ? "yes" : "no";
  const draw = { film: filmPart, report: reportPart }[payload.meta.part]({ root, state, payload, theme });
  const { meta, kernels, confusion } = payload;
  const named = (rows, from) => rows.map((row, i) => (i ? row.map((value, j) => (j === from || j === from + 1 ? meta.names[value] : j < from ? meta.steps[value] : value)) : row));
  saves(root, {
    file: meta.part === "report" ? "confusion matrix" : "what changed while it learned",
    csv: !confusion ? (kernels ? () => csvOfNumbers({ kernels }) : null)
      : () => (meta.part === "report" ? named(csvOfArray(confusion, ["label", "named"], "pictures"), 0) : named(csvOfArray(confusion, ["step", "label", "named"], "pictures"), 1)),
  });
  if (state.watching) state.watching();
  state.watching = onResize(root, oncePerFrame(draw));
  return () => { clearInterval(state.timer); state.watching(); };
}
