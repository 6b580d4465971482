// The lines between cards: straight through a free gap, along a free lane, or on a rail over what lies between.
const TURN = 12;
const CORNER = 6;

/** One line for each pair of cards of which one reads the other: [{ from, to }], from left to right. */
function edgesOf(operations, cards, card) {
  const edges = new Map();
  operations.forEach((operation, i) => {
    for (const source of operation.inputs) {
      const [from, to] = [card[source], card[i]];
      if (from !== to) edges.set(from.index * cards.length + to.index, { from, to });
    }
  });
  return [...edges.values()].sort((a, b) => b.from.left - a.from.left || b.to.left - a.to.left);
}

const right = (node) => node.left + node.width;
const middle = (node) => node.top + node.height / 2;

/** Decide how each line runs, and how many rails each container needs over its cards; whether any is needed. */
function reserve(edges, cards) {
  const rails = new Map();
  const byLeft = [...cards].sort((a, b) => a.left - b.left);
  const widest = Math.max(...cards.map((c) => c.width));
  for (const edge of edges) {
    const { from, to } = edge;
    const [x1, y1, x2, y2] = [right(from), middle(from), to.left, middle(to)];
    // Cards that share columns with the line, by bisection: a deep network has thousands of pairs.
    let k = firstFrom(byLeft, x1 - widest);
    const between = [];
    for (; k < byLeft.length && byLeft[k].left < x2 - 1; k++) {
      const c = byLeft[k];
      if (c !== from && c !== to && right(c) > x1 + 1) between.push(c);
    }
    const free = (y, low = y, high = y, a = x1, b = x2) => !between.some((c) => c.top - 5 < high && c.top + c.height + 5 > low && c.left < b && right(c) > a);
    const [low, high] = [Math.min(y1, y2), Math.max(y1, y2)];
    if (!between.length) edge.way = "straight";
    else if (free(y1) && free(y1, low, high, x2 - 2 * TURN, x2)) edge.way = "late";
    else if (free(y2) && free(y2, low, high, x1, x1 + 2 * TURN)) edge.way = "early";
    else {
      edge.way = "rail";
      let home = to.parent;
      const first = Math.min(...between.map((c) => c.start));
      const last = Math.max(...between.map((c) => c.stop));
      while (home.parent && (home.start > first || home.stop < last)) home = home.parent;
      const key = `${home.id} ${from.id}`;
      if (!rails.has(key)) rails.set(key, { home, from, edges: [] });
      rails.get(key).edges.push(edge);
      edge.rail = rails.get(key);
    }
  }
  // A rail that begins later lies lower, so that no riser crosses the rail of an earlier source.
  const laid = new Map();
  for (const rail of rails.values()) {
    [rail.start, rail.end] = [right(rail.from), Math.max(...rail.edges.map((edge) => edge.to.left))];
    const others = laid.get(rail.home) || [];
    rail.level = 1 + Math.max(-1, ...others.filter((other) => other.start < rail.end - 1).map((other) => other.level));
    laid.set(rail.home, [...others, rail]);
    rail.home.rails = Math.max(rail.home.rails, rail.level + 1);
    // Drawn once: each rail to its end; the rest of its lines are drops with a dot where they leave it.
    rail.edges.sort((a, b) => b.to.left - a.to.left).forEach((edge, n) => (edge.base = n === 0));
  }
  const highest = new Map();
  for (const edge of edges) {
    if (!edge.rail) edge.base = true;
    else if (!highest.has(edge.to) || edge.from.left < highest.get(edge.to).from.left) highest.set(edge.to, edge);
  }
  for (const edge of highest.values()) edge.base = true;
  return rails.size > 0;
}

function firstFrom(sorted, x) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const half = (low + high) >> 1;
    if (sorted[half].left < x) low = half + 1;
    else high = half;
  }
  return low;
}

/** The path of a line, the box round it, and the dot where it leaves its rail. */
function trace(edge) {
  const { from, to, rail } = edge;
  const [x1, y1, x2, y2] = [right(from), middle(from), to.left, middle(to)];
  let roof = Math.min(y1, y2);
  edge.dot = null;
  if (edge.way === "rail") {
    const { home, level } = rail;
    roof = home.top + headOf(home) - 2 - level * railGap(home.rails);
    const outside = from.start < home.start && home.left > x1 ? home.left - TURN : x1 + TURN;
    const [up, down] = [rail.home.type === "all" || from.parent === home ? x1 + TURN : clearOf(edge, outside), x2 - TURN];
    edge.path = polyline([[x1, y1], [up, y1], [up, roof], [down, roof], [down, y2], [x2, y2]]);
    if (rail.edges[0] !== edge) edge.dot = [down, roof];
  } else if (Math.abs(y1 - y2) < 0.5) edge.path = `M${x1} ${y1}H${x2}`;
  else if (edge.way === "late") edge.path = `M${x1} ${y1}H${x2 - 2 * TURN}C${x2 - TURN} ${y1} ${x2 - TURN} ${y2} ${x2} ${y2}`;
  else if (edge.way === "early") edge.path = `M${x1} ${y1}C${x1 + TURN} ${y1} ${x1 + TURN} ${y2} ${x1 + 2 * TURN} ${y2}H${x2}`;
  else edge.path = `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;
  edge.box = [x1, Math.min(roof, y1, y2), x2, Math.max(roof, y1, y2)];
  edge.shape = new Path2D(edge.path);
}

/** Rise in front of the container where nothing of its neighbour stands in the way, and beside the source otherwise. */
function clearOf(edge, outside) {
  const { from } = edge;
  let node = from;
  while (node.parent && !(node.parent.start <= edge.to.start && node.parent.stop > edge.to.start)) node = node.parent;
  const last = node === from || right(node) - right(from) <= 2 * SPACE.pad;
  return last ? outside : right(from) + TURN;
}

/** A path along right angles with rounded corners. */
function polyline(points) {
  let path = `M${points[0][0]} ${points[0][1]}`;
  for (let k = 1; k < points.length - 1; k++) {
    const [[ax, ay], [bx, by], [cx, cy]] = [points[k - 1], points[k], points[k + 1]];
    const r = Math.min(CORNER, Math.hypot(bx - ax, by - ay) / 2, Math.hypot(cx - bx, cy - by) / 2);
    const [sx, sy, ex, ey] = [Math.sign(ax - bx), Math.sign(ay - by), Math.sign(cx - bx), Math.sign(cy - by)];
    path += `L${bx + sx * r} ${by + sy * r}Q${bx} ${by} ${bx + ex * r} ${by + ey * r}`;
  }
  return `${path}L${points.at(-1)[0]} ${points.at(-1)[1]}`;
}
