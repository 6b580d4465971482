// What the network makes of it: the picture that it sees, a bar for each class, and the maps of every layer.

function seenPart(self) {
  const { payload } = self;
  const { seen, meta } = payload;
  const figure = make("figure", "drw-seen");
  const head = make("figcaption");
  head.append(make("b", "in", "What it sees"), make("span", "quiet small", ` ${meta.side} × ${meta.side}${meta.truth === null ? "" : `, a test picture of “${meta.names[meta.truth]}”`}`));
  figure.append(head);
  if (!seen) {
    figure.append(make("div", "drw-empty quiet", "Nothing yet. Draw on the board, or take a test picture."));
    return { figure, draw: () => {} };
  }
  const [rows, columns, colour] = seen.shape;
  const image = new ImageData(columns, rows);
  for (let p = 0; p < rows * columns; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = seen.data[colour ? 3 * p + c : p];
    image.data[4 * p + 3] = 255;
  }
  const source = canvasOf(image);
  const canvas = make("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The picture that the network sees");
  figure.append(canvas);
  return { figure, draw: () => { const g = fit(canvas, 140, 140); g.drawImage(source, 0, 0, 140, 140); } };
}

function barsPart({ payload }) {
  const { meta } = payload;
  const box = make("div", "drw-bars");
  box.setAttribute("role", "list");
  box.setAttribute("aria-label", "Probability of each class");
  const best = meta.probabilities ? meta.probabilities.indexOf(Math.max(...meta.probabilities)) : -1;
  meta.names.forEach((name, i) => {
    const p = meta.probabilities ? meta.probabilities[i] : 0;
    const row = make("div", `drw-bar${i === best ? " best" : ""}`);
    row.setAttribute("role", "listitem");
    const track = make("span", "drw-track");
    const fill = make("i");
    fill.style.width = `${100 * p}%`;
    track.append(fill);
    const right = meta.truth === i ? " ✓" : "";
    row.append(make("span", "drw-name", `${name}${right}`), track, make("span", "num drw-p", meta.probabilities ? `${(100 * p).toFixed(1)} %` : "–"));
    row.dataset.class = name;
    box.append(row);
  });
  return box;
}

function layersPart({ payload, theme }) {
  const { meta } = payload;
  const box = make("div", "drw-layers");
  const draws = [];
  meta.layers.forEach((layer, i) => {
    const { data, shape } = payload[`layer${i}`];
    const [low, high] = extent(data);
    const line = make("div", "drw-layer");
    const words = make("div", "drw-words");
    words.append(make("b", "out", layer.title), make("span", "small quiet", layer.shape.join(" × ")), make("span", "small quiet num", `${number(low, 3)} to ${number(high, 3)}`));
    const strip = make("div", "drw-strip");
    const signed = low < 0;
    const limit = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const table = scaleTable(signed ? "diverging" : "sequential", theme.mode);
    const [from, to] = signed ? [-limit, limit] : [0, limit];
    if (shape.length === 3 && shape[1] * shape[2] > 1) {
      const [n, rows, columns] = shape;
      for (let k = 0; k < n; k++) {
        const source = canvasOf(colourise(data, k * rows * columns, rows, columns, table, from, to));
        const canvas = make("canvas");
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `${layer.title}, map ${k}`);
        strip.append(canvas);
        draws.push(() => { const g = fit(canvas, 44, 44); g.drawImage(source, 0, 0, 44, 44); });
      }
      if (layer.shape[0] > n) strip.append(make("span", "small quiet drw-more", `+ ${layer.shape[0] - n} more`));
    } else {
      const n = data.length;
      const source = canvasOf(colourise(data, 0, 1, n, table, from, to));
      const canvas = make("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${layer.title}, ${n} numbers`);
      strip.append(canvas);
      draws.push(() => { const width = Math.max(60, Math.min(strip.clientWidth || 300, n * 14)); const g = fit(canvas, width, 22); g.drawImage(source, 0, 0, width, 22); });
    }
    line.append(words, strip);
    box.append(line);
  });
  return { box, draw: () => draws.forEach((draw) => draw()) };
}
