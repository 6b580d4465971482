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
  if (state.watching) state.watching();
  state.watching = onResize(root, oncePerFrame(draw));
  return () => { clearInterval(state.timer); state.watching(); };
}
