// A wall of pictures with small maps over them: arrows and the pointer read them, Enter or a click chooses.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".cl");
  const state = stateOf(parentElement, () => ({ strength: 60, shared: false, at: 0, pictures: new Map() }));
  const theme = applyTheme(root);
  const { meta, thumbs, maps } = unpack(data);
  const [cellRows, cellColumns] = meta.cells;
  const hasMaps = maps.shape[0] > 0;
  const grid = parentElement.querySelector(".wal-grid");
  const readout = parentElement.querySelector(".readout");
  const bar = parentElement.querySelector(".wal-bar");
  const strength = bar.querySelector("input");
  const own = bar.querySelector(".wal-own");
  const chosen = new Set(meta.chosen);
  const table = SCALES.evidence;
  let disposed = false;

  bar.hidden = !hasMaps;
  bar.style.display = hasMaps ? "" : "none";
  grid.setAttribute("aria-label", meta.label);
  grid.setAttribute("aria-multiselectable", String(meta.many));
  grid.style.setProperty("--wal-tile", `${meta.tile}px`);
  if (meta.columns) grid.style.setProperty("--wal-columns", `repeat(${meta.columns}, minmax(0, ${1.4 * meta.tile}px))`);
  state.at = Math.min(state.at, Math.max(0, meta.items.length - 1));

  // --- drawing

  const largest = (i) => extent(maps.data, i * cellRows * cellColumns, cellRows * cellColumns)[1];
  const shared = hasMaps ? Math.max(...meta.items.map((_, i) => largest(i)), 0) : 0;

  const draw = (canvas, i) => {
    const picture = state.pictures.get(meta.items[i].id);
    if (!picture || disposed) return;
    canvas.width = picture.width;
    canvas.height = picture.height;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0);
    const limit = hasMaps ? (state.shared ? shared : largest(i)) : 0;
    if (!(limit > 0) || state.strength === 0) return;
    const values = maps.data.subarray(i * cellRows * cellColumns, (i + 1) * cellRows * cellColumns);
    const map = drawnMap(values, meta.cells, [picture.height, picture.width], meta.place, 0, true);
    const image = colourise(map, 0, picture.height, picture.width, table, 0, limit);
    for (let p = 0; p < map.length; p++) {
      image.data[4 * p + 3] = 255 * (state.strength / 100) * Math.max(0, Math.min(1, map[p] / limit));
    }
    context.drawImage(canvasOf(image), 0, 0);
  };
  const drawAll = oncePerFrame(() => grid.querySelectorAll("canvas").forEach(draw));

  const scale = () => {
    if (!hasMaps) return;
    drawScaleBar(bar.querySelector(".scale canvas"), table, 90);
    bar.querySelector(".wal-low").textContent = "0";
    bar.querySelector(".wal-high").textContent = state.shared ? number(shared) : "largest";
    bar.querySelector(".wal-whose").textContent = state.shared ? "shared scale" : "own scale of each picture";
    own.setAttribute("aria-pressed", String(state.shared));
    strength.value = state.strength;
  };

  // --- reading

  const say = (i) => {
    const item = meta.items[i];
    readout.textContent = item ? item.said : meta.empty;
  };
  const focusOn = (i, move) => {
    state.at = Math.max(0, Math.min(meta.items.length - 1, i));
    [...grid.children].forEach((tile, j) => (tile.tabIndex = j === state.at ? 0 : -1));
    if (move) grid.children[state.at]?.focus();
    say(state.at);
  };
  const choose = (i) => {
    const id = meta.items[i].id;
    if (meta.many) {
      if (!chosen.delete(id)) chosen.add(id);
    } else {
      chosen.clear();
      chosen.add(id);
    }
    mark();
    focusOn(i, false);
    setTriggerValue("pick", { chosen: [...chosen], about: meta.about });
  };
  const mark = () => {
    [...grid.children].forEach((tile, j) => tile.setAttribute("aria-selected", String(chosen.has(meta.items[j].id))));
  };

  const tileOf = (item, i) => {
    const tile = make("div", "wal-tile");
    tile.setAttribute("role", "option");
    tile.dataset.id = item.id;
    const words = make("div", "wal-said");
    words.append(make("span", "wal-name", item.title));
    if (item.value) words.append(make("span", "num", item.value));
    if (item.mark) words.append(make("span", item.mark === "✓" ? "right" : "wrong", item.mark));
    // Named by the words that are seen, so that they can be spoken to choose it, and then by all that is said of it.
    tile.append(make("canvas"), words, make("div", "wal-note", item.note), make("span", "sr", item.said));
    if (meta.pickable) tile.onclick = () => choose(i);
    else tile.style.cursor = "default";
    tile.onpointerenter = () => say(i);
    tile.onpointerleave = () => say(state.at);
    tile.onfocus = () => focusOn(i, false);
    return tile;
  };

  // --- building: pictures that stay are not decoded again

  const hadFocus = grid.contains(parentElement.activeElement) || grid.contains(parentElement.getRootNode().activeElement);
  const before = state.pictures;
  state.pictures = new Map();
  grid.replaceChildren(...meta.items.map(tileOf));
  grid.dataset.ready = "no";
  Promise.all(
    meta.items.map(async (item, i) => {
      const kept = before.get(item.id);
      const [start, length] = item.thumb;
      const mark = `${item.id}:${length}`;
      const picture = kept && kept.mark === mark ? kept : await createImageBitmap(
        new Blob([thumbs.data.slice(start, start + length)], { type: "image/jpeg" }));
      picture.mark = mark;
      if (disposed) return;
      state.pictures.set(item.id, picture);
      const canvas = grid.children[i]?.querySelector("canvas");
      if (canvas) draw(canvas, i);
    })
  ).then(() => { if (!disposed) grid.dataset.ready = "yes"; });
  mark();
  scale();
  focusOn(state.at, hadFocus);

  strength.oninput = () => {
    state.strength = Number(strength.value);
    drawAll();
  };
  own.onclick = () => {
    state.shared = !state.shared;
    scale();
    drawAll();
  };
  grid.onkeydown = (event) => {
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step !== undefined) focusOn(state.at + step, true);
    else if (event.key === "Home") focusOn(0, true);
    else if (event.key === "End") focusOn(meta.items.length - 1, true);
    else if ((event.key === "Enter" || event.key === " ") && meta.pickable) choose(state.at);
    else return;
    event.preventDefault();
  };
  root.dataset.mode = theme.mode;
  saves(root, { file: meta.label, csv: () => csvOfObjects(meta.items.map(({ id, title, value, mark, note, said }) => ({ id, title, value, mark, note, said }))) });
  return () => { disposed = true; };
}
