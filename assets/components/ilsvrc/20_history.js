// Top-5 error by year: a dot for each entry, the winners joined, and the line of one trained person.

/** Where an entry's name stands beside its dot, so that none lies on another: [right, down, anchor]. */
function labelPlace(entry, narrow) {
  if (!entry.winner) return [12, 4, "start"];
  if (narrow && entry.year === 2011) return [-4, 20, "end"]; // the ring of another entry stands to its right
  if (narrow) return entry.year >= 2014 ? [0, 24, "middle"] : [9, -9, "start"];
  // Beside the line of one trained person, not on it.
  if (entry.year === 2014) return [-12, -2, "end"];
  if (entry.year === 2015) return [6, -32, "start"];
  return entry.year >= 2016 ? [10, 24, "end"] : [10, -11, "start"];
}

function history(root, S, send) {
  const { meta } = S.payload;
  const entries = meta.entries;
  S.log ??= false;
  S.aim = null;
  const bar = make("div", "bar il-bar");
  const scale = bar.appendChild(make("button", "", "Log scale"));
  scale.type = "button";
  const holder = make("div", "il-plot");
  const readout = make("div", "readout il-readout");
  readout.setAttribute("aria-live", "polite");
  root.replaceChildren(bar, holder, readout);

  function draw() {
    const focused = holder.contains(root.getRootNode().activeElement);
    const width = Math.max(290, Math.round(holder.clientWidth || 640));
    const narrow = width < 560;
    const height = narrow ? 340 : 400;
    const [left, right, top, bottom] = [44, narrow ? 14 : 24, 18, 46];
    const chart = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    chart.setAttribute("height", height);
    chart.tabIndex = 0;
    chart.setAttribute("role", "application");
    chart.setAttribute("aria-label", "Top-5 error of the challenge by year. Arrow keys go from entry to entry, Enter opens one beside the plot.");
    const [first, last] = [2010, 2017];
    const x = (year) => left + ((year - first + 0.35) / (last - first + 0.7)) * (width - left - right);
    const [low, high] = S.log ? [Math.log10(0.018), Math.log10(0.4)] : [0, 0.31];
    const y = (share) => height - bottom - (((S.log ? Math.log10(share) : share) - low) / (high - low)) * (height - top - bottom);
    for (const mark of S.log ? [0.02, 0.05, 0.1, 0.2, 0.4] : [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]) {
      svg(chart, "line", { class: "il-grid", x1: left, x2: width - right, y1: y(mark), y2: y(mark) });
      svg(chart, "text", { x: left - 8, y: y(mark) + 4, "text-anchor": "end" }, `${Math.round(100 * mark)} %`);
    }
    for (let year = first; year <= last; year++) svg(chart, "text", { x: x(year), y: height - bottom + 20, "text-anchor": "middle" }, narrow ? `’${year % 100}` : year);
    svg(chart, "text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, "year of the challenge");

    const winners = entries.filter((entry) => entry.winner && entry.error !== null);
    if (meta.waiting) {
      for (const entry of entries.filter((one) => one.error === null)) {
        svg(chart, "rect", { x: x(entry.year) - 15, y: top, width: 30, height: height - top - bottom, fill: S.theme.panel, rx: 6 });
        svg(chart, "text", { x: x(entry.year), y: (height - bottom + top) / 2 + 6, "text-anchor": "middle", class: "il-unknown" }, "?");
      }
    }
    const person = meta.person;
    svg(chart, "rect", { x: left, width: width - left - right, y: y(person.high), height: y(person.low) - y(person.high), fill: S.theme.kernel, opacity: 0.13 });
    svg(chart, "line", { x1: left, x2: width - right, y1: y(person.error), y2: y(person.error), stroke: S.theme.kernel, "stroke-width": 2, "stroke-dasharray": "7 4" });
    svg(chart, "text", { x: left + 6, y: y(person.error) - 7 - (y(person.low) - y(person.high)) / 2, class: "il-person" }, narrow ? `one trained person, ${percent(person.error)}` : `one trained person, ${percent(person.error)} (n = ${count(person.n)} pictures)`);

    if (!meta.waiting) svg(chart, "polyline", { points: winners.map((entry) => `${x(entry.year)},${y(entry.error)}`).join(" "), fill: "none", stroke: S.theme.output, "stroke-width": 2, opacity: 0.55 });
    const marks = entries.map((entry, i) => {
      if (entry.error === null) return null;
      const group = svg(chart, "g", { class: "il-dot" });
      group.dataset.key = entry.key;
      const chosen = entry.key === meta.chosen && !meta.waiting;
      svg(group, "circle", { cx: x(entry.year), cy: y(entry.error), r: 15, fill: "transparent" });
      if (chosen) svg(group, "circle", { cx: x(entry.year), cy: y(entry.error), r: 12, fill: "none", stroke: S.theme.accent, "stroke-width": 2.5 });
      const dot = svg(group, "circle", { cx: x(entry.year), cy: y(entry.error), r: entry.winner ? 7 : 5.5, fill: entry.winner ? S.theme.output : S.theme.page, stroke: S.theme.output, "stroke-width": 2 });
      if (!narrow || entry.winner) {
        const [dx, dy, anchor] = labelPlace(entry, narrow);
        svg(group, "text", { x: x(entry.year) + dx, y: y(entry.error) + dy, "text-anchor": anchor, class: chosen ? "il-name il-chosen" : "il-name" }, narrow ? percent(entry.error) : `${entry.short} ${percent(entry.error)}`);
      }
      return { dot, i };
    });
    const order = marks.filter(Boolean).map((mark) => mark.i);
    const aim = (i) => {
      S.aim = i;
      marks.forEach((mark) => mark?.dot.setAttribute("r", (entries[mark.i].winner ? 7 : 5.5) + (mark.i === i ? 3 : 0)));
      say();
    };
    const pick = (i) => { if (!meta.waiting) send("pick", entries[i].key); };
    const nearest = (event) => {
      const box = chart.getBoundingClientRect();
      const at = [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
      const far = (i) => Math.hypot(x(entries[i].year) - at[0], y(entries[i].error) - at[1]);
      const best = order.reduce((b, i) => (far(i) < far(b) ? i : b), order[0]);
      return far(best) < 60 ? best : null;
    };
    chart.onpointermove = (event) => { if (event.pointerType !== "touch") aim(nearest(event)); };
    chart.onpointerleave = () => aim(null);
    chart.onclick = (event) => { const i = nearest(event); if (i !== null) { aim(i); pick(i); } };
    chart.onkeydown = (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const now = S.aim ?? entries.findIndex((entry) => entry.key === meta.chosen);
      if (by) aim(order[Math.max(0, Math.min(order.length - 1, (S.aim === null ? order.indexOf(now) - (by > 0 ? 1 : -1) : order.indexOf(now)) + by))]);
      else if (event.key === "Home") aim(order[0]);
      else if (event.key === "End") aim(order[order.length - 1]);
      else if (event.key === "Enter" && S.aim !== null) pick(S.aim);
      else if (event.key === "Escape") aim(null);
      else return;
      event.preventDefault();
    };
    holder.replaceChildren(chart);
    if (focused) chart.focus({ preventScroll: true });
    scale.setAttribute("aria-pressed", S.log);
    say();
  }
  function say() {
    const entry = entries[S.aim ?? entries.findIndex((one) => one.key === meta.chosen)];
    if (meta.waiting) {
      readout.textContent = S.aim === null ? "The first year and the last; between them lies your guess." : `${entry.year}, ${entry.name}: top-5 error ${percent(entry.error)}.`;
      return;
    }
    const before = entry.drop === null ? "" : `, ${points(-entry.drop)} against the winner of the year before (${Math.round(100 * entry.share)} % of its errors gone)`;
    readout.textContent = `${entry.year}, ${entry.name}${entry.winner ? "" : " (second place)"}: top-5 error ${percent(entry.error)}${before}.` + (S.aim === null ? "" : " Click or Enter: what was new, and where to try it.");
  }
  scale.onclick = () => { S.log = !S.log; draw(); };
  saves(root, { file: "ilsvrc top5 error", ready: !meta.waiting, csv: () => [["year", "entry", "place", "top5_error", "source", "what_was_new", "paper"],
    ...entries.map((entry) => [entry.year, entry.name, entry.winner ? 1 : 2, entry.error, entry.source, entry.idea, entry.paper])] });
  draw();
  return onResize(root, oncePerFrame(draw));
}
