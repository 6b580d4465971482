// One component with several faces: the tools to intervene with, and what came of it. Each face is a function above.

const FACES = { channels: channelWall, kernel: kernelEditor, gallery: cardGallery, outcome: beforeAfter, through: throughLayers, control: controlBars };

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".iv");
  const theme = applyTheme(root);
  const S = stateOf(parentElement, () => ({ urls: [] }));
  const fresh = S.source !== data;
  if (fresh) {
    S.source = data;
    S.payload = unpack(data);
  }
  const face = S.payload.meta.view;
  if (root.dataset.face !== face) {
    root.dataset.face = face;
    root.replaceChildren();
  }
  const held = nameOf(root.getRootNode().activeElement, root);
  const stop = FACES[face]({ root, S, theme, fresh, ...S.payload, send: setTriggerValue });
  // A face is built anew with new numbers: who was in it with the keyboard stays where they were.
  if (held) [...root.querySelectorAll("button, input, [tabindex]")].find((element) => nameOf(element, root) === held)?.focus({ preventScroll: true });
  return () => stop && stop();
}

/** What tells a control of this component from its others, or null for one that is elsewhere. */
function nameOf(element, root) {
  if (!element || !root.contains(element) || element === root) return null;
  return `${element.tagName} ${element.className} ${element.getAttribute("aria-label") ?? element.textContent}`;
}
