// A table of trials: what the network reads, the probability that is left for its class, and what it answers.

const percent = (share) => (share >= 0.9995 ? "> 99.9 %" : share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".tr");
  applyTheme(root);
  const { meta, pictures } = unpack(data);
  const [, height, width] = pictures.shape;
  root.querySelector(".middle").textContent = `probability of “${meta.target}”; the line marks it done right`;
  const right = meta.rows[0].probability;

  root.querySelector(".rows").replaceChildren(...meta.rows.map((row, i) => {
    const line = make("div", "row");
    line.setAttribute("role", "listitem");
    line.dataset.key = row.key;
    line.dataset.probability = row.probability;
    line.dataset.top = row.top_index;

    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${row.title}: the tensor read as a picture`);
    const image = new ImageData(width, height);
    for (let p = 0; p < height * width; p++) {
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = pictures.data[3 * (i * height * width + p) + c];
      image.data[4 * p + 3] = 255;
    }
    const context = fit(canvas, 72, 72);
    context.imageSmoothingEnabled = true;
    context.drawImage(canvasOf(image), 0, 0, 72, 72);

    const name = make("div");
    name.append(make("strong", "", row.title), make("span", "mistake small quiet", row.mistake));
    name.append(make("span", "small quiet num", `numbers from ${number(row.range[0], 3)} to ${number(row.range[1], 3)}`));

    const bar = make("div", "bar-cell");
    const label = make("div", "line");
    const drop = right - row.probability;
    const change = Math.abs(drop) < 0.0005 ? "no change" : `${drop > 0 ? "−" : "+"} ${(100 * Math.abs(drop)).toFixed(1)} points`;
    label.append(make("span", "num out", percent(row.probability)),
      make("span", "num small quiet", i === 0 ? "" : row.unchanged ? "same tensor" : change));
    const track = make("div", "track");
    const fill = make("div", "fill");
    fill.style.width = `${100 * row.probability}%`;
    const mark = make("div", "mark");
    mark.style.left = `calc(${100 * right}% - 1px)`;
    track.append(fill, mark);
    bar.append(label, track);

    const answer = make("div", "answer");
    const same = row.top_index === meta.target_index;
    answer.append(make("strong", same ? "" : "wrong", `${same ? "" : "≠ "}${row.top}`), make("span", "num small quiet", ` ${percent(row.top_probability)}`));
    line.append(canvas, name, bar, answer);
    return line;
  }));
  saves(root, { file: "preprocessing mistakes", csv: () => csvOfObjects(meta.rows) });
}
