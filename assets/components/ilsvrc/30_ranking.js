// The small benchmark: a row for each machine, its accuracy with the interval, and where it stands when the test moves.

const COLUMNS = [
  ["accuracy", "top-1 error", (row) => percent(1 - row.accuracy), (row) => -row.accuracy],
  ["top3", "top-3 error", (row) => percent(row.error3), (row) => row.error3],
  ["parameters", "parameters", (row) => count(row.parameters), (row) => row.parameters],
  ["macs", "multiply-adds", (row) => count(row.macs), (row) => row.macs],
];

function ranking(root, S) {
  const { meta } = S.payload;
  const moved = meta.moved > 0;
  S.by ??= "accuracy";
  S.sorted = [...meta.rows].sort((a, b) => (moved && S.by === "accuracy" ? b.moved_accuracy - a.moved_accuracy : COLUMNS.find(([key]) => key === S.by)[3](a) - COLUMNS.find(([key]) => key === S.by)[3](b)));
  const bar = make("div", "bar il-bar");
  const table = make("div", "il-table");
  table.setAttribute("role", "table");
  table.setAttribute("aria-label", `${meta.title}: ${meta.rows.length} machines on the same ${count(meta.n)} test pictures`);
  const readout = make("div", "readout il-readout");
  readout.setAttribute("aria-live", "polite");
  bar.append(make("span", "small quiet", "Order by"));
  for (const [key, words] of COLUMNS) {
    const button = bar.appendChild(make("button", "", words));
    button.type = "button";
    button.setAttribute("aria-pressed", S.by === key);
    button.onclick = () => { S.by = key; ranking(root, S); root.querySelector(`.il-bar button[aria-pressed="true"]`).focus(); };
  }
  root.replaceChildren(bar, table, readout, make("p", "small quiet il-note", meta.note));

  const spread = meta.rows.flatMap((row) => [row.low, row.high, ...(moved ? [row.moved_accuracy] : [])]);
  const low = Math.floor(Math.min(...spread) * 20 - 0.2) / 20;
  const high = Math.min(1, Math.ceil(Math.max(...spread) * 20 + 0.2) / 20);
  const at = (share) => ((share - low) / (high - low)) * 100;

  const head = table.appendChild(make("div", "il-row il-head small quiet"));
  head.setAttribute("role", "row");
  const axis = make("span", "il-axis");
  for (const share of [low, (low + high) / 2, high]) {
    const tick = axis.appendChild(make("span", "num", `${(100 * share).toFixed(share * 100 % 1 ? 1 : 0)} %`));
    tick.style.left = `${at(share)}%`;
  }
  for (const [part, name] of [[make("span"), ""], [make("span", "", "machine"), ""], [axis, "accuracy"], [make("span", "il-end", "top-1 error"), ""], [make("span", "il-end", "top-3 error"), ""], [make("span", "il-end il-wide", "parameters"), ""], [make("span", "il-end il-wide", "multiply-adds"), ""], [make("span", "il-end", "leads in"), ""]]) {
    part.setAttribute("role", "columnheader");
    if (name) part.setAttribute("aria-label", `${name}, from ${percent(low)} to ${percent(high)}`);
    head.append(part);
  }
  const places = new Map([...meta.rows].sort((a, b) => b.accuracy - a.accuracy).map((row, i) => [row.key, i + 1]));
  const after = new Map([...meta.rows].sort((a, b) => b.moved_accuracy - a.moved_accuracy).map((row, i) => [row.key, i + 1]));
  const rows = S.sorted.map((row, i) => {
    const line = table.appendChild(make("div", "il-row il-line"));
    line.setAttribute("role", "row");
    line.tabIndex = i === 0 ? 0 : -1;
    line.dataset.key = row.key;
    line.dataset.own = row.own ? "yes" : "no";
    const place = moved ? after.get(row.key) : places.get(row.key);
    const change = moved ? places.get(row.key) - after.get(row.key) : 0;
    const rank = make("span", "num il-rank", place);
    if (moved && change) rank.append(make("i", change > 0 ? "right" : "wrong", change > 0 ? ` ▲${change}` : ` ▼${-change}`));
    const name = make("span", "il-machine", row.title);
    if (row.own) name.append(make("i", "small", "yours"));
    const strip = make("span", "il-strip");
    strip.setAttribute("aria-label", `accuracy ${percent(row.accuracy)}, 95 % interval ${percent(row.low)} to ${percent(row.high)}`);
    const range = strip.appendChild(make("span", "il-range"));
    Object.assign(range.style, { left: `${at(row.low)}%`, width: `${at(row.high) - at(row.low)}%` });
    const dot = strip.appendChild(make("span", "il-point"));
    dot.style.left = `${at(row.accuracy)}%`;
    if (moved) {
      const way = strip.appendChild(make("span", "il-way"));
      const [from, to] = [row.moved_accuracy, row.accuracy].sort((a, b) => a - b);
      Object.assign(way.style, { left: `${at(from)}%`, width: `${at(to) - at(from)}%` });
      const end = strip.appendChild(make("span", "il-point il-moved"));
      end.style.left = `${at(row.moved_accuracy)}%`;
    }
    line.append(rank, name, strip, make("span", "num il-end", percent(moved ? 1 - row.moved_accuracy : 1 - row.accuracy)), make("span", "num il-end", percent(row.error3)),
      make("span", "num il-end il-wide", count(row.parameters)), make("span", "num il-end il-wide", count(row.macs)), make("span", "num il-end", row.first < 0.0005 ? "0 %" : `${(100 * row.first).toFixed(row.first > 0.1 ? 0 : 1)} %`));
    [...line.children].forEach((cell) => cell.setAttribute("role", "cell"));
    const say = () => {
      readout.textContent = `${row.title}: ${percent(row.accuracy)} of ${count(meta.n)} pictures right, 95 % interval ${percent(row.low)} to ${percent(row.high)} for ${count(meta.drawn)} pictures; first in ${(100 * row.first).toFixed(1)} % of ${count(meta.draws)} draws.` +
        (moved ? ` With the pictures moved by ${meta.moved} px: ${percent(row.moved_accuracy)} (${points(row.moved_accuracy - row.accuracy)}), place ${after.get(row.key)} instead of ${places.get(row.key)}.` : "") + ` ${row.note}`;
    };
    line.onpointerenter = line.onfocus = say;
    return line;
  });
  table.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    const now = rows.indexOf(root.getRootNode().activeElement);
    if (!by || now < 0) return;
    event.preventDefault();
    const next = rows[Math.max(0, Math.min(rows.length - 1, now + by))];
    rows.forEach((line) => { line.tabIndex = line === next ? 0 : -1; });
    next.focus();
  };
  readout.textContent = "Point at a row, or use the arrow keys, to read it.";
  saves(root, { file: meta.file, csv: () => [["machine", "yours", "top1_accuracy", "low_95", "high_95", "top3_error", "parameters", "multiply_adds", "share_of_draws_first", "moved_px", "moved_top1_accuracy"],
    ...S.sorted.map((row) => [row.title, row.own ? 1 : 0, row.accuracy, row.low, row.high, row.error3, row.parameters, row.macs, row.first, meta.moved, moved ? row.moved_accuracy : ""])] });
}
