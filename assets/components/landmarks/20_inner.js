// An opened unit: its boxes from left to right, one lane for each branch, and the line that a skip takes.
const BOX = { width: 168, height: 46, right: 44, down: 10 };

/** Column and lane of each box: after all that it reads; in the lane of what it reads first, where that is free. */
function placed(nodes) {
  const places = [];
  const taken = new Set();
  let lanes = 0;
  nodes.forEach((node) => {
    const inside = node.inputs.filter((i) => i >= 0);
    const column = 1 + Math.max(0, ...inside.map((i) => places[i].column));
    let lane = inside.length ? places[inside[0]].lane : lanes;
    while (taken.has(`${column},${lane}`)) lane++;
    taken.add(`${column},${lane}`);
    // A branch that begins outside keeps its lane for itself.
    if (!inside.length) for (let c = 0; c < column; c++) taken.add(`${c},${lane}`);
    lanes = Math.max(lanes, lane + 1);
    places.push({ column, lane });
  });
  return { places, lanes };
}

function drawInner(inner, unit, entry, costs) {
  if (!unit || unit.nodes.length < 2) {
    inner.style.width = inner.style.height = "";
    inner.replaceChildren(make("p", "hint", unit
      ? "This one is a single layer. The slabs with a second edge are blocks: open one."
      : "Click a slab, or press Enter on it: a block opens into its own graph here."));
    return;
  }
  const { places, lanes } = placed(unit.nodes);
  const columns = Math.max(...places.map((p) => p.column));
  const skips = unit.nodes.some((node) => node.inputs.includes(-1) && node.inputs.some((i) => i >= 0));
  const top = skips ? 26 : 4;
  const x = (column) => column === 0 ? 0 : 128 + (column - 1) * (BOX.width + BOX.right);
  const y = (lane) => top + lane * (BOX.height + BOX.down);
  const middle = (lanes - 1) / 2;
  const width = x(columns) + BOX.width + 12;
  const height = Math.max(y(lanes - 1) + BOX.height + 8, 200);
  inner.style.width = `${width}px`;
  inner.style.height = `${height}px`;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.setAttribute("aria-hidden", "true");
  const line = (d, kind) => {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    path.setAttribute("class", kind);
    svg.append(path);
  };
  const isJoin = (node) => node.inputs.length > 1;
  const laneOf = (node, i) => isJoin(node) && !skips ? middle : places[i].lane;
  const entryLane = skips ? 0 : middle;
  const boxes = unit.nodes.map((node, i) => {
    const box = make("div", `node ${isJoin(node) ? "joins" : node.parameters ? "weights" : ""}`);
    Object.assign(box.style, { left: `${x(places[i].column)}px`, top: `${y(laneOf(node, i))}px`, width: `${BOX.width}px`, height: `${BOX.height}px` });
    const title = make("span", "t", node.title);
    title.title = node.title;
    box.append(title, make("span", "num", shapeShort(node.shape) + (costs && node.parameters ? ` · ${count(node.parameters)} p.` : "")));
    node.inputs.forEach((source) => {
      const [x0, y0] = source < 0 ? [104, y(entryLane) + BOX.height / 2]
        : [x(places[source].column) + BOX.width, y(laneOf(unit.nodes[source], source)) + BOX.height / 2];
      const [x1, y1] = [x(places[i].column), y(laneOf(node, i)) + BOX.height / 2];
      if (source < 0 && isJoin(node)) {
        line(`M${x0} ${y0 - 12} C ${x0 + 30} 6, ${x0 + 40} 6, ${x0 + 60} 6 L ${x1 - 30} 6 C ${x1 + 10} 6, ${x1 + 30} 8, ${x1 + 40} ${y1 - BOX.height / 2}`, "skip");
      } else {
        // Level up to the last gap, so that no line runs behind a box of another branch.
        const from = Math.max(x0, x1 - BOX.right);
        line(`M${x0} ${y0} L ${from} ${y0} C ${from + 24} ${y0}, ${x1 - 24} ${y1}, ${x1} ${y1}`, "");
      }
    });
    return box;
  });
  const enters = make("div", "node enters");
  Object.assign(enters.style, { left: "0px", top: `${y(entryLane)}px`, width: "104px", height: `${BOX.height}px` });
  enters.append(make("span", "t", "what comes in"), make("span", "num", shapeShort(entry)));
  inner.replaceChildren(svg, enters, ...boxes);
}
