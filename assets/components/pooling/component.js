// Pooling on a real map, in the browser: a window slides, and its largest number or its mean goes on.
const matches = (own, torch) => Math.abs(own - torch) <= 1e-4 * Math.max(1, Math.abs(torch));

/** The cells of one window, those in the padding marked; and what torch divides by. */
function windowOf(rule, height, width, i, j) {
  const [[kh, kw], [sh, sw], [ph, pw], [dh, dw]] = [rule.kernel, rule.stride, rule.padding, rule.dilation];
  const [top, left] = [i * sh - ph, j * sw - pw];
  const cells = [];
  for (let a = 0; a < kh; a++) {
    for (let b = 0; b < kw; b++) {
      const [r, k] = [top + a * dh, left + b * dw];
      cells.push({ a, b, r, k, inside: r >= 0 && k >= 0 && r < height && k < width });
    }
  }
  // As torch counts: the padding belongs to the mean where count_include_pad says so; cells past the padding never do.
  const counted = (Math.min(top + kh, height + ph) - top) * (Math.min(left + kw, width + pw) - left);
  return { top, left, cells, divisor: rule.counts_padding ? counted : cells.filter((cell) => cell.inside).length };
}

function poolCell(map, rule, height, width, i, j) {
  const { cells, divisor } = windowOf(rule, height, width, i, j);
  let [best, sum] = [-Infinity, 0];
  for (const { r, k, inside } of cells) {
    if (!inside) continue;
    const value = map[r * width + k];
    if (value > best) best = value;
    sum += value;
  }
  return rule.kind === "max" ? best : sum / divisor;
}

const sizeOut = (n, k, s) => Math.floor((n - k) / s) + 1;

function settle(S) {
  const { map, pooled, meta } = S.T;
  const [height, width] = map.shape;
  const rule = meta.own
    ? meta.rule
    : { kind: S.kind, kernel: [S.size, S.size], stride: [S.stride, S.stride], padding: [0, 0], dilation: [1, 1], counts_padding: true };
  S.rule = rule;
  const [rows, columns] = meta.own ? pooled.shape : [sizeOut(height, rule.kernel[0], rule.stride[0]), sizeOut(width, rule.kernel[1], rule.stride[1])];
  [S.rows, S.columns] = [Math.max(0, rows), Math.max(0, columns)];
  S.result = new Float32Array(S.rows * S.columns);
  S.wrong = 0;
  for (let i = 0; i < S.rows; i++) {
    for (let j = 0; j < S.columns; j++) {
      const value = poolCell(map.data, rule, height, width, i, j);
      S.result[i * S.columns + j] = value;
      if (meta.own && !matches(value, pooled.data[i * S.columns + j])) S.wrong += 1;
    }
  }
  if (!(S.row < S.rows && S.column < S.columns)) { // begin at the strongest answer
    const at = Math.max(0, S.result.indexOf(extent(S.result)[1]));
    [S.row, S.column] = [Math.floor(at / S.columns) || 0, at % S.columns || 0];
  }
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".po");
  const q = (selector) => root.querySelector(selector);
  const S = stateOf(parentElement, () => ({ row: NaN, column: NaN, pinned: false, playing: false, reached: Infinity, kind: "max", size: 2, stride: 2 }));
  const theme = applyTheme(root);
  const codeFont = getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace";
  if (S.source !== data) {
    S.source = data;
    S.T = unpack(data);
    S.reached = Infinity;
    if (S.digest !== S.T.meta.digest) [S.row, S.column, S.pinned] = [NaN, NaN, false];
    S.digest = S.T.meta.digest;
    settle(S);
  }
  const { map, meta } = S.T;
  const [height, width] = map.shape;
  const [low, high] = extent(map.data);
  const signedMap = low < 0;
  const limit = Math.max(-low, high) || 1;
  const [from, to] = signedMap ? [-limit, limit] : [0, high || 1];
  const table = scaleTable(signedMap ? "diverging" : "sequential", theme.mode);
  const picture = canvasOf(colourise(map.data, 0, height, width, table, from, to));
  let pooledPicture = null;
  const colourOf = (value) => {
    const last = table.length / 3 - 1;
    const k = 3 * Math.max(0, Math.min(last, Math.round(((value - from) / (to - from)) * last)));
    return [table[k], table[k + 1], table[k + 2]];
  };

  function ring(context, x, y, w, h) {
    context.lineWidth = 4.5; context.strokeStyle = "#0E1117"; context.strokeRect(x, y, w, h);
    context.lineWidth = 2.25; context.strokeStyle = "#FFFFFF"; context.strokeRect(x, y, w, h);
  }
  function mapScale(canvas, rows, columns) {
    return Math.min(canvas.parentElement.clientWidth / columns, 380 / rows);
  }

  function drawMaps() {
    const input = q(".in-map"), output = q(".out-map");
    const share = mapScale(input, height, width);
    const [w, h] = [Math.round(width * share), Math.round(height * share)];
    const context = fit(input, w, h);
    context.drawImage(picture, 0, 0, w, h);
    const out = fit(output, w, h);
    out.fillStyle = theme.panel;
    out.fillRect(0, 0, w, h);
    if (!S.rows || !S.columns) return;
    const place = windowOf(S.rule, height, width, S.row, S.column);
    const [sx, sy] = [w / S.columns, h / S.rows];
    out.drawImage(pooledPicture, 0, 0, w, h);
    if (S.reached < S.rows * S.columns) { // not computed yet while it plays
      out.fillStyle = theme.panel;
      const [i, j] = [Math.floor(S.reached / S.columns), S.reached % S.columns];
      out.fillRect((j + 1) * sx, i * sy, w, sy);
      out.fillRect(0, (i + 1) * sy, w, h);
    }
    ring(out, S.column * sx, S.row * sy, Math.max(5, sx), Math.max(5, sy));
    const reach = [(S.rule.kernel[0] - 1) * S.rule.dilation[0] + 1, (S.rule.kernel[1] - 1) * S.rule.dilation[1] + 1];
    ring(context, place.left * share, place.top * share, Math.max(6, reach[1] * share), Math.max(6, reach[0] * share));
  }

  function drawWindow() {
    const canvas = q(".window");
    const side = Math.min(260, Math.floor(q(".mid").clientWidth) - 4);
    const [kh, kw] = S.rule.kernel;
    const cell = Math.min(side / kw, side / kh, 96);
    const context = fit(canvas, Math.round(cell * kw) + 4, Math.round(cell * kh) + 4);
    context.clearRect(0, 0, side + 8, side + 8);
    const sum = q(".sum");
    if (!S.rows || !S.columns) { sum.textContent = ""; return null; }
    const { cells, divisor } = windowOf(S.rule, height, width, S.row, S.column);
    const valueAt = ({ r, k, inside }) => (inside ? map.data[r * width + k] : 0);
    const inside = cells.filter((entry) => entry.inside);
    let winner = inside[0];
    for (const entry of inside) if (valueAt(entry) > valueAt(winner)) winner = entry;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `${Math.max(11, Math.min(17, cell * 0.22))}px ${codeFont}`;
    for (const entry of cells) {
      const [x, y] = [2 + entry.b * cell, 2 + entry.a * cell];
      const rgb = colourOf(valueAt(entry));
      context.fillStyle = entry.inside ? `rgb(${rgb.join()})` : theme.panel;
      context.fillRect(x, y, cell - 2, cell - 2);
      const bright = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 128;
      context.fillStyle = entry.inside ? (bright ? "#0E1117" : "#FFFFFF") : theme.quiet;
      context.fillText(entry.inside ? number(valueAt(entry), cell > 66 ? 4 : 3) : "padding", x + cell / 2 - 1, y + cell / 2);
    }
    if (S.rule.kind === "max") {
      context.lineWidth = 4;
      context.strokeStyle = theme.output;
      context.strokeRect(2 + winner.b * cell, 2 + winner.a * cell, cell - 2, cell - 2);
    }
    const listed = inside.map((entry) => number(valueAt(entry), 3));
    const result = S.result[S.row * S.columns + S.column];
    const body = S.rule.kind === "max" ? `max(${listed.join(", ")})` : `(${listed.join(" + ").replaceAll("+ −", "− ")}) ÷ ${divisor}`;
    sum.replaceChildren(body, make("span", "result out", `= ${number(result)}`));
    return { winner, result, divisor, listed: inside.length };
  }

  function drawCell() {
    drawMaps();
    const found = drawWindow();
    const at = S.row * S.columns + S.column;
    q(".scrub").value = String(at);
    root.dataset.row = S.row;
    root.dataset.column = S.column;
    root.dataset.value = found ? found.result : "";
    if (!found) {
      q(".window-name").textContent = "No output";
      q(".window-where").textContent = "";
      q(".readout").textContent = `No output: the window of ${S.rule.kernel.join(" × ")} is larger than the map of ${height} × ${width}. Choose a smaller window or an earlier layer.`;
      return;
    }
    q(".window-name").textContent = S.rule.kind === "max" ? "The largest wins" : "The mean goes on";
    q(".window-where").textContent = `${S.rule.kernel.join(" × ")} window`;
    if (S.playing) return; // a reader of the screen is not told of every frame
    const words = S.rule.kind === "max"
      ? `the largest of ${found.listed} numbers is ${number(found.result)}, from row ${found.winner.r}, column ${found.winner.k} of the map`
      : `${found.listed} numbers, their sum divided by ${found.divisor} is ${number(found.result)}`;
    const tick = meta.own ? [" = torch's number ", make("span", matches(found.result, S.T.pooled.data[at]) ? "right" : "wrong", matches(found.result, S.T.pooled.data[at]) ? "✓" : `✗ ${number(S.T.pooled.data[at])}`)] : [];
    q(".readout").replaceChildren(`Pooled row ${S.row}, column ${S.column}: ${words}`, ...tick, make("span", "quiet", S.pinned ? " (pinned)" : ""));
  }

  function describe() {
    const { kernel, stride, padding, dilation } = S.rule;
    pooledPicture = S.rows && S.columns ? canvasOf(colourise(S.result, 0, S.rows, S.columns, table, from, to)) : null;
    q(".in-size").textContent = `${height} × ${width} cells`;
    const pad = padding[0] ? ` + 2·${padding[0]}` : "";
    const reach = dilation[0] * (kernel[0] - 1) + 1;
    const brackets = meta.own && meta.rule.ceil_mode ? ["⌈", "⌉"] : ["⌊", "⌋"];
    q(".out-size").textContent = S.rows && S.columns
      ? `${S.rows} × ${S.columns}; rows: ${brackets[0]}(${height}${pad} − ${reach}) ÷ ${stride[0]}${brackets[1]} + 1 = ${S.rows}`
      : `${brackets[0]}(${height} − ${reach}) ÷ ${stride[0]}${brackets[1]} + 1 is below 1`;
    const scrub = q(".scrub");
    scrub.max = String(Math.max(0, S.rows * S.columns - 1));
    scrub.disabled = !S.rows || !S.columns;
    const check = q(".check");
    const fewer = (S.rows * S.columns) / (height * width);
    const kept = `${(S.rows * S.columns).toLocaleString("en")} numbers are left of ${(height * width).toLocaleString("en")} (${(100 * fewer).toFixed(0)} %). `;
    if (meta.own) {
      check.replaceChildren(`${kept}All compared with torch's in your browser `, make("span", S.wrong ? "wrong" : "right", S.wrong ? `✗ ${S.wrong} differ` : "✓"));
    } else check.textContent = `${kept}Computed in your browser.`;
  }
  const drawAll = () => { describe(); drawCell(); };
  const refresh = oncePerFrame(drawCell);

  // --- moving ---------------------------------------------------------------------------------------------------
  function moveTo(row, column) {
    if (!S.rows || !S.columns) return;
    const [r, k] = [Math.max(0, Math.min(S.rows - 1, row)), Math.max(0, Math.min(S.columns - 1, column))];
    if (r === S.row && k === S.column) return;
    [S.row, S.column] = [r, k];
    refresh();
  }
  const jump = (at) => moveTo(Math.floor(at / S.columns), at % S.columns);
  function stopPlaying() {
    if (!S.playing) return;
    S.playing = false;
    cancelAnimationFrame(S.frame);
    S.reached = Infinity;
    showPlaying();
    refresh();
  }
  function showPlaying() {
    q(".play").textContent = S.playing ? "❚❚ Pause" : "▶ Play";
    q(".play").setAttribute("aria-pressed", String(S.playing));
  }
  function play() {
    if (S.playing) { stopPlaying(); return; }
    if (!S.rows || !S.columns) return;
    const count = S.rows * S.columns;
    S.playing = true;
    S.pinned = false;
    let at = S.row * S.columns + S.column;
    if (at >= count - 1) at = -1;
    let last = performance.now(), owed = 0;
    const tick = (now) => {
      if (!S.playing || !root.isConnected) return;
      // Reduced motion: the same steps, but never more than two a second.
      const rate = reducedMotion() ? 2 : Number(q(".speed").value);
      owed += ((now - last) / 1000) * rate;
      last = now;
      const steps = Math.floor(owed);
      if (steps > 0) {
        owed -= steps;
        at = Math.min(count - 1, at + steps);
        S.reached = at;
        [S.row, S.column] = [Math.floor(at / S.columns), at % S.columns];
        S.draw();
        if (at === count - 1) { stopPlaying(); return; }
      }
      S.frame = requestAnimationFrame(tick);
    };
    showPlaying();
    S.frame = requestAnimationFrame(tick);
  }
  S.draw = drawCell; // new data or another theme while it plays: the running loop draws with the new one
  q(".play").onclick = play;
  q(".step").onclick = () => { stopPlaying(); jump(Math.min(S.rows * S.columns - 1, S.row * S.columns + S.column + 1)); };
  q(".back").onclick = () => { stopPlaying(); jump(Math.max(0, S.row * S.columns + S.column - 1)); };
  q(".scrub").oninput = (event) => { stopPlaying(); jump(Number(event.target.value)); };

  const position = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
  };
  const fromOutput = (event) => position(event, q(".out-map")).map((share, axis) => Math.floor(share * [S.rows, S.columns][axis]));
  const fromInput = (event) => position(event, q(".in-map")).map((share, axis) =>
    Math.floor((share * [height, width][axis] + S.rule.padding[axis] - (S.rule.kernel[axis] - S.rule.stride[axis]) / 2) / S.rule.stride[axis]));
  for (const [canvas, where] of [[q(".out-map"), fromOutput], [q(".in-map"), fromInput]]) {
    canvas.onpointermove = (event) => { if (!S.pinned && !S.playing) moveTo(...where(event)); };
    canvas.onclick = (event) => {
      stopPlaying();
      const [row, column] = [S.row, S.column];
      moveTo(...where(event));
      S.pinned = !(S.pinned && row === S.row && column === S.column);
      refresh();
    };
  }
  root.onkeydown = (event) => {
    if (event.target !== q(".out-map")) return;
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (move) { stopPlaying(); moveTo(S.row + move[0], S.column + move[1]); }
    else if (event.key === " ") play();
    else if (event.key === "Enter") { S.pinned = !S.pinned; refresh(); }
    else if (event.key === "Escape") { S.pinned = false; stopPlaying(); refresh(); }
    else return;
    event.preventDefault();
  };

  // --- settings -------------------------------------------------------------------------------------------------
  function group(label, entries, current, choose) {
    const box = make("div", "group");
    box.setAttribute("role", "radiogroup");
    box.setAttribute("aria-label", label);
    box.append(make("span", "", label));
    for (const [value, text] of entries) {
      const button = make("button", "", text);
      button.type = "button";
      button.setAttribute("role", "radio");
      button.setAttribute("aria-checked", String(value === current));
      button.onclick = () => {
        for (const other of box.querySelectorAll("button")) other.setAttribute("aria-checked", String(other === button));
        stopPlaying();
        choose(value);
        settle(S);
        drawAll();
      };
      box.append(button);
    }
    return box;
  }
  if (meta.own) q(".controls").replaceChildren(make("strong", "", meta.title), make("span", "quiet small", meta.note));
  else {
    q(".controls").replaceChildren(
      group("pooling", [["max", "max"], ["average", "average"]], S.kind, (value) => { S.kind = value; }),
      group("window", [[2, "2 × 2"], [3, "3 × 3"]], S.size, (value) => { S.size = value; }),
      group("stride", [[1, "1"], [2, "2"], [3, "3"]], S.stride, (value) => { S.stride = value; }),
      make("span", "quiet small", meta.note),
    );
  }
  q(".foot .low").textContent = number(from, 3);
  q(".foot .high").textContent = number(to, 3);
  drawScaleBar(q(".strip"), table);

  saves(root, {
    file: () => `pooled ${S.rule.kind} ${S.rule.kernel.join("x")} ${meta.note}`,
    csv: () => csvOfArray({ data: S.result, shape: [S.rows, S.columns] }, ["row", "column"], `${S.rule.kind}_pooled`),
  });
  showPlaying();
  const unwatch = onResize(root, drawAll);
  drawAll();
  return () => { S.playing = false; cancelAnimationFrame(S.frame); unwatch(); };
}
