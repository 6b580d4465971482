// The three machines' instruments, one part at a time: a digit moved by hand, and what each machine looks with.

const PARTS = { hand, inside };

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".mm");
  const S = stateOf(parentElement, () => ({ timer: 0 }));
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
