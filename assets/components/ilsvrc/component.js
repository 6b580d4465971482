// The page on ImageNet, one part at a time: the challenge's history, and the small benchmark's table.

const PARTS = { history, ranking };

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".il");
  const S = stateOf(parentElement, () => ({}));
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
  }
  S.theme = applyTheme(root);
  root.dataset.part = S.payload.meta.part;
  root.dataset.waiting = S.payload.meta.waiting ? "yes" : "no";
  S.end?.();
  S.end = PARTS[S.payload.meta.part](root, S, setTriggerValue);
  return () => S.end?.();
}
