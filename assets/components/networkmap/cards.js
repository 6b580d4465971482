// What stands on a card: name, shape, strongest maps, and what it costs.

/** The part of a and b mixed, "#rrggbb"; share 0 is a, 1 is b. */
function mixed(a, b, share) {
  const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const [one, two] = [parts(a), parts(b)];
  return `#${one.map((v, i) => Math.round(v + share * (two[i] - v)).toString(16).padStart(2, "0")).join("")}`;
}

/** What a node costs: its operations' numbers together. */
function sumOf(app, node, metric) {
  let sum = 0;
  for (let i = node.start; i < node.stop; i++) sum += app.operations[i][METRICS[metric].field];
  return sum;
}

/** The colour of a card's paper: the costlier among the cards now drawn, the nearer to the kernel's colour. */
const HEAT = 0.5;
function paperOf(app, node) {
  const { state, theme } = app;
  if (!app.meta.costs || state.colour === "kind") return theme.page;
  return mixed(theme.page, theme.kernel, (HEAT * sumOf(app, node, state.colour)) / Math.max(1, state.hottest));
}

const bandOf = (app, node) => (node.type === "op" ? colourOf(familyOf(app.operations[node.start].kind), app.theme) : node.type === "input" ? app.theme.input : node.type === "end" ? app.theme.output : app.theme.quiet);

/** "2 blocks, 17 operations". */
function inside(node) {
  const blocks = node.children.filter((child) => child.type === "block").length;
  return `${blocks ? `${blocks} block${blocks > 1 ? "s" : ""}, ` : ""}${node.stop - node.start} operations`;
}

function skips(app, node) {
  for (let i = node.start; i < node.stop; i++) if (["add", "mul"].includes(app.operations[i].kind) && app.operations[i].inputs.length > 1) return true;
  return false;
}

/** One card. Far away it is only a patch in the colour of its kind. */
function drawCard(app, paper, node, frame) {
  const { theme, operations } = app;
  const { width, height, type } = node;
  const last = operations[node.stop - 1];
  const folded = type === "stage" || type === "block";
  const fill = paperOf(app, node);
  paper.open(node);
  if (width * paper.zoom < 20) {
    const warm = fill !== theme.page;
    paper.rect({ w: width, h: height, fill: warm ? fill : bandOf(app, node), alpha: warm || frame ? 1 : 0.6, stroke: frame || (warm ? theme.quiet : ""), line: (frame ? 2.5 : 0.5) / paper.zoom });
    paper.close();
    return;
  }
  if (folded) for (const shift of [6, 3]) paper.rect({ x: shift, y: shift, w: width - 6, h: height - 6, r: 8, fill: theme.page, stroke: theme.line });
  const [w, h] = folded ? [width - 6, height - 6] : [width, height];
  paper.rect({ w, h, r: 8, fill, stroke: frame || theme.line, line: frame ? Math.max(2.5, 2 / paper.zoom) : 1 });
  const room = w - 24;
  const words = (x, y, text, size, ink, weight, space = room) => paper.text({ x, y, words: text, room: space, size, fill: ink, weight });
  if (13 * paper.zoom < LEGIBLE && type !== "end") {
    // Too far away for words: its strongest map, as large as the card.
    const side = Math.min(w, h) - 20;
    if (type === "op") paper.rect({ x: 1, y: 9, w: 10, h: h - 18, r: 2, fill: bandOf(app, node) });
    if (type === "input") paper.image(() => app.state.picture, (w - side) / 2, (h - side) / 2, side, side, true);
    else if (app.mapsOf(node).length) mapRow(app, paper, node, (w - side) / 2, (h - side) / 2, side, 0, 1);
  } else if (type === "op") {
    paper.rect({ x: 1, y: 9, w: 5, h: h - 18, r: 2, fill: bandOf(app, node) });
    words(14, 20, last.short, 13, theme.text, 600, w - 20);
    words(14, 36, shapeOf(last.shape), 12, theme.quiet, 400, w - 20);
    mapRow(app, paper, node, 14, 44, 40, 0, 1);
  } else if (type === "input") {
    words(12, 22, "Picture", 15, theme.input, 600);
    paper.image(() => app.state.picture, 12, 31, 126, 126, true);
    words(12, 178, shapeOf(last.shape), 13, theme.quiet);
  } else if (type === "end") {
    words(12, 20, last.short, 12, theme.output, 600);
    predictions(app, paper, 12, 42, room);
  } else if (type === "stage") {
    words(12, 25, node.title, 16, theme.text, 600);
    words(12, 45, shapeOf(last.shape), 14, theme.quiet);
    if (node.stop === operations.length) predictions(app, paper, 12, 76, room);
    else {
      // The strongest map large, and those that come next in a row under it.
      mapRow(app, paper, node, 12, 56, room, 0, 1);
      mapRow(app, paper, node, 12, 62 + room, (room - 8) / 3, 1, 4);
      words(12, app.meta.costs ? 264 : 276, inside(node), 13, theme.quiet);
    }
    costBar(app, paper, node, 12, h - 22, room);
  } else {
    const [path, kind] = node.title.split(" · ");
    words(12, 22, kind || path, 13, theme.text, 600);
    words(12, 39, kind ? path : "", 12, theme.quiet);
    words(12, 56, `${shapeOf(last.shape)}${skips(app, node) ? " · skip" : ""}`, 12, theme.quiet);
    mapRow(app, paper, node, 12, 64, 36, 0, 2);
    costBar(app, paper, node, 12, 126, room);
  }
  paper.close();
}

/** Some of the maps that stand for a card, from the first to before the last, side by side. */
function mapRow(app, paper, node, x, y, side, first, last) {
  app.mapsOf(node).slice(first, last).forEach((thumb, k) => {
    const flat = thumb.height === 1;
    paper.image(() => app.imageOf(thumb), x + k * (side + 4), flat ? y + side / 3 : y, side, flat ? side / 3 : side);
  });
}

function costBar(app, paper, node, x, y, width) {
  const { meta, state, theme, whole } = app;
  if (!meta.costs) return;
  const total = sumOf(app, whole, state.metric);
  const share = total ? sumOf(app, node, state.metric) / total : 0;
  paper.rect({ x, y: y + 5, w: width, h: 4, r: 2, fill: theme.line });
  if (share > 0) paper.rect({ x, y: y + 5, w: Math.max(1, share * width), h: 4, r: 2, fill: theme.kernel });
  paper.text({ x, y, words: `${percent(share)} of ${node.type === "stage" ? METRICS[state.metric].of : "all"}`, room: width, size: 12, fill: theme.quiet });
}

function predictions(app, paper, x, y, room) {
  app.meta.top.forEach(({ name, share }, k) => {
    paper.rect({ x, y: y + 22 * k + 5, w: Math.max(1, share * room), h: 3, fill: app.theme.output });
    paper.text({ x, y: y + 22 * k, words: name, room: room - 46, size: 12, fill: app.theme.text, weight: k ? 400 : 600 });
    paper.text({ x: x + room, y: y + 22 * k, words: share.toFixed(3), room: 46, size: 11, fill: app.theme.quiet, end: true });
  });
}

/** An unfolded stage or block: its frame, and its title, which stays in sight while any of it is. */
function drawBox(app, paper, node) {
  const { theme } = app;
  const stage = node.type === "stage";
  paper.open(node);
  paper.rect({ w: node.width, h: node.height, r: 10, fill: stage ? theme.page : theme.panel, alpha: stage ? 0.75 : 0.9 });
  paper.rect({ w: node.width, h: node.height, r: 10, stroke: mixed(theme.page, theme.quiet, 0.5), dash: stage ? undefined : [4, 3], line: Math.max(1, 0.6 / paper.zoom) });
  paper.close();
}
function drawTitle(app, paper, node, from = -Infinity) {
  const size = Math.max(node.type === "stage" ? 14 : 12, (node.type === "stage" ? 11 : 10) / paper.zoom);
  const x = Math.max(12 / Math.max(1, paper.zoom), Math.min(from - node.left + 10 / paper.zoom, node.width - 150));
  const room = node.width - x - 8;
  if (room * paper.zoom < 40 || (node.type === "block" && paper.zoom < 0.4)) return;
  paper.open(node);
  const y = size > 22 && node.type === "stage" ? -size * 0.4 : Math.max(20, size * 1.2); // over the frame where it is too small
  paper.text({ x, y, words: `▾ ${node.title}`, room, size, fill: app.theme.text, weight: 600, halo: app.theme.page });
  paper.close();
}

/** Everything that stands between left and right, top and bottom. */
function drawAll(app, paper, [left, top, right_, bottom] = [-Infinity, -Infinity, Infinity, Infinity]) {
  const { state, theme } = app;
  const { plan, lit } = state;
  const seen = (a, b, c, d) => a < right_ && c > left && b < bottom && d > top;
  const shown = (node) => seen(node.left, node.top, node.left + node.width, node.top + node.height);
  const boxes = plan.boxes.filter(shown);
  for (const node of boxes) drawBox(app, paper, node);
  const dim = lit.at ? 0.3 : 1;
  const ink = mixed(theme.panel, theme.quiet, 0.85 * dim);
  const line = Math.max(1.5, 0.7 / paper.zoom);
  const near = paper.zoom > 0.35;
  // Lines on neighbouring rails keep apart however far away.
  const thin = (edge, width) => (edge.rail ? Math.min(width, 0.6 * railGap(edge.rail.home.rails)) : width);
  for (const edge of plan.edges) {
    if (!seen(...edge.box)) continue;
    if (edge.base) paper.path(edge, ink, thin(edge, line));
    if (near && edge.base) paper.arrow(edge.to.left, middle(edge.to), 6, ink);
    if (near && edge.dot) paper.dot(...edge.dot, 2.2, ink);
  }
  for (const [list, colour] of [[lit.fed, theme.output], [lit.feeds, theme.input]]) {
    for (const edge of list) {
      if (!seen(...edge.box)) continue;
      paper.path(edge, colour, thin(edge, Math.max(3, 1.5 / paper.zoom)));
      if (near) paper.arrow(edge.to.left, middle(edge.to), 9, colour);
    }
  }
  const sources = new Set(lit.feeds.map((edge) => edge.from));
  for (const node of plan.cards) {
    if (!shown(node)) continue;
    const chosen = node.type !== "stage" && node.type !== "block" && app.operations[node.start].name === state.chosen;
    drawCard(app, paper, node, node === lit.at ? theme.text : sources.has(node) ? theme.input : chosen ? theme.accent : "");
  }
  for (const node of boxes) drawTitle(app, paper, node, left);
}
