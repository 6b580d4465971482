// The ledger of one logit: its parts as rows that sum to it, and where in the picture they come from.
// Hover and pins stay here; a guess, or a row that the server has to open, is sent.

export default function ({ data, parentElement, setTriggerValue: send }) {
  const root = parentElement.querySelector(".ledger");
  const find = (selector) => root.querySelector(selector);
  const theme = applyTheme(root);
  const S = stateOf(parentElement, () => ({ side: "rows", row: null, over: null, cell: null, aim: null }));
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
    const { rgb } = S.payload;
    const image = new ImageData(rgb.shape[1], rgb.shape[0]);
    for (let i = 0; i < rgb.data.length / 3; i++) image.data.set([rgb.data[3 * i], rgb.data[3 * i + 1], rgb.data[3 * i + 2], 255], 4 * i);
    S.picture = canvasOf(image);
  }
  const { meta, rgb, cells, maps } = S.payload;
  if (S.subject !== meta.subject) Object.assign(S, { subject: meta.subject, side: "rows", row: null, over: null, cell: null, aim: null });
  const [H, W] = rgb.shape;
  /** The rows that are listed: the largest parts of either sign, or those that speak most against. */
  const listed = () => meta[S.side];
  const [h, w] = meta.grid;
  const { offset, stride } = meta.place;
  const canvas = find(".lg-figure > canvas");
  find(".lg-figure").hidden = !meta.picture;
  root.dataset.picture = meta.picture ? "yes" : "no";
  root.dataset.waiting = meta.waiting ? "yes" : "no";
  find(".lg-sum").inert = meta.waiting;
  canvas.setAttribute("aria-label", `${meta.question} Arrow keys move over ${h} by ${w} cells, ${meta.waiting ? "Enter commits the guess." : meta.picks ? "Enter takes the cell away, Escape lets go." : "Escape lets go."}`);
  find(".lg-ask p").textContent = meta.question;
  find(".lg-skip").onclick = () => send("guess", { subject: meta.subject, skip: true });
  flow(find(".lg-flow"), meta.flow);
  rows();

  /** What is laid over the picture: a channel's own map while its row is chosen, otherwise the evidence of each cell. */
  function layer() {
    const at = S.over ?? S.row;
    if (at !== null && maps && listed()[at]?.map >= 0) {
      const k = listed()[at].map;
      const values = maps.data.subarray(k * h * w, (k + 1) * h * w);
      const [low, high] = extent(values);
      // A map that goes below zero (no ReLU before the pooling) needs the two-sided scale.
      const limit = Math.max(Math.abs(low), Math.abs(high));
      return { values, table: scaleTable(low < 0 ? "diverging" : "sequential", theme.mode), low: low < 0 ? -limit : 0, high: limit, row: listed()[at] };
    }
    if (!cells || meta.waiting) return null;
    const limit = Math.max(...cells.data.map(Math.abs));
    return { values: cells.data, table: scaleTable("diverging", theme.mode), low: -limit, high: limit, row: null };
  }

  /** A cell's own square in the picture: one stride wide, round its receptive field's centre; the outer ones reach the edge. */
  function square([row, column]) {
    const edge = (axis, k, n, size) => (k <= 0 ? 0 : k >= n ? size : Math.max(0, Math.min(size, offset[axis] + stride[axis] * (k - 0.5))));
    return [edge(0, row, h, H), edge(1, column, w, W), edge(0, row + 1, h, H), edge(1, column + 1, w, W)];
  }

  function draw() {
    const width = canvas.parentElement.clientWidth;
    if (!width) return;
    const zoom = width / W;
    const g = fit(canvas, width, H * zoom);
    g.drawImage(S.picture, 0, 0, width, H * zoom);
    const shown = layer();
    const fontSize = Math.min(14, (stride[1] * zoom) / 4.2);
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.font = `600 ${fontSize}px ${getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace"}`;
    for (let r = 0; r < h; r++) {
      for (let c = 0; c < w; c++) {
        const [top, left, bottom, right] = square([r, c]).map((v) => v * zoom);
        if (shown) {
          const value = shown.values[r * w + c];
          const last = shown.table.length / 3 - 1;
          const k = 3 * Math.round((last * (value - shown.low)) / (shown.high - shown.low || 1));
          const strength = shown.high > 0 ? Math.abs(value) / shown.high : 0;
          g.fillStyle = `rgba(${shown.table[k]},${shown.table[k + 1]},${shown.table[k + 2]},${0.15 + 0.7 * strength})`;
          g.fillRect(left, top, right - left, bottom - top);
          const text = number(value, 2);
          // A number that does not fit its square would be read as another number.
          if (fontSize >= 8.5 && g.measureText(text).width < right - left - 2) {
            g.lineWidth = 3;
            g.strokeStyle = "rgba(0,0,0,.75)";
            g.strokeText(text, (left + right) / 2, (top + bottom) / 2);
            g.fillStyle = "#FFFFFF";
            g.fillText(text, (left + right) / 2, (top + bottom) / 2);
          }
        }
        g.strokeStyle = "rgba(255,255,255,.35)";
        g.lineWidth = 1;
        g.strokeRect(left, top, right - left, bottom - top);
      }
    }
    const frame = (cell, dash) => {
      const [top, left, bottom, right] = square(cell).map((v) => v * zoom);
      for (const [stroke, thick, pattern] of [["rgba(0,0,0,.7)", 5, []], ["#FFFFFF", 2.5, dash]]) {
        g.setLineDash(pattern);
        g.strokeStyle = stroke;
        g.lineWidth = thick;
        g.strokeRect(left + 2, top + 2, right - left - 4, bottom - top - 4);
      }
      g.setLineDash([]);
    };
    const of = listed()[S.over ?? S.row]?.cell;
    if (of && !meta.waiting) frame(of, []);
    if (meta.guess && !meta.waiting) frame(meta.guess, [5, 4]);
    if (meta.picked && meta.picks) frame(meta.picked, []);
    if (meta.waiting ? S.aim : S.cell) frame(meta.waiting ? S.aim : S.cell, []);
    legend(shown);
    read(shown);
  }

  function legend(shown) {
    const evidence = find(".lg-cells");
    evidence.hidden = !cells;
    evidence.setAttribute("aria-pressed", String(Boolean(shown && !shown.row)));
    evidence.onclick = () => {
      S.row = null;
      rows();
      draw();
    };
    find(".lg-bar").hidden = !shown;
    if (shown) drawScaleBar(find(".lg-bar"), shown.table, 110, 10);
    find(".lg-low").textContent = shown ? number(shown.low, 3) : "";
    find(".lg-high").textContent = shown ? `${number(shown.high, 3)} · own scale` : "";
    const caption = find(".lg-figure figcaption");
    if (meta.waiting) caption.textContent = meta.gridWords;
    else if (!shown) caption.textContent = "The picture as the network saw it.";
    else if (!shown.row) caption.textContent = meta.cellWords;
    else caption.textContent = `${shown.row.name}: its map; the mean is ${number(shown.row.feature)}.`;
  }

  function read(shown) {
    const line = find(".lg-readout");
    const cell = meta.waiting ? S.aim : S.cell;
    if (!cell) {
      line.textContent = meta.waiting ? "Click a cell, or move with the arrow keys and press Enter."
        : maps ? "Move over the cells, or over a row, to see where it comes from; click a cell to take it away." : meta.opens ? "Move over the cells to read them; click a row to open the unit that made it." : "Move over the cells to read them.";
      return;
    }
    const start = `Cell row ${cell[0]}, column ${cell[1]}`;
    if (!shown) line.textContent = meta.waiting ? `${start}. Enter or click to commit your guess.` : `${start}.`;
    else {
      const value = shown.values[cell[0] * w + cell[1]];
      const rank = 1 + shown.values.reduce((n, v) => n + (v > value), 0);
      line.replaceChildren(`${start}: `, make("span", "num", shown.row ? number(value) : signed(value)), ` ${shown.row ? "in this channel's map" : meta.cellUnit}, rank ${rank} of ${h * w}.`);
    }
  }

  function rows() {
    const reach = Math.max(...listed().map((row) => Math.abs(row.contribution)), 1e-30);
    const negative = listed().some((row) => row.contribution < 0);
    const zero = negative ? 50 : 0;
    const scale = (negative ? 50 : 100) / reach;
    const holder = find(".lg-rows");
    holder.style.setProperty("--zero", `${zero}%`);
    const head = make("div", "lg-row lg-head");
    for (const [text, name] of [[meta.partWord, ""], [meta.featureWord, "num in"], ["", "sign"], [meta.weightWord, "num ker"], ["", "sign"], ["contribution", "num out"], ["", ""]]) head.append(make("span", name, text));
    holder.replaceChildren(head, ...listed().map((row, i) => {
      const element = make("button", "lg-row");
      element.type = "button";
      element.setAttribute("aria-pressed", String(meta.opens ? row.id === meta.opened : S.row === i));
      const track = make("span", "lg-track");
      const bar = track.appendChild(make("div"));
      const length = Math.abs(row.contribution) * scale;
      bar.style.left = `${row.contribution < 0 ? zero - length : zero}%`;
      bar.style.width = `${length}%`;
      bar.style.background = row.contribution < 0 ? theme.input : theme.kernel;
      element.append(make("span", "", row.name), make("span", "num in", number(row.feature)), make("span", "sign", "×"), make("span", "num ker", number(row.weight)), make("span", "sign eq", "="), make("span", "num out lg-made", signed(row.contribution)), track);
      element.onpointerenter = () => { S.over = i; schedule(); };
      element.onpointerleave = () => { S.over = null; schedule(); };
      element.onfocus = element.onpointerenter;
      element.onblur = element.onpointerleave;
      element.onclick = () => {
        if (meta.opens) return send("open", row.id);
        S.row = S.row === i ? null : i;
        for (const [j, other] of [...holder.querySelectorAll("button")].entries()) other.setAttribute("aria-pressed", String(S.row === j));
        schedule();
      };
      return element;
    }));
    holder.onkeydown = (event) => {
      const buttons = [...holder.querySelectorAll("button")];
      const at = buttons.indexOf(root.getRootNode().activeElement);
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (event.key === "Escape") { S.row = S.over = null; rows(); schedule(); }
      if (!step || at < 0) return;
      event.preventDefault();
      buttons[Math.max(0, Math.min(buttons.length - 1, at + step))].focus();
    };
    find(".lg-title").textContent = meta.title;
    find(".lg-side").hidden = meta.against.length === 0;
    find(".lg-side").replaceChildren(...[["rows", "Largest parts"], ["against", "Most against"]].map(([side, text]) => {
      const choice = make("button", "", text);
      choice.type = "button";
      choice.setAttribute("role", "radio");
      choice.setAttribute("aria-checked", String(S.side === side));
      choice.onclick = () => {
        Object.assign(S, { side, row: null, over: null });
        rows();
        schedule();
        find(`.lg-side [aria-checked="true"]`).focus();
      };
      return choice;
    }));
    const total = find(".lg-total");
    const shown = listed().reduce((sum, row) => sum + row.contribution, 0);
    total.replaceChildren(make("span", "num", number(shown)), " shown above ");
    const rest = meta.parts - listed().length;
    if (rest > 0) total.append(make("span", "num", signed(meta.computed - (meta.bias ?? 0) - shown)), ` from ${rest} more `);
    if (meta.bias !== null) total.append(make("span", "num", signed(meta.bias)), " bias ");
    total.append("= ", make("span", "num out", number(meta.computed)), " ", make("span", meta.matches ? "right" : "wrong",
      meta.matches ? `✓ torch computed ${number(meta.value)} (relative error ${meta.error.toExponential(0)})` : `✗ torch computed ${number(meta.value)}`));
  }

  const schedule = oncePerFrame(draw);
  const cellAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const y = ((event.clientY - box.top) / box.height) * H;
    const x = ((event.clientX - box.left) / box.width) * W;
    return [Math.round((y - offset[0]) / stride[0]), Math.round((x - offset[1]) / stride[1])].map((v, axis) => Math.max(0, Math.min(meta.grid[axis] - 1, v)));
  };
  const commit = (cell) => send("guess", { subject: meta.subject, row: cell[0], column: cell[1] });
  canvas.onpointermove = (event) => {
    if (meta.waiting) S.aim = cellAt(event);
    else S.cell = cellAt(event);
    schedule();
  };
  canvas.onpointerleave = () => {
    S.cell = S.aim = null;
    schedule();
  };
  const pick = (cell) => send("cell", { subject: meta.subject, row: cell[0], column: cell[1] });
  canvas.onclick = (event) => {
    if (meta.waiting) commit(cellAt(event));
    else if (meta.picks) pick(cellAt(event));
  };
  canvas.onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const name = meta.waiting ? "aim" : "cell";
    if (event.key === "Enter" && meta.waiting && S.aim) commit(S.aim);
    else if (event.key === "Enter" && meta.picks && S.cell) pick(S.cell);
    else if (event.key === "Escape") S[name] = null;
    else if (step) {
      const from = S[name] || [Math.floor(h / 2) - step[0], Math.floor(w / 2) - step[1]];
      S[name] = [0, 1].map((axis) => Math.max(0, Math.min(meta.grid[axis] - 1, from[axis] + step[axis])));
    } else return;
    event.preventDefault();
    schedule();
  };
  draw();
  saves(root, { file: `ledger ${meta.title}`, ready: !meta.waiting, csv: () => csvOfObjects([...meta.rows, ...(meta.against || [])]) });
  return onResize(root, draw);
}

function flow(list, steps) {
  list.replaceChildren(...steps.map(({ title, detail, role }) => {
    const item = make("li");
    item.dataset.role = role;
    const box = item.appendChild(make("span"));
    box.append(make("b", "", title), make("span", "small quiet", detail));
    return item;
  }));
}
