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
  const stop = FACES[face]({ root, S, theme, fresh, ...S.payload, send: setTriggerValue });
  return () => stop && stop();
}
