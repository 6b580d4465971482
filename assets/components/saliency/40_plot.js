// Line plots in SVG: axes, bands, a ruler that pointer and keys move, and a reading in words.

function svg(tag, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text) element.textContent = text;
  return element;
}

const STROKES = {
  map: { colour: "output", width: 2.75, dash: "" },
  other: { colour: "quiet", width: 1.25, dash: "" },
  random: { colour: "quiet", width: 2, dash: "2 4" },
  edges: { colour: "input", width: 2, dash: "7 4" },
  second: { colour: "kernel", width: 2, dash: "7 4" },
};

function strokeOf(kind, theme) {
  const { colour, width, dash } = STROKES[kind];
  return { stroke: theme[colour], "stroke-width": width, "stroke-dasharray": dash || "none", fill: "none", "stroke-linejoin": "round" };
}

/** A few round numbers that span low to high. */
function ticks(low, high, n = 4) {
  const raw = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((k) => k * power).find((k) => k >= raw) || raw;
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  return found;
}

/** plot: { title, x: [..], xTitle, xText(i), lines: [{ name, kind, y: [..] }], band: [low, high] | null, yTitle, range? } */
function linePlot(S, plot, state, said) {
  const [width, height, left, right, top, bottom] = [520, 250, 52, 10, 12, 40];
  const holder = make("div", "sal-plot");
  holder.append(make("h3", "", plot.title));
  const values = [...plot.lines.flatMap((line) => line.y), ...(plot.band || []).flat()].filter((v) => v !== null);
  let [low, high] = plot.range || [Math.min(0, ...values), Math.max(...values)];
  if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
  const [first, last] = [plot.x[0], plot.x[plot.x.length - 1]];
  const px = (x) => left + ((x - first) / (last - first || 1)) * (width - left - right);
  const py = (y) => height - bottom - ((y - low) / (high - low)) * (height - top - bottom);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "application", "aria-label": `${plot.title}. Arrow keys move the ruler; Escape frees.` });
  for (const v of ticks(low, high)) {
    chart.append(svg("line", { class: "grid-line", x1: left, x2: width - right, y1: py(v), y2: py(v) }));
    chart.append(svg("text", { x: left - 7, y: py(v) + 4, "text-anchor": "end" }, number(v, 3).replace(/\.0+$/, "")));
  }
  const every = Math.max(1, Math.ceil(plot.x.length / 6));
  plot.x.forEach((x, i) => {
    if (i % every === 0) chart.append(svg("text", { x: px(x), y: height - bottom + 16, "text-anchor": "middle" }, plot.xText(i)));
  });
  chart.append(svg("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, plot.xTitle));
  const path = (y) => {
    let open = false;
    return y.map((v, i) => {
      if (v === null) { open = false; return ""; }
      const part = `${open ? "L" : "M"}${px(plot.x[i]).toFixed(2)} ${py(v).toFixed(2)}`;
      open = true;
      return part;
    }).join(" ");
  };
  if (plot.band) {
    const back = plot.band[0].map((v, i) => [px(plot.x[i]), py(v)]).reverse();
    chart.append(svg("path", { d: `${path(plot.band[1])} ${back.map(([x, y]) => `L${x.toFixed(2)} ${y.toFixed(2)}`).join(" ")} Z`, fill: S.theme.quiet, opacity: 0.2 }));
  }
  // The line on trial is drawn last, over the others.
  for (const line of [...plot.lines].sort((a, b) => (a.kind === "map") - (b.kind === "map"))) {
    chart.append(svg("path", { d: path(line.y), ...strokeOf(line.kind, S.theme) }));
  }
  const ruler = chart.appendChild(svg("line", { class: "ruler", y1: top, y2: height - bottom, visibility: "hidden" }));
  const dots = plot.lines.map((line) => chart.appendChild(svg("circle", { r: line.kind === "map" ? 4.5 : 3.5, fill: S.theme[STROKES[line.kind].colour], visibility: "hidden" })));
  const show = (i) => {
    state.at = i;
    ruler.setAttribute("visibility", i === null ? "hidden" : "visible");
    plot.lines.forEach((line, n) => dots[n].setAttribute("visibility", i === null || line.y[i] === null ? "hidden" : "visible"));
    if (i !== null) {
      ruler.setAttribute("x1", px(plot.x[i]));
      ruler.setAttribute("x2", px(plot.x[i]));
      plot.lines.forEach((line, n) => {
        if (line.y[i] === null) return;
        dots[n].setAttribute("cx", px(plot.x[i]));
        dots[n].setAttribute("cy", py(line.y[i]));
      });
    }
    said(i);
  };
  chart.onpointermove = (event) => {
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    show(plot.x.reduce((best, v, i) => (Math.abs(px(v) - x) < Math.abs(px(plot.x[best]) - x) ? i : best), 0));
  };
  chart.onpointerleave = () => show(null);
  readByTouch(chart);
  chart.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined && event.key !== "Escape") return;
    event.preventDefault();
    const from = state.at ?? (step > 0 ? -1 : plot.x.length);
    show(event.key === "Escape" ? null : Math.max(0, Math.min(plot.x.length - 1, from + step)));
  };
  holder.append(chart);
  return holder;
}

function legend(S, entries) {
  const list = make("ul", "sal-legend");
  for (const [name, kind, band] of entries) {
    const item = list.appendChild(make("li"));
    const sample = svg("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" });
    if (band) sample.append(svg("rect", { x: 0, y: 0, width: 28, height: 10, fill: S.theme.quiet, opacity: 0.2 }));
    sample.append(svg("line", { x1: 0, x2: 28, y1: 5, y2: 5, ...strokeOf(kind, S.theme) }));
    item.append(sample, name);
  }
  return list;
}

/** A table of numbers with its column heads; rows: [{ name, chosen, cells: [..] }]. */
function numberTable(caption, heads, rows) {
  const scroll = make("div", "sal-scroll");
  const table = scroll.appendChild(make("table", "sal-table"));
  table.append(make("caption", "sr", caption));
  const top = table.appendChild(make("thead")).appendChild(make("tr"));
  heads.forEach((text) => { top.appendChild(make("th", "", text)).scope = "col"; });
  const body = table.appendChild(make("tbody"));
  for (const row of rows) {
    const line = body.appendChild(make("tr"));
    line.dataset.chosen = row.chosen ? "yes" : "no";
    line.appendChild(make("th", "", row.name)).scope = "row";
    row.cells.forEach((value) => line.append(make("td", "num", typeof value === "number" ? number(value) : value)));
  }
  return scroll;
}
