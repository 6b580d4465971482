// How far a unit sees: its box and its effective field in the picture; and how both grow with depth.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".dp");
  const S = stateOf(parentElement, () => ({ show: "here", opacity: 0.9, hover: null, aimed: null }));
  S.theme = applyTheme(root);
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
  }
  return S.payload.meta.part === "plot" ? plot(root, S, setTriggerValue) : stage(root, S, setTriggerValue);
}
