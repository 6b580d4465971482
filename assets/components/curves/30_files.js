// Files: the plot with its legend, and the plotted numbers.

/** A copy of the chart that stands on its own: a ground, a title, the legend's words under it. */
function standalone(chart, view, series, theme, title) {
  const [, , width, height] = chart.getAttribute("viewBox").split(" ").map(Number);
  const names = [...new Map(series.map((line) => [line.name, line])).values()];
  const total = height + 34 + 20 * names.length + 12;
  const copy = svg("svg", { xmlns: NS, width, height: total, viewBox: `0 0 ${width} ${total}`, "font-family": "sans-serif" });
  copy.append(svg("rect", { width, height: total, fill: theme.page }));
  copy.append(svg("text", { x: 4, y: 20, "font-size": 15, "font-weight": 600, fill: theme.text }, `${title}: ${view.title}`));
  const plot = svg("g", { transform: "translate(0 32)" });
  for (const child of chart.childNodes) plot.append(child.cloneNode(true));
  copy.append(plot);
  names.forEach((line, i) => {
    const y = height + 34 + 20 * i + 10;
    copy.append(svg("line", { x1: 6, x2: 40, y1: y, y2: y, ...strokeOf(line, theme) }));
    copy.append(svg("text", { x: 48, y: y + 4, "font-size": 12, fill: theme.text }, line.name));
  });
  return { text: new XMLSerializer().serializeToString(copy), width, height: total };
}

/** Every number of the view, all frames of it. */
function csvOf(view) {
  const rows = [["line", "whose", "step", view.xTitle, "name", view.yTitle, "lowest", "highest"]];
  for (const series of view.series) {
    const n = series.x.length;
    for (let k = 0; k < series.y.length; k++) {
      const step = series.steps.length ? series.steps[Math.floor(k / n)] : "";
      const edge = (values) => (values ? values[k] : "");
      rows.push([series.name, series.note, step, series.x[k % n], series.labels[k % n] || "", series.y[k], edge(series.low), edge(series.high)]);
    }
  }
  return rows;
}
