// The trials: removal at one share, deletion and insertion curves, randomised weights, noise.

/** Each map's marked area removed, on two tracks: the logit (or margin) and the probability. */
function removal(root, S) {
  const { meta } = S.payload;
  const list = make("div", "sal-rows");
  list.setAttribute("role", "list");
  const scales = Object.fromEntries(["logit", "probability"].map((name) => {
    const all = meta.rows.flatMap((row) => [row[name].before, row[name].marked, row[name].low, row[name].high, row[name].edges]);
    return [name, [Math.min(0, ...all), Math.max(0, ...all)]];
  }));
  const head = list.appendChild(make("div", "sal-row head-row"));
  head.append(make("span", "head", "Map"), make("span", "head", `${meta.words.logit}, ${scaleWords(scales.logit)}`),
    make("span", "head", `${meta.words.probability}, ${scaleWords(scales.probability)}`));
  for (const row of meta.rows) {
    const line = list.appendChild(make("div", "sal-row"));
    line.setAttribute("role", "listitem");
    line.dataset.chosen = row.chosen ? "yes" : "no";
    const name = line.appendChild(make("div"));
    name.append(make("span", "name", row.title), make("br"), make("span", "small quiet", `${row.area}, ${row.verdict}`));
    for (const kind of ["logit", "probability"]) line.append(removalTrack(row, row[kind], kind, scales[kind], meta.words[kind]));
  }
  const note = make("p", "small quiet", meta.note);
  root.replaceChildren(removalLegend(), list, note);
}

function removalTrack(row, v, kind, [low, high], word) {
  const cell = make("div");
  const at = (x) => (high > low ? (100 * (x - low)) / (high - low) : 0);
  const track = cell.appendChild(make("div", "sal-track"));
  track.setAttribute("role", "img");
  const text = `${number(v.before)} → ${number(v.marked)}`;
  track.setAttribute("aria-label", `${row.title}, ${word}: whole ${number(v.before)}, without the marked area ${number(v.marked)}, random ${number(v.mean)} (${number(v.low)} to ${number(v.high)}), edges ${number(v.edges)}`);
  const put = (name, x, to) => {
    const mark = track.appendChild(make("span", name));
    mark.style.left = `${at(x)}%`;
    if (to !== undefined) mark.style.width = `${at(to) - at(x)}%`;
  };
  put("sal-band", v.low, v.high);
  put("sal-mean", v.mean);
  put("sal-edge", v.edges);
  put("sal-before", v.before);
  put("sal-dot", v.marked);
  const numbers = cell.appendChild(make("div", "numbers num"));
  numbers.append(make("b", "", text), make("div", "quiet", `random ${number(v.mean)} (${number(v.low, 3)} to ${number(v.high, 3)}), edges ${number(v.edges)}`));
  return cell;
}

const scaleWords = ([low, high]) => `${number(low, 3)} to ${number(high, 3)}, shared scale`;

function removalLegend() {
  const list = make("ul", "sal-legend");
  const entry = (className, text, style = {}) => {
    const item = list.appendChild(make("li"));
    const track = item.appendChild(make("span", "sal-track"));
    Object.assign(track.style, { width: "28px", height: "20px", flex: "none" });
    const mark = track.appendChild(make("span", className));
    Object.assign(mark.style, { left: "50%", ...style });
    item.append(text);
  };
  entry("sal-dot", "without what the map marks");
  entry("sal-before", "whole picture");
  entry("sal-band", "random areas of the same shape: least to greatest", { left: "15%", width: "70%" });
  entry("sal-mean", "their mean");
  entry("sal-edge", "without an edge detector's choice");

  return list;
}

function curves(root, S) {
  const { meta } = S.payload;
  const bar = make("div", "bar");
  const plots = make("div", "sal-plots");
  const readout = make("p", "readout");
  readout.setAttribute("aria-live", "polite");
  const table = make("div");
  const chosen = meta.maps.find((map) => map.chosen);
  function draw() {
    const score = S.score;
    const kinds = [["deletion", "Deletion: the most marked pixels go first"], ["insertion", "Insertion: the most marked pixels come first"]];
    plots.replaceChildren(...kinds.map(([kind, title]) => linePlot(S, {
      title,
      x: meta.shares,
      xText: (i) => `${Math.round(100 * meta.shares[i])} %`,
      xTitle: `share of the picture ${kind === "deletion" ? "removed" : "shown"} (fill: ${meta.fill})`,
      band: [chosen.random[kind][score][0], chosen.random[kind][score][2]],
      lines: [
        ...meta.maps.filter((map) => !map.chosen).map((map) => ({ name: map.title, kind: "other", y: map[kind][score] })),
        { name: "random", kind: "random", y: chosen.random[kind][score][1] },
        { name: "edges", kind: "edges", y: chosen.edges[kind][score] },
        { name: chosen.title, kind: "map", y: chosen[kind][score] },
      ],
    }, S, (i) => say(kind, score, i))));
    const area = (map, kind) => map[kind].area[score];
    table.replaceChildren(numberTable("Areas under the curves", ["Area under the curve", "deletion (less is better)", "insertion (more is better)"], [
      ...meta.maps.map((map) => ({ name: map.title, chosen: map.chosen, cells: [area(map, "deletion"), area(map, "insertion")] })),
      { name: `random, mean of ${chosen.seeds}`, cells: ["deletion", "insertion"].map((kind) => chosen.random[kind].area[score]) },
      { name: "edge detector", cells: ["deletion", "insertion"].map((kind) => chosen.edges[kind].area[score]) },
    ]));
  }
  function say(kind, score, i) {
    if (i === null || i === undefined) {
      readout.textContent = "Move over a curve, or focus one and use the arrow keys, to read it.";
      return;
    }
    const done = kind === "deletion" ? "removed" : "shown";
    const random = chosen.random[kind][score];
    readout.textContent = `${Math.round(100 * meta.shares[i])} % ${done}: ${meta.words[score]} ${number(chosen[kind][score][i])} by ${chosen.title}, ` +
      `${number(random[1][i])} at random (${number(random[0][i])} to ${number(random[2][i])}), ${number(chosen.edges[kind][score][i])} by edges` +
      meta.maps.filter((map) => !map.chosen).map((map) => `; ${number(map[kind][score][i])} by ${map.title}`).join("") + ".";
  }
  bar.append(choice("Axis", [["logit", meta.words.logit], ["probability", meta.words.probability]], S.score, (value) => { S.score = value; draw(); say("deletion", value, null); }));
  const entries = [[chosen.title, "map"], ["random, same shape: mean and range", "random", true], ["edge detector", "edges"]];
  const others = meta.maps.filter((map) => !map.chosen);
  if (others.length) entries.push([`also run: ${others.map((map) => map.title).join(", ")}`, "other"]);
  root.replaceChildren(bar, legend(S, entries), plots, readout, table);
  draw();
  say("deletion", S.score, null);
}

function curvesCsv(meta) {
  const rows = [["map", "curve", "share", "logit", "probability"]];
  const add = (name, kind, logit, probability) => meta.shares.forEach((share, i) => rows.push([name, kind, share, logit[i], probability[i]]));
  for (const map of meta.maps) {
    for (const kind of ["deletion", "insertion"]) {
      add(map.title, kind, map[kind].logit, map[kind].probability);
      ["least", "mean", "greatest"].forEach((word, i) => add(`${map.title}: random ${word}`, kind, map.random[kind].logit[i], map.random[kind].probability[i]));
      add(`${map.title}: edge detector`, kind, map.edges[kind].logit, map.edges[kind].probability);
    }
  }
  return rows;
}

function sanity(root, S) {
  const { meta } = S.payload;
  const readout = make("p", "readout");
  readout.setAttribute("aria-live", "polite");
  const x = meta.steps.map((step) => step.n);
  const say = (i) => {
    const step = i === null || i === undefined ? null : meta.steps[i];
    readout.textContent = !step ? "Move over the chart, or focus it and use the arrow keys, to read a step."
      : step.n === 0 ? "The network's own weights: the original map."
        : `${step.n} of ${meta.n} operations random, down to ${step.operation}: rank correlation ${said(step.spearman)}, of absolute values ${said(step.spearmanAbs)}, SSIM ${said(step.ssim)}.`;
  };
  const plot = linePlot(S, {
    title: "Likeness to the original map", x, xText: (i) => String(x[i]), xTitle: "operations with random weights, from the logits down",
    range: [Math.min(-0.2, ...meta.steps.map((s) => s.spearman ?? 0)), 1],
    lines: [
      { name: "rank correlation", kind: "map", y: meta.steps.map((s) => s.spearman) },
      { name: "of absolute values", kind: "second", y: meta.steps.map((s) => s.spearmanAbs) },
      { name: "SSIM", kind: "edges", y: meta.steps.map((s) => s.ssim) },
    ],
  }, S, say);
  const key = legend(S, [["rank correlation", "map"], ["of absolute values", "second"], ["structural similarity (SSIM)", "edges"]]);
  const side = make("div");
  side.append(plot, key, readout);
  root.replaceChildren(stepsStrip(S, meta.steps.map((step) => ({
    empty: step.empty, title: step.n === 0 ? "original" : `${step.n} random`, detail: step.n === 0 ? "own weights" : `ρ ${said(step.spearman)}`,
  })), "The map after each step"), side);
  side.className = "sal-below";
  say(null);
}

const said = (value) => (value === null || value === undefined ? "not defined (a map carries nothing)" : number(value, 3));

function stability(root, S) {
  const { meta } = S.payload;
  const strip = stepsStrip(S, meta.steps.map((step) => ({
    empty: step.empty, title: step.seed === null ? "without noise" : `noise, seed ${step.seed}`,
    detail: step.seed === null ? `${meta.word} ${number(step.value)}` : `ρ ${said(step.spearman)}, ${meta.word} ${number(step.value)}`,
  })), "The map under noise");
  root.replaceChildren(strip);
}

/** Agreement as a table of coloured numbers; the cells can be walked with the arrow keys. */
function matrix(root, S) {
  const { meta } = S.payload;
  const n = meta.names.length;
  const colours = scaleTable("diverging", S.theme.mode);
  const last = colours.length / 3 - 1;
  const scroll = make("div", "sal-scroll");
  const table = scroll.appendChild(make("table", "sal-matrix"));
  table.append(make("caption", "sr", "Rank correlation between the maps of each two methods"));
  const top = table.appendChild(make("thead")).appendChild(make("tr"));
  top.append(make("td"));
  meta.names.forEach((name) => { top.appendChild(make("th", "", name)).scope = "col"; });
  const readout = make("p", "readout");
  readout.setAttribute("aria-live", "polite");
  const body = table.appendChild(make("tbody"));
  const cells = meta.names.map((name, i) => {
    const row = body.appendChild(make("tr"));
    row.appendChild(make("th", "", name)).scope = "row";
    return meta.names.map((other, j) => {
      const value = meta.matrix[i][j];
      const cell = row.appendChild(make("td", "num", value === null ? "–" : value.toFixed(2).replace("-", "−")));
      if (value !== null) {
        const k = 3 * Math.round(((value + 1) / 2) * last);
        const rgb = [colours[k], colours[k + 1], colours[k + 2]];
        cell.style.background = `rgb(${rgb.join(",")})`;
        cell.style.color = inkOn(rgb);
      }
      cell.tabIndex = i === 0 && j === 0 ? 0 : -1;
      const show = () => {
        for (const one of cells.flat()) one.dataset.lit = one === cell || one === cells[j][i] ? "yes" : "no";
        readout.textContent = i === j ? `${name} with itself: always 1.` : value === null ? `${name} and ${other}: one of them carries nothing.`
          : `${name} and ${other}: rank correlation ${number(value)}.`;
      };
      cell.onpointerenter = show;
      cell.onfocus = show;
      cell.onkeydown = (event) => {
        const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = cells[Math.max(0, Math.min(n - 1, i + step[0]))][Math.max(0, Math.min(n - 1, j + step[1]))];
        cell.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      };
      return cell;
    });
  });
  const rest = () => {
    cells.flat().forEach((one) => { one.dataset.lit = "no"; });
    readout.textContent = "Move over the numbers, or walk them with the arrow keys.";
  };
  table.onpointerleave = rest;
  const scale = make("div", "scale");
  const bar = make("canvas");
  scale.append(make("span", "num", "−1"), bar, make("span", "num", "1"), make("span", "", "rank correlation (Spearman), one shared scale"));
  drawScaleBar(bar, colours, 160, 10);
  root.replaceChildren(scroll, scale, readout);
  rest();
}
