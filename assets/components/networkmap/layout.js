// Where everything stands: stages hold blocks, blocks hold operations; what is folded is one card.
const SIZES = { stage: [166, 316], last: [176, 196], block: [150, 152], op: [132, 92], input: [150, 190], end: [176, 110] };
const SPACE = { x: 30, y: 18, pad: 16, head: 30, margin: 18 };
/** Lines that run over cards: the more there are, the closer they lie. */
const railGap = (rails) => Math.min(8, 150 / Math.max(1, rails));

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

/** The tree: each node is { id, type, start, stop, title, children, parent }; operations are its leaves. */
function treeOf(operations) {
  const leaf = (i) => {
    const type = operations[i].kind === "input" ? "input" : i === operations.length - 1 ? "end" : "op";
    return { id: `o${i}`, type, start: i, stop: i + 1, title: operations[i].short, children: [] };
  };
  const root = { id: "all", type: "all", start: 0, stop: operations.length, title: "", parent: null };
  root.children = runs(0, operations.length, (i) => operations[i].stage).map(({ key, start, stop }) => {
    if (stop - start === 1) return leaf(start);
    const children = runs(start, stop, (i) => operations[i].block).flatMap((block) => {
      const leaves = Array.from({ length: block.stop - block.start }, (_, k) => leaf(block.start + k));
      if (block.key === "" || leaves.length === 1) return leaves;
      return [{ id: `b${block.start}`, type: "block", start: block.start, stop: block.stop, title: block.key, children: leaves }];
    });
    return { id: `s${start}`, type: "stage", start, stop, title: key, children };
  });
  const adopt = (node) => {
    for (const child of node.children) {
      child.parent = node;
      adopt(child);
    }
  };
  adopt(root);
  return root;
}

/** Columns by the longest path, and lanes: a branch keeps its own, and none is begun where a line still runs. */
function settle(children, operations) {
  const owner = new Map();
  children.forEach((child) => {
    for (let i = child.start; i < child.stop; i++) owner.set(i, child);
  });
  for (const child of children) {
    child.before = new Set();
    for (let i = child.start; i < child.stop; i++) {
      for (const source of operations[i].inputs) {
        const other = owner.get(source);
        if (other && other !== child) child.before.add(other);
      }
    }
    child.column = Math.max(-1, ...[...child.before].map((other) => other.column)) + 1;
    child.until = child.column;
    for (const other of child.before) other.until = Math.max(other.until, child.column - 1);
  }
  const taken = []; // the last column with a card in each lane
  const held = []; // the last column over which a line out of it runs
  for (const child of children) {
    const free = (lane) => (taken[lane] ?? -1) < child.column;
    const own = [...child.before].map((other) => other.lane).filter(free).sort((a, b) => a - b);
    child.lane = own.length ? own[0] : taken.findIndex((_, lane) => free(lane) && held[lane] < child.column);
    if (child.lane < 0) child.lane = taken.length;
    taken[child.lane] = child.column;
    held[child.lane] = Math.max(held[child.lane] ?? -1, child.until);
  }
}

/** Room for the title and for the lines that run over the cards inside. */
const headOf = (node) => (node.type === "all" ? 0 : SPACE.head) + (node.rails ? 6 + node.rails * railGap(node.rails) : 0);

/** Sizes from the leaves up; a folded stage or block is a card of fixed size. */
function measure(node) {
  if (!node.open) {
    // The stage that ends in the answer has no maps to show.
    [node.width, node.height] = SIZES[node.type === "stage" && node.stop === node.parent.stop ? "last" : node.type];
    node.axis = node.height / 2;
    return;
  }
  const { children } = node;
  children.forEach(measure);
  const widths = [];
  const up = [];
  const down = [];
  for (const child of children) {
    widths[child.column] = Math.max(widths[child.column] ?? 0, child.width);
    up[child.lane] = Math.max(up[child.lane] ?? 0, child.axis);
    down[child.lane] = Math.max(down[child.lane] ?? 0, child.height - child.axis);
  }
  const pad = node.type === "all" ? SPACE.margin : SPACE.pad;
  const left = [];
  widths.reduce((x, width, column) => ((left[column] = x), x + width + SPACE.x), pad);
  const axis = [];
  up.reduce((y, room, lane) => ((axis[lane] = y + room), y + room + down[lane] + SPACE.y), headOf(node) + (node.type === "all" ? pad : 0));
  for (const child of children) {
    child.x = left[child.column] + (widths[child.column] - child.width) / 2;
    child.y = axis[child.lane] - child.axis;
  }
  node.width = left.at(-1) + widths.at(-1) + pad;
  node.height = Math.max(...children.map((child) => child.y + child.height)) + pad;
  node.axis = axis[0];
}

/** The whole drawing: { root, width, height, boxes (unfolded), cards (leaves), card (of each operation), edges }. */
function layoutOf(root, operations, open) {
  const boxes = [];
  const cards = [];
  const card = [];
  const prepare = (node) => {
    node.open = node.type === "all" || (node.children.length > 0 && open.has(node.id));
    node.rails = 0;
    if (node.open) {
      if (node.type !== "all") boxes.push(node);
      settle(node.children, operations);
      node.children.forEach(prepare);
    } else {
      node.index = cards.length;
      cards.push(node);
      for (let i = node.start; i < node.stop; i++) card[i] = node;
    }
  };
  prepare(root);
  const stand = (node, x, y) => {
    [node.left, node.top] = [x, y];
    if (node.open) for (const child of node.children) stand(child, x + child.x, y + child.y);
  };
  const arrange = () => {
    measure(root);
    stand(root, 0, 0);
  };
  arrange();
  const edges = edgesOf(operations, cards, card);
  // Which lines run over cards is known from the first arrangement; the second one leaves room for them.
  if (reserve(edges, cards)) arrange();
  edges.forEach(trace);
  return { root, width: root.width, height: root.height, boxes, cards, card, edges };
}
