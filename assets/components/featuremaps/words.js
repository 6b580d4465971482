// A point in words: the number with its row and column, and what it reads of the picture.
function sentences(point, { value, within, mean, first, last }, box, meta) {
  const span = (a, b, name, names) => (a === b ? `${name} ${a}` : `${names} ${a} to ${b}`);
  const where = `${span(first[0], last[0], "row", "rows")}, ${span(first[1], last[1], "column", "columns")}`;
  const about = within > 0 ? `about ${number(value, 2)} (to within ±${number(within, 1)})` : number(value);
  const reading = `Channel ${point.channel}, ${where}: ${mean ? "mean " : ""}${about}`;
  const [h, w] = meta.picture_shape;
  const shown = [Math.max(0, Math.floor(box[0])), Math.min(h, Math.ceil(box[2])) - 1, Math.max(0, Math.floor(box[1])), Math.min(w, Math.ceil(box[3])) - 1];
  const sticks = box[0] < 0 || box[1] < 0 || box[2] > h || box[3] > w;
  const [tall, wide] = [box[2] - box[0], box[3] - box[1]];
  const parts = [within > 0 || mean ? "Click for the exact number." : ""];
  parts.push(
    shown[0] > shown[1] || shown[2] > shown[3]
      ? `Its ${tall} × ${wide} window lies over padding alone.`
      : box[0] <= 0 && box[1] <= 0 && box[2] >= h && box[3] >= w
        ? `Its ${tall} × ${wide} window covers the whole picture.`
        : `It reads rows ${shown[0]} to ${shown[1]}, columns ${shown[2]} to ${shown[3]} of the picture${sticks ? `; the rest of its ${tall} × ${wide} window sticks out, over padding` : ""}.`
  );
  if (meta.field.everything) parts.push("A global branch on the way lets it see everything; the box is its local path.");
  return [reading, parts.filter(Boolean).join(" ")];
}

function scaleWords(shared, signed) {
  if (shared) return "shared scale: equal colours are equal numbers in all maps";
  return `own scale: each map from ${signed ? "minus its largest number to its largest" : "0 to its own largest number"}`;
}

function countWords(channels, meta, dead) {
  return [
    `${channels} maps of ${meta.rows} × ${meta.columns}`,
    meta.factor > 1 ? `each cell drawn is the mean of ${meta.factor} × ${meta.factor}` : "",
    dead ? `${dead} all zero (crossed out)` : "",
  ].filter(Boolean).join(" · ");
}
