// The saliency page's instruments, one part at a time: the wall of maps, the strip of layers, and the trials' charts.

const PARTS = { wall, layers: layerStrip, removal, curves, sanity, stability, matrix };

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".sal");
  const theme = applyTheme(root);
  const S = stateOf(parentElement, () => ({
    sign: "positive", place: "aligned", slide: 0, grain: "smooth", beneath: "grey", opacity: 0.85, score: "logit",
    hover: null, pin: null, aim: null, kept: null,
  }));
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
  }
  S.theme = theme;
  root.dataset.part = S.payload.meta.part;
  const { meta } = S.payload;
  const file = meta.part === "wall" ? `maps ${meta.title}` : meta.file ? `${meta.part}_${meta.file}` : { layers: meta.label, removal: "parts removed", matrix: "agreement of maps" }[meta.part];
  saves(root, { file, ready: !meta.waiting, csv: () => NUMBERS[meta.part](S.payload) });
  return PARTS[meta.part](root, S, setTriggerValue);
}
