// Several ways to build one place, side by side: weights and multiply-adds, each group on its own scale.
const exact = (n) => n.toLocaleString("en");

/** "223.9 million" from a million on, "3.699 billion" from a thousand million, every digit below. */
function many(n) {
  if (n >= 1e9) return `${(n / 1e9).toPrecision(4)} billion`;
  return n >= 1e6 ? `${(n / 1e6).toPrecision(4)} million` : exact(n);
}

function barsOf(groups, measures) {
  const legend = make("div", "legend");
  const kinds = { parameters: ["p", "parameters"], weights: ["p", "weights"], macs: ["m", "multiply-adds, one picture"] };
  for (const measure of measures) {
    const entry = make("span");
    entry.append(make("i", kinds[measure][0]), kinds[measure][1]);
    legend.append(entry);
  }
  legend.append(make("span", "", "longest bar = most in its group"));
  const parts = groups.map((group) => {
    const box = make("div", "group");
    if (group.title) box.append(make("h3", "", group.title));
    const most = Object.fromEntries(measures.map((measure) => [measure, Math.max(...group.rows.map((row) => row[measure] || 0))]));
    for (const row of group.rows) {
      const line = make("div", "row");
      const label = make("div", "label", row.title);
      if (row.note) label.append(make("span", "small", row.note));
      const track = make("div", "track");
      for (const measure of measures) {
        const shown = make("div", `measure ${measure === "macs" ? "macs" : ""} ${row.other ? "other" : ""}`);
        const rail = make("div");
        const bar = make("div", "bar2");
        bar.style.width = `${(100 * row[measure]) / most[measure]}%`;
        rail.append(bar);
        shown.append(rail, make("span", "num", `${measure === "macs" ? many(row[measure]) : exact(row[measure])}`));
        track.append(shown);
      }
      line.append(label, track);
      box.append(line);
    }
    return box;
  });
  return [legend, ...parts];
}
