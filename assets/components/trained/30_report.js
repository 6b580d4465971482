// What the finished network says of all test pictures: the confusions, and the mistakes that were furthest off.

function reportPart(self) {
  const { root, payload, theme } = self;
  const { meta, confusion, pictures } = payload;
  const readout = make("div", "readout");
  readout.setAttribute("aria-live", "polite");
  const left = make("figure");
  left.append(caption("", "Which is taken for which", `all ${meta.nTest.toLocaleString("en")} test pictures`));
  const matrix = confusionView({ names: meta.names, values: confusion.data, offset: 0, theme, readout, label: "Confusion matrix of all test pictures: arrows read it cell by cell" });
  left.append(matrix.box, readout);

  const right = make("figure");
  if (!meta.mistakes.length) right.append(caption("", "Worst mistakes", "none: every test picture is named right"));
  else {
    right.append(caption("wrong", "Worst mistakes", `${meta.mistakes.length} of ${meta.nMistakes.toLocaleString("en")}: the own class got least`));
    const wall = make("div", "trd-mistakes");
    wall.setAttribute("role", "list");
    wall.setAttribute("aria-label", "Worst mistakes");
    const [, rows, columns, colour] = pictures.shape;
    const size = rows * columns * (colour || 1);
    meta.mistakes.forEach((mistake, i) => {
      const item = make("div", "trd-mistake");
      item.setAttribute("role", "listitem");
      const canvas = make("canvas");
      const image = new ImageData(columns, rows);
      for (let p = 0; p < rows * columns; p++) {
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = pictures.data[i * size + (colour ? 3 * p + c : p)];
        image.data[4 * p + 3] = 255;
      }
      const g = fit(canvas, 64, 64);
      g.drawImage(canvasOf(image), 0, 0, 64, 64);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Test picture ${mistake.index}`);
      const said = make("span", "wrong small", meta.names[mistake.named]);
      const real = make("span", "small quiet", `is ${meta.names[mistake.label]}`);
      item.append(canvas, said, make("span", "num small", share(mistake.p)), real);
      item.title = `Test picture ${mistake.index}: ${meta.names[mistake.label]} (${share(mistake.q)}), taken for ${meta.names[mistake.named]} (${share(mistake.p)})`;
      wall.append(item);
    });
    right.append(wall);
  }
  const body = make("div", "trd-body");
  body.append(left, right);
  root.replaceChildren(body);
  matrix.update();
  return matrix.update;
}

function share(p) {
  return p < 0.0005 ? "< 0.1 %" : `${(100 * p).toPrecision(3)} %`;
}
