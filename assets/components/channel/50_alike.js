// Channels that fire alike: each with its correlation, its map on this picture and its favourite patch.

function alikePart({ root, state, payload, theme, send }) {
  const { meta, maps, files, raw } = payload;
  dropUrls(state);
  const [, rows, columns] = maps.shape;
  const size = rows * columns;
  const wall = listed(make("div", "alikes"), "Channels that fire alike");
  const cards = meta.rows.map((row, i) => {
    const own = i === 0;
    const card = make(own ? "div" : "button", "alike");
    if (!own) {
      card.type = "button";
      card.setAttribute("aria-label", `Channel ${row.channel}, correlation ${number(row.correlation)}: go there`);
      card.onclick = () => send("pick", { layer: meta.layer, channel: row.channel });
    } else card.setAttribute("role", "group");
    card.dataset.channel = row.channel;
    card.dataset.correlation = row.correlation;
    const canvas = make("canvas");
    paintMap(canvas, mapCanvas(maps.data, i * size, rows, columns, limitsOf(...extent(maps.data, i * size, size)), theme.mode), 92);
    const patch = make("span", "frame");
    if (row.patch.raw) {
      const small = rgbCanvas(raw.data, ...row.patch.raw);
      small.className = "pixels";
      patch.append(small);
    } else patch.append(jpegImage(state, files.data, row.patch.file, ""));
    const views = make("span", "views");
    views.append(canvas, patch);
    const words = make("span", "words");
    words.append(make("b", "", `Channel ${row.channel}`), make("span", "num small", own ? "this one" : `r = ${number(row.correlation)}`));
    card.append(views, words);
    if (!own) card.append(bar(row.correlation, -1, 1, "channel"));
    return card;
  });
  wall.append(...cards);
  arrows(wall, cards.slice(1));
  root.replaceChildren(wall, make("div", "small quiet", meta.words));
  return () => {};
}
