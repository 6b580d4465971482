// Receptive field, stride and abstraction by depth: three panels over one axis, the operations in their order.
const SVG = "http://www.w3.org/2000/svg";
const LEFT = 52;
const RIGHT = 14;
const DASHES = { shift: "", flip: "7 4", hue: "2 3" };

function plot(root, S, send) {
  const find = (selector) => root.querySelector(selector);
  const { meta } = S.payload;
  const { rows, changes } = meta;
  S.rest?.();
  find(".dp-stage").hidden = true;
  find(".dp-plot").hidden = false;
  const holder = find(".dp-chart");
  const readout = find(".dp-plotread");
  const current = rows.findIndex((row) => row.name === meta.current);
  S.aimed = null;
  const panels = [
    { key: "field", title: `Receptive field, side in pixels (log scale; dashed: the picture, ${meta.side})`, height: 132 },
    { key: "stride", title: "Stride: pixels from one cell to the next (log scale)", height: 84 },
    ...(changes.length ? [{ key: "abstraction", title: "How new a changed picture looks to the layer (1: like another picture, 0: not at all)", height: 120 }] : []),
  ];
  const add = (parent, tag, attributes, text) => {
    const element = parent.appendChild(document.createElementNS(SVG, tag));
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  function draw() {
    const width = Math.max(280, holder.clientWidth);
    const total = panels.reduce((sum, panel) => sum + panel.height + 34, 0) + 22;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${total}`);
    svg.setAttribute("height", total);
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("role", "slider");
    svg.setAttribute("aria-label", "Depth: the operations in their order. Arrow keys read them, Enter opens one.");
    svg.setAttribute("aria-valuemin", 1);
    svg.setAttribute("aria-valuemax", rows.length);
    add(svg, "text", { x: width - RIGHT, y: total - 6, "text-anchor": "end" }, "operations in order, from picture to decision →");
    const x = (i) => LEFT + ((i + 0.5) * (width - LEFT - RIGHT)) / rows.length;
    let top = 0;
    const bottoms = [];
    for (const panel of panels) {
      // On a phone a long title would run over the edge: it is cut at its bracket.
      const short = width < 560 ? panel.title.replace(/ \(.*/, "") : panel.title;
      add(svg, "text", { x: LEFT, y: top + 15, class: "name" }, short);
      const [y0, y1] = [top + 26, top + 26 + panel.height];
      const values = panel.key === "field" ? rows.map((row) => row.size) : panel.key === "stride" ? rows.map((row) => row.stride) : null;
      const high = values ? Math.max(...values, panel.key === "field" ? meta.side : 1) : Math.max(1, ...changes.flatMap((c) => c.values.filter((v) => v !== null)));
      const y = values ? (v) => y1 - ((y1 - y0) * Math.log2(Math.max(1, v))) / Math.log2(Math.max(2, high)) : (v) => y1 - ((y1 - y0) * v) / high;
      const marks = values ? powers(high) : [0, 0.5, 1];
      for (const mark of marks) {
        add(svg, "line", { x1: LEFT, x2: width - RIGHT, y1: y(mark), y2: y(mark), class: "axis" });
        add(svg, "text", { x: LEFT - 8, y: y(mark) + 4, "text-anchor": "end" }, mark);
      }
      if (panel.key === "field") add(svg, "line", { x1: LEFT, x2: width - RIGHT, y1: y(meta.side), y2: y(meta.side), class: "limit" });
      if (values) {
        add(svg, "polyline", { class: "line", stroke: panel.key === "field" ? S.theme.input : S.theme.kernel, points: values.map((v, i) => (v === null ? null : `${x(i)},${y(v)}`)).filter(Boolean).join(" ") });
        if (panel.key === "field") {
          rows.forEach((row, i) => row.everything && add(svg, "rect", { x: x(i) - Math.max(1, (width - LEFT) / rows.length / 2), y: y1 + 1, width: Math.max(2, (width - LEFT) / rows.length), height: 4, fill: S.theme.accent }));
          if (rows.some((row) => row.everything)) add(svg, "text", { x: width - RIGHT, y: top + 15, "text-anchor": "end" }, width < 560 ? "▬ sees all" : "▬ sees everything by a side path, or has no place left");
        }
      } else {
        for (const change of changes) {
          const points = change.values.map((v, i) => (v === null ? null : `${x(i)},${y(v)}`)).filter(Boolean);
          add(svg, "polyline", { class: "line", stroke: S.theme.output, "stroke-dasharray": DASHES[change.key] ?? "", points: points.join(" ") });
        }
        let at = LEFT;
        for (const change of changes) {
          add(svg, "line", { x1: at, x2: at + 26, y1: y1 + 16, y2: y1 + 16, class: "line", stroke: S.theme.output, "stroke-dasharray": DASHES[change.key] ?? "" });
          add(svg, "text", { x: at + 32, y: y1 + 20 }, change.title);
          at += 52 + 7 * change.title.length;
        }
      }
      bottoms.push([y0, y1, y, values]);
      top = y1 + 8;
    }
    for (let i = 1; i < rows.length; i++) {
      if (rows[i].stage !== rows[i - 1].stage) add(svg, "line", { x1: (x(i) + x(i - 1)) / 2, x2: (x(i) + x(i - 1)) / 2, y1: 26, y2: bottoms.at(-1)[1], class: "edge" });
    }
    const line = (cls) => add(svg, "line", { y1: 22, y2: bottoms.at(-1)[1], x1: -9, x2: -9, class: cls });
    const [now, aim] = [line("now"), line("aim")];
    if (current >= 0) for (const end of ["x1", "x2"]) now.setAttribute(end, x(current));
    if (current >= 0) add(svg, "path", { d: `M ${x(current) - 6} 18 h 12 l -6 8 z`, fill: S.theme.text });
    S.move = () => {
      const at = S.aimed ?? -1;
      for (const end of ["x1", "x2"]) aim.setAttribute(end, at < 0 ? -9 : x(at));
      svg.setAttribute("aria-valuenow", 1 + (at < 0 ? Math.max(0, current) : at));
      svg.setAttribute("aria-valuetext", words(rows[at < 0 ? Math.max(0, current) : at]));
      tell();
    };
    const indexAt = (event) => {
      const rect = svg.getBoundingClientRect();
      const share = ((event.clientX - rect.left) * (width / rect.width) - LEFT) / (width - LEFT - RIGHT);
      return Math.max(0, Math.min(rows.length - 1, Math.floor(share * rows.length)));
    };
    svg.onpointermove = (event) => { S.aimed = indexAt(event); S.move(); };
    svg.onpointerleave = () => { S.aimed = null; S.move(); };
    svg.onclick = (event) => send("open", rows[indexAt(event)].name);
    svg.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (event.key === "Enter" && S.aimed !== null) send("open", rows[S.aimed].name);
      else if (event.key === "Escape") S.aimed = null;
      else if (event.key === "Home") S.aimed = 0;
      else if (event.key === "End") S.aimed = rows.length - 1;
      else if (step) S.aimed = Math.max(0, Math.min(rows.length - 1, (S.aimed ?? Math.max(0, current)) + step));
      else return;
      event.preventDefault();
      S.move();
    };
    const focused = holder.contains(holder.getRootNode().activeElement);
    holder.replaceChildren(svg);
    if (focused) svg.focus({ preventScroll: true });
    S.move();
  }

  function words(row) {
    const size = row.everything && !row.place ? "sees the whole picture" : `a box of ${round(row.size)} pixels a side, one every ${round(row.stride)}${row.everything ? "; by a side path it sees everything" : ""}`;
    const found = changes.map((change) => [change.title, change.values[row.at]]).filter(([, v]) => v !== null && v !== undefined);
    return `${row.name} · ${row.title} · depth ${row.depth}: ${size}${found.length ? `. As new as another picture: ${found.map(([title, v]) => `${title} ${number(v, 2)}`).join(", ")}` : ""}.`;
  }
  function tell() {
    const row = rows[S.aimed ?? current];
    readout.textContent = row ? words(row) + (S.aimed !== null && S.aimed !== current ? " Click to open it above." : "") : "Move over the curves to read an operation; click opens it above.";
  }
  saves(root, {
    file: meta.file,
    csv: () => [["operation", "kind", "depth", "field_px", "stride_px", "share_of_picture", "sees_everything", ...changes.map((c) => c.title.replaceAll(" ", "_"))],
      ...rows.map((row, i) => [row.name, row.kind, row.depth, row.size, row.stride ?? "", row.share, row.everything ? 1 : 0, ...changes.map((c) => c.values[i] ?? "")])],
  });
  rows.forEach((row, i) => { row.at = i; });
  draw();
  S.rest = onResize(root, oncePerFrame(draw));
  return () => S.rest();
}

/** Powers of four up to a value (of two where there are few). */
function powers(high) {
  const step = high > 64 ? 4 : 2;
  const marks = [];
  for (let mark = 1; mark <= high; mark *= step) marks.push(mark);
  return marks;
}
