// The board on the left, what the network sees and says beside it, and every layer's maps under them.

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const payload = unpack(data);
  const root = parentElement.querySelector(".drw");
  const theme = applyTheme(root);
  const state = stateOf(parentElement, () => ({ board: newBoard() }));
  const self = { root, board: state.board, payload, theme, send: setTriggerValue };
  const { meta } = payload;
  root.dataset.answered = meta.probabilities ? "yes" : "no";
  root.dataset.draws = meta.canDraw ? "yes" : "no";

  // The board stays as it is while somebody draws on it.
  if (!state.part || state.mode !== theme.mode) {
    state.part = boardPart(self);
    state.mode = theme.mode;
  }
  const seen = seenPart(self);
  const layers = layersPart(self);
  const top = make("div", "drw-top");
  if (meta.canDraw) top.append(state.part.figure);
  top.append(seen.figure, barsPart(self));
  const scroll = root.contains(state.part.figure);
  const focused = root.getRootNode().activeElement;
  if (scroll && root.firstElementChild && meta.canDraw) {
    // Keep the board's own element in the page, so that focus and a stroke under way are not lost.
    const held = state.part.figure.parentElement;
    while (state.part.figure.nextSibling) state.part.figure.nextSibling.remove();
    held.append(seen.figure, top.querySelector(".drw-bars"));
    while (held.nextSibling) held.nextSibling.remove();
  } else root.replaceChildren(top);
  if (meta.layers.length) {
    root.append(make("div", "drw-title", "Layer by layer"), layers.box, make("div", "small quiet", "Each layer on its own scale, the same for all of its maps; blue below zero, orange above, where there are both."));
  }
  if (focused && focused.isConnected && root.contains(focused)) focused.focus({ preventScroll: true });
  const draw = () => {
    if (meta.canDraw) state.part.draw();
    seen.draw();
    layers.draw();
  };
  draw();
  saves(root, { file: meta.canDraw ? "my digit and what the network says" : "test picture and what the network says",
    csv: meta.probabilities ? () => [["class", "probability"], ...meta.names.map((name, i) => [name, meta.probabilities[i]])] : null });
  if (state.watching) state.watching();
  state.watching = onResize(root, oncePerFrame(draw));
  return () => state.watching();
}
