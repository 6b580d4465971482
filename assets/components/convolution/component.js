// The kernel page's instrument: a kernel on your picture (mode "kernel"), or a real unit of the network (mode "unit").
export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".cl");
  const theme = applyTheme(root);
  const store = stateOf(parentElement, () => ({}));
  const mode = unpack(data).meta.mode;
  parentElement.querySelector(".kernel-mode").hidden = mode !== "kernel";
  parentElement.querySelector(".unit-mode").hidden = mode !== "unit";
  if (mode === "kernel") {
    store.room ??= new KernelRoom(parentElement);
    store.room.receive(data, theme, (settings) => setStateValue("settings", settings));
  } else {
    store.room ??= new UnitRoom(parentElement);
    store.room.receive(data, theme, (unit) => setTriggerValue("open", unit));
  }
  const { room } = store;
  saves(root, mode === "kernel" ? { file: () => `convolution ${room.out.rows}x${room.out.columns}`, csv: () => room.table() }
    : { file: () => `${room.meta.layer} channel ${room.meta.channel} row ${room.cell[0]} column ${room.cell[1]}`, csv: () => room.table() });
  store.unobserve?.();
  store.unobserve = onResize(root, () => store.room.redraw());
  return () => {
    store.room.destroy();
    store.unobserve();
  };
}
