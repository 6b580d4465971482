// Where everything stands: stages hold blocks, blocks hold operations; what is folded is one card.
const SIZES = { stage: [166, 178], block: [150, 152], op: [130, 92], input: [124, 156], end: [176, 110] };
const SPACE = { x: 26, y: 16, pad: 14, head: 28 };

/** Runs of equal keys: [{ key, start, stop }], stop not included. */
function runs(start, stop, keyOf) {
  const found = [];
  for (let i = start; i < stop; i++) {
    const key = keyOf(i);
    if (found.length && found.at(-1).key === key) found.at(-1).stop = i + 1;
    else found.push({ key, start: i, stop: i + 1 });
  }
  return found;
}

/** The tree: each node is { id, type, start, stop, title, children }; operations are its leaves. */
function treeOf(operations) {
  const leaf = (i) => {
    const type = operations[i].kind === "input" ? "input" : i === operations.length - 1 ? "end" : "op";
    return { id: `o${i}`, type, start: i, stop: i + 1, title: operations[i].short, children: [] };
  };
  return runs(0, operations.length, (i) => operations[i].stage).map(({ key, start, stop }) => {
    if (stop - start === 1) return leaf(start);
    const children = runs(start, stop, (i) => operations[i].block).flatMap((block) => {
      const leaves = Array.from({ length: block.stop - block.start }, (_, k) => leaf(block.start + k));
      if (block.key === "" || leaves.length === 1) return leaves;
      return [{ id: `b${block.start}`, type: "block", start: block.start, stop: block.stop, title: block.key, children: leaves }];
    });
    return { id: `s${start}`, type: "stage", start, stop, title: key, children };
  });
}

/** Give children columns (longest path) and lanes (a branch keeps its own), and themselves x and y in their parent. */
function arrange(children, operations, top) {
  const owner = new Map();
  children.forEach((child, index) => {
    for (let i = child.start; i < child.stop; i++) owner.set(i, index);
  });
  const ends = []; // the last column taken in each lane
  const widths = [];
  let arcs = 0;
  children.forEach((child, index) => {
    const before = new Set();
    let outside = false;
    for (let i = child.start; i < child.stop; i++) {
      for (const source of operations[i].inputs) {
        if (!owner.has(source)) outside = true;
        else if (owner.get(source) !== index) before.add(children[owner.get(source)]);
      }
    }
    child.column = Math.max(-1, ...[...before].map((other) => other.column)) + 1;
    const free = (lane) => (ends[lane] ?? -1) < child.column;
    const lanes = [...before].map((other) => other.lane).filter(free).sort((a, b) => a - b);
    child.lane = lanes.length ? lanes[0] : ends.findIndex((_, lane) => free(lane));
    if (child.lane < 0) child.lane = ends.length;
    ends[child.lane] = child.column;
    widths[child.column] = Math.max(widths[child.column] ?? 0, child.width);
    arcs += [...before].filter((other) => child.column - other.column > 1).length + (outside && child.column > 0 ? 1 : 0);
  });
  const head = top + (arcs ? 8 + 5 * Math.min(arcs, 9) : 0);
  const left = [];
  widths.reduce((x, width, column) => {
    left[column] = x;
    return x + width + SPACE.x;
  }, 0);
  const up = ends.map(() => 0);
  const down = ends.map(() => 0);
  for (const child of children) {
    up[child.lane] = Math.max(up[child.lane], child.axis);
    down[child.lane] = Math.max(down[child.lane], child.height - child.axis);
  }
  const axis = [];
  up.reduce((y, room, lane) => {
    axis[lane] = y + room;
    return y + room + down[lane] + SPACE.y;
  }, head);
  for (const child of children) {
    child.x = left[child.column] + (widths[child.column] - child.width) / 2;
    child.y = axis[child.lane] - child.axis;
  }
  return {
    width: left.at(-1) + widths.at(-1), axis: axis[0],
    height: Math.max(...children.map((child) => child.y + child.height)),
  };
}

/** Sizes from the leaves up; a folded stage or block is a card of fixed size. */
function measure(node, operations, open) {
  node.open = node.children.length > 0 && open.has(node.id);
  if (!node.open) {
    [node.width, node.height] = SIZES[node.type];
    node.axis = node.height / 2;
    return;
  }
  for (const child of node.children) measure(child, operations, open);
  const inner = arrange(node.children, operations, SPACE.head);
  node.width = inner.width + 2 * SPACE.pad;
  node.height = inner.height + SPACE.pad;
  node.axis = inner.axis;
  for (const child of node.children) child.x += SPACE.pad;
}

/** The whole drawing: { width, height, boxes (unfolded), cards (leaves), card (of each operation), edges }. */
function layoutOf(tree, operations, open) {
  for (const node of tree) measure(node, operations, open);
  const { width, height } = arrange(tree, operations, 0);
  const boxes = [];
  const cards = [];
  const card = [];
  const visit = (node, x, y) => {
    node.left = node.x + x;
    node.top = node.y + y;
    if (node.open) {
      boxes.push(node);
      for (const child of node.children) visit(child, node.left, node.top);
    } else {
      node.index = cards.length;
      cards.push(node);
      for (let i = node.start; i < node.stop; i++) card[i] = node;
    }
  };
  for (const node of tree) visit(node, SPACE.pad, SPACE.pad + 8);
  return { width: width + 2 * SPACE.pad, height: height + 2 * SPACE.pad + 8, boxes, cards, card, edges: edgesOf(operations, cards, card) };
}

/** Lines between cards, each with its path: along a free lane, or in an arc over what lies between. */
function edgesOf(operations, cards, card) {
  const edges = new Map();
  operations.forEach((operation, i) => {
    for (const source of operation.inputs) {
      const [from, to] = [card[source], card[i]];
      if (from !== to) edges.set(`${from.index},${to.index}`, { from, to });
    }
  });
  const tracks = []; // arcs that run over each other keep apart: the last right end on each track
  const list = [...edges.values()].sort((a, b) => a.from.left - b.from.left || b.to.left - a.to.left);
  for (const edge of list) {
    const { from, to } = edge;
    const [x1, y1, x2, y2] = [from.left + from.width, from.top + from.height / 2, to.left, to.top + to.height / 2];
    const between = cards.filter((c) => c !== from && c !== to && c.left < x2 - 2 && c.left + c.width > x1 + 2);
    const blocked = (y) => between.some((c) => c.top - 4 < y && c.top + c.height + 4 > y);
    const turn = Math.min(SPACE.x, Math.max(12, (x2 - x1) / 2));
    if (!between.length) {
      const middle = (x1 + x2) / 2;
      edge.path = `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
    } else if (!blocked(y1)) {
      edge.path = `M${x1} ${y1}H${x2 - turn}C${x2 - turn / 2} ${y1} ${x2 - turn / 2} ${y2} ${x2} ${y2}`;
    } else if (!blocked(y2)) {
      edge.path = `M${x1} ${y1}C${x1 + turn / 2} ${y1} ${x1 + turn / 2} ${y2} ${x1 + turn} ${y2}H${x2}`;
    } else {
      let track = tracks.findIndex((end) => end <= x1 + 4);
      if (track < 0) track = tracks.length;
      tracks[track] = x2;
      const roof = Math.min(...between.map((c) => c.top)) - 8 - Math.min(5 * track, 46);
      edge.path = `M${x1} ${y1}C${x1 + turn * 0.6} ${y1} ${x1 + turn * 0.2} ${roof} ${x1 + turn * 0.8} ${roof}H${x2 - turn * 0.8}C${x2 - turn * 0.2} ${roof} ${x2 - turn * 0.6} ${y2} ${x2} ${y2}`;
      edge.arc = true;
    }
  }
  return list;
}
