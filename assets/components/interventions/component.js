// One component with several faces: the tools to intervene with, and what came of it. Each face is a function above.

const FACES = { channels: channelWall, kernel: kernelEditor, gallery: cardGallery, outcome: beforeAfter, through: throughLayers, control: controlBars };

const FILES = {
  channels: ({ layer }) => `channels of ${layer}`, kernel: ({ layer, index }) => `kernels of ${layer} ${index}`, gallery: () => "changes", control: () => "random channels",
  outcome: () => "before and after", through: ({ watched }) => `changes through the layers to ${watched}`,
};

/** The numbers of a face; of a wall of maps each channel's mean, of a kernel its weights now and as they were. */
function numbersOf(face, { meta, mean, now, own }) {
  if (face === "channels") return [["channel", "mean", "off"], ...Array.from(mean.data, (value, i) => [i, value, meta.off.includes(i) ? 1 : 0])];
  if (face === "kernel") return csvOfArray(now, ["kernel", "row", "column"], "weight_now").map((row, i) => [...row, i ? own.data[i - 1] : "weight_own"]);
  if (face === "outcome") return csvOfObjects(meta.classes.map(({ index, name, zb, za, pb, pa }) => ({ index, name, logit_before: zb, logit_after: za, probability_before: pb, probability_after: pa })));
  return csvOfObjects(face === "control" ? meta.bars : meta.layers);
}

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
  const { meta } = S.payload;
  saves(root, { file: FILES[face](meta), ready: face !== "gallery", csv: face === "gallery" ? null : () => numbersOf(face, S.payload) });
  return () => stop && stop();
}

/** What tells a control of this component from its others, or null for one that is elsewhere. */
function nameOf(element, root) {
  if (!element || !root.contains(element) || element === root) return null;
  return `${element.tagName} ${element.className} ${element.getAttribute("aria-label") ?? element.textContent}`;
}
