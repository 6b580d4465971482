// The plot: bands under lines, marks at points, crosses where a number is none.

const DASHES = { solid: "none", dash: "8 4", dot: "2 3.5", dashdot: "9 3 2 3" };

function symbolPath(symbol, x, y, r) {
  const at = (points) => points.map(([dx, dy], i) => `${i ? "L" : "M"}${(x + dx * r).toFixed(1)} ${(y + dy * r).toFixed(1)}`).join("") + "Z";
  if (symbol === "square") return at([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]);
  if (symbol === "diamond") return at([[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]]);
  if (symbol === "triangle") return at([[0, -1.2], [1.15, 0.9], [-1.15, 0.9]]);
  return `M${(x - r).toFixed(1)} ${y.toFixed(1)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
}

function linePath(points) {
  let open = false;
  return points
    .map(([x, y]) => {
      if (!Number.isFinite(y)) {
        open = false;
        return "";
      }
      const part = `${open ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      open = true;
      return part;
    })
    .join("");
}

function strokeOf(series, theme) {
  const pale = series.kind === "precomputed";
  return {
    fill: "none", stroke: theme[series.role], "stroke-width": pale ? 1.4 : 2.75, "stroke-dasharray": DASHES[series.dash],
    "stroke-linejoin": "round", "stroke-linecap": "round", opacity: pale ? 0.85 : 1,
  };
}

/** Draw the parts of a view; returns the chart, its scales, and a function that moves the ruler to an x (null: away). */
function drawPlot(view, parts, { width, height, theme, fitted, title }) {
  const narrow = width < 480;
  const box = { left: narrow ? 46 : 58, right: width - 12, top: 24, bottom: height - 46 };
  const scales = scalesOf(view, parts, box, fitted);
  const { px, py } = scales;
  const small = { "font-size": narrow ? 11 : 12, fill: theme.quiet };
  const chart = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, height, tabindex: 0, role: "application",
    "aria-label": `${title}: ${view.yTitle} against ${view.xTitle}. Left and right arrow keys move the ruler; Escape frees it.`,
  });
  for (const [v, text] of scales.yTicks) {
    const y = py(v);
    if (y < box.top - 2 || y > box.bottom + 2) continue;
    chart.append(svg("line", { x1: box.left, x2: box.right, y1: y, y2: y, stroke: theme.line }));
    chart.append(svg("text", { ...small, x: box.left - 7, y: y + 4, "text-anchor": "end" }, text));
  }
  for (const [v, text] of scales.xTicks) {
    const x = px(v);
    if (x < box.left - 2 || x > box.right + 2) continue;
    chart.append(svg("line", { x1: x, x2: x, y1: box.bottom, y2: box.bottom + 4, stroke: theme.quiet }));
    chart.append(svg("text", { ...small, x, y: box.bottom + 18, "text-anchor": "middle" }, text));
  }
  chart.append(svg("text", { ...small, x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, view.xTitle));
  chart.append(svg("text", { ...small, x: 2, y: 12 }, view.yTitle));
  if (view.guide && py(view.guide[0]) >= box.top && py(view.guide[0]) <= box.bottom && parts.length) {
    const y = py(view.guide[0]);
    chart.append(svg("line", { x1: box.left, x2: box.right, y1: y, y2: y, stroke: theme.quiet, "stroke-dasharray": "1 4" }));
    chart.append(svg("text", { ...small, ...besideGuide(parts, box, scales, y, view.guide[1]) }, view.guide[1]));
  }
  for (const part of parts) {
    if (!part.low || part.x.length < 2 || !part.joined) continue;
    const whole = [...part.x.keys()].filter((i) => Number.isFinite(part.low[i]) && Number.isFinite(part.high[i]));
    const path = [...whole.map((i) => [px(part.x[i]), py(part.high[i])]), ...whole.reverse().map((i) => [px(part.x[i]), py(part.low[i])])];
    if (path.length) chart.append(svg("path", { d: linePath(path) + "Z", fill: theme[part.role], opacity: part.kind === "precomputed" ? 0.13 : 0.26 }));
  }
  for (const part of [...parts].sort((a, b) => (a.kind !== "precomputed") - (b.kind !== "precomputed"))) drawSeries(chart, part, box, scales, theme);
  const ruler = chart.appendChild(svg("line", { y1: box.top, y2: box.bottom, stroke: theme.text, "stroke-dasharray": "3 3", visibility: "hidden" }));
  const dots = chart.appendChild(svg("g"));
  const move = (x, found) => {
    ruler.setAttribute("visibility", x === null ? "hidden" : "visible");
    dots.replaceChildren();
    if (x === null) return;
    ruler.setAttribute("x1", px(x));
    ruler.setAttribute("x2", px(x));
    for (const { part, i } of found) {
      if (Number.isFinite(part.y[i])) dots.append(svg("circle", { cx: px(part.x[i]), cy: py(part.y[i]), r: 4.5, fill: theme[part.role], stroke: theme.page, "stroke-width": 1.5 }));
    }
  };
  return { chart, box, px, move };
}

/** Where the words on a guide line stand: of its two ends, over it and under it, the place that the fewest lines cross. */
function besideGuide(parts, box, { px, py }, y, words) {
  const wide = 7 * words.length;
  const crossed = (left, top) => {
    let found = 0;
    for (const { x, y: values } of parts) {
      for (let i = 0; i < x.length; i++) {
        const next = Math.min(i + 1, x.length - 1);
        for (let k = 0; k < 8; k++) {
          const [across, down] = [px(x[i] + ((x[next] - x[i]) * k) / 8), py(values[i] + ((values[next] - values[i]) * k) / 8)];
          if (across > left - 6 && across < left + wide + 6 && down > top - 5 && down < top + 17) found++;
        }
      }
    }
    return found;
  };
  const places = [-17, 4].flatMap((shift) => [box.right - wide, box.left + 4].map((left) => ({ left, top: y + shift })));
  const counts = places.map(({ left, top }) => crossed(left, top) + (top + 15 > box.bottom ? 1e6 : 0));
  const best = places[counts.indexOf(Math.min(...counts))];
  const right = best.left > box.left + 4;
  return { x: right ? box.right : box.left + 4, y: best.top + 12, "text-anchor": right ? "end" : "start" };
}

function drawSeries(chart, part, box, { px, py, inside }, theme) {
  const colour = theme[part.role];
  const points = [...part.x].map((x, i) => [px(x), inside(part.y[i]) ? py(part.y[i]) : Number.isFinite(part.y[i]) ? Math.max(box.top, Math.min(box.bottom, py(part.y[i]))) : part.y[i]]);
  if (part.joined) chart.append(svg("path", { d: linePath(points), ...strokeOf(part, theme) }));
  else drawRanges(chart, part, points, py, theme);
  const marks = part.kind !== "precomputed" || points.length <= 12;
  points.forEach(([x, y], i) => {
    if (!Number.isFinite(y)) {
      // No number: a cross at the edge, with its word.
      const at = part.y[i] < 0 ? box.bottom - 6 : box.top + 6;
      chart.append(svg("path", { d: `M${x - 5} ${at - 5}L${x + 5} ${at + 5}M${x - 5} ${at + 5}L${x + 5} ${at - 5}`, stroke: theme.wrong, "stroke-width": 2.5 }));
      if (i === points.length - 1 || Number.isFinite(points[i + 1][1])) {
        const word = Number.isNaN(part.y[i]) ? "NaN" : part.y[i] > 0 ? "∞" : "−∞";
        const right = x < box.right - 60;
        chart.append(svg("text", { x: x + (right ? 9 : -9), y: at + 5, "font-size": 12, "font-weight": 600, fill: theme.wrong, "text-anchor": right ? "start" : "end" }, word));
      }
    } else if (marks && points.length <= 32 && part.symbol !== "none") {
      chart.append(svg("path", { d: symbolPath(part.symbol, x, y, part.kind === "precomputed" && part.joined ? 2.6 : 4.5), fill: colour, stroke: theme.page, "stroke-width": 1 }));
    }
  });
  const last = points[points.length - 1];
  if (!last || !Number.isFinite(last[1])) return;
  if (part.kind === "live") chart.append(svg("circle", { class: "cv-live", cx: last[0], cy: last[1], r: 6, fill: colour, stroke: theme.page, "stroke-width": 2 }));
  if (part.end) {
    const right = last[0] < box.right - 80;
    chart.append(svg("text", { x: last[0] + (right ? 8 : -8), y: Math.max(box.top + 10, last[1] - 8), "font-size": 12, "font-weight": 600, fill: part.end === "diverged" ? theme.wrong : colour, "text-anchor": right ? "start" : "end" }, part.end));
  }
}

/** Kinds beside each other: what was precomputed stands left of its place, what the visitor ran right of it. */
function drawRanges(chart, part, points, py, theme) {
  const aside = part.kind === "precomputed" ? -5 : 5;
  points.forEach((point, i) => {
    point[0] += aside;
    if (!part.low || !Number.isFinite(part.low[i]) || !Number.isFinite(part.high[i])) return;
    const [x, low, high] = [point[0], py(part.low[i]), py(part.high[i])];
    chart.append(svg("path", { d: `M${x - 5} ${low}h10M${x} ${low}V${high}M${x - 5} ${high}h10`, ...strokeOf(part, theme), "stroke-dasharray": "none", "stroke-width": part.kind === "precomputed" ? 1.6 : 2.75 }));
  });
}

/** A short sample of a line for the legend. */
function sampleOf(series, theme) {
  const sample = svg("svg", { viewBox: "0 0 34 12", "aria-hidden": "true" });
  if (series.kind === "precomputed") sample.append(svg("rect", { x: 0, y: 1, width: 34, height: 10, fill: theme[series.role], opacity: 0.16 }));
  sample.append(svg("line", { x1: 1, x2: 33, y1: 6, y2: 6, ...strokeOf(series, theme) }));
  if (series.symbol !== "none") sample.append(svg("path", { d: symbolPath(series.symbol, 17, 6, 3.4), fill: theme[series.role] }));
  return sample;
}
