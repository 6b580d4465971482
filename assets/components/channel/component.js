// One channel: the part that is asked for, drawn again when its width changes.
const PARTS = { pick: pickPart, bench: benchPart, patches: patchesPart, alike: alikePart, filters: filtersPart, lesions: lesionsPart, dream: dreamPart };

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".ch");
  const theme = applyTheme(root);
  const state = stateOf(parentElement, () => ({}));
  const payload = unpack(data);
  // A redraw replaces what had the focus: it goes back to the element with the same name.
  const focused = root.getRootNode().activeElement;
  const name = focused && root.contains(focused) ? focused.getAttribute("aria-label") : null;
  root.dataset.part = payload.meta.part;
  const draw = PARTS[payload.meta.part]({ root, state, payload, theme, send: setTriggerValue });
  if (name) [...root.querySelectorAll("[aria-label]")].find((element) => element.getAttribute("aria-label") === name)?.focus({ preventScroll: true });
  saves(root, { file: filed(payload.meta), csv: () => numbersOf(payload) });
  state.stop?.();
  state.stop = onResize(root, draw);
  return () => {
    state.stop();
    dropUrls(state);
  };
}
