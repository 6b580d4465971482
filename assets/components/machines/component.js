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
  const { meta } = S.payload;
  saves(root, { file: meta.part === "hand" ? `digit ${meta.index} moved and shuffled` : "what three machines look with", ready: !meta.waiting, csv: () => csvOfNumbers(S.payload) });
  return () => S.end?.();
}
