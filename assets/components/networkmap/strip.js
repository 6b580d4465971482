// The strip under the graph: a bar for each operation in order, and the part that the graph shows now.
function drawStrip(strip, state, { operations, meta, theme, family, colour }) {
  if (!meta.costs) return;
  const width = Math.max(260, strip.clientWidth);
  const [top, base, height] = [22, 104, 128];
  const field = METRICS[state.metric].field;
  const step = width / operations.length;
  const most = Math.max(1, ...operations.map((operation) => operation[field]));
  const signature = [width, state.signature, state.metric].join();
  if (state.stripOf !== signature) {
    state.stripOf = signature;
    const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    const label = (x, y, words, anchor, fill = theme.quiet) =>
      draw("text", { x, y, "font-size": 11, fill, "font-family": family.replace(/"/g, "'"), "text-anchor": anchor }, svg, words);
    let end = -Infinity;
    for (const { key, start, stop } of runs(0, operations.length, (i) => operations[i].stage)) {
      if (start > 0) draw("rect", { x: start * step, y: top, width: 1, height: base - top + 6, fill: theme.line }, svg);
      const centre = ((start + stop) / 2) * step;
      RULER.font = `11px ${family}`;
      const words = RULER.measureText(key).width + 8 < (stop - start) * step ? key : key.split("·").at(-1).trim();
      const half = RULER.measureText(words).width / 2 + 4;
      if (centre - half > end && centre - half > 0 && centre + half < width) {
        label(centre, height - 8, words, "middle");
        end = centre + half;
      }
    }
    let tallest = 0;
    operations.forEach((operation, i) => {
      const value = operation[field];
      if (value > operations[tallest][field]) tallest = i;
      if (!value) return;
      const tall = Math.max(1, (value / most) * (base - top));
      draw("rect", { class: "cost", "data-index": i, x: i * step, y: base - tall, width: Math.max(1, step - (step > 5 ? 1.5 : 0)), height: tall, fill: colour(i) }, svg);
    });
    draw("rect", { x: 0, y: base, width, height: 1, fill: theme.quiet }, svg);
    const x = (tallest + 0.5) * step;
    label(x, 12, `${operations[tallest].name}: ${amount(state.metric, most)}`, x < width * 0.25 ? "start" : x > width * 0.75 ? "end" : "middle", theme.text);
    draw("path", { class: "here", d: "M0 7h10l-5 -7z", fill: theme.text, visibility: "hidden" }, svg);
    strip.replaceChildren(make("div", "sight"), svg);
  }
  const { x, zoom } = state.view;
  const [left, right] = [-x / zoom, (state.room[0] - x) / zoom];
  let [first, last] = [Infinity, -Infinity];
  for (const c of state.plan.cards) {
    if (c.left + c.width < left || c.left > right) continue;
    first = Math.min(first, c.start);
    last = Math.max(last, c.stop);
  }
  const sight = strip.querySelector(".sight");
  sight.hidden = last < first || (last - first) * step > width - 2;
  sight.style.transform = `translateX(${first * step}px)`;
  sight.style.width = `${Math.max(3, (last - first) * step)}px`;
  const here = strip.querySelector(".here");
  here.setAttribute("visibility", state.at ? "visible" : "hidden");
  if (state.at) {
    const centre = ((state.at.start + state.at.stop) / 2) * step;
    here.setAttribute("transform", `translate(${centre - 5} ${base + 3})`);
  }
}
