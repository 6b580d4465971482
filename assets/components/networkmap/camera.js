// Moving and zooming: what the view shows of the drawing, by drag, wheel, pinch and keys.
const LARGEST = 2.5;
const SMALLEST = 0.06; // below this a card is a speck, and the overview under the view says more
const SLACK = 36; // pixels of empty panel that may stand beside the drawing

/** state.view = { x, y, zoom }: where the drawing's corner stands on the view, and its scale. */
function cameraOf(app, view, changed) {
  const { state } = app;
  const size = () => [view.clientWidth, view.clientHeight - (state.deep ? MINIMAP : 0)];
  const least = () => Math.max(SMALLEST, Math.min(0.2, ...fits()));
  const fits = () => [(size()[0] - 8) / state.plan.width, (size()[1] - 8) / state.plan.height];
  const within = (at, length, room) => (length <= room ? Math.max(0, Math.min(room - length, at)) : Math.max(room - length - SLACK, Math.min(SLACK, at)));
  /** The wanted view, kept where something of the drawing is seen. */
  function kept({ x, y, zoom }) {
    const [w, h] = size();
    const scale = Math.max(least(), Math.min(LARGEST, zoom));
    return { x: within(x, state.plan.width * scale, w), y: within(y, state.plan.height * scale, h), zoom: scale };
  }
  function go(wanted, glide = false) {
    cancelAnimationFrame(state.flight);
    state.deep = state.plan.width * wanted.zoom > view.clientWidth + 2 || state.plan.height * wanted.zoom > view.clientHeight + 2;
    const [from, to] = [state.view, kept(wanted)];
    if (!glide || !from || reducedMotion()) {
      state.view = to;
      return changed();
    }
    const start = performance.now();
    const step = (now) => {
      const part = Math.min(1, Math.max(0, (now - start) / 200));
      const ease = 1 - (1 - part) ** 3;
      const zoom = from.zoom * (to.zoom / from.zoom) ** ease;
      // The middle of the view moves evenly while the scale changes.
      const mix = (a, b) => (Math.abs(to.zoom - from.zoom) < 1e-9 ? a + (b - a) * ease : a + ((b - a) * (zoom - from.zoom)) / (to.zoom - from.zoom));
      state.view = part < 1 ? { x: mix(from.x, to.x), y: mix(from.y, to.y), zoom } : to;
      changed();
      if (part < 1) state.flight = requestAnimationFrame(step);
    };
    state.flight = requestAnimationFrame(step);
  }
  const pan = (dx, dy) => go({ ...state.view, x: state.view.x + dx, y: state.view.y + dy });
  /** Zoom round a point of the view, which stays where it is. */
  function zoomTo(zoom, px = size()[0] / 2, py = size()[1] / 2, glide = false) {
    const scale = Math.max(least(), Math.min(LARGEST, zoom));
    const { x, y, zoom: old } = state.view;
    go({ x: px - ((px - x) * scale) / old, y: py - ((py - y) * scale) / old, zoom: scale }, glide);
  }
  function fit(glide = false) {
    const zoom = Math.max(SMALLEST, Math.min(1.25, ...fits()));
    const [w, h] = size();
    const x = state.plan.width * zoom <= w + 1 ? (w - state.plan.width * zoom) / 2 : w / 2 - ((w / 2 - state.view.x) / state.view.zoom) * zoom;
    go({ x, y: (h - state.plan.height * zoom) / 2, zoom }, glide);
  }
  /** At first: all at once where that can be read, and otherwise the beginning at a readable size. */
  function begin() {
    const zoom = legibleZoom(Math.min(...fits()));
    const [w, h] = size();
    go({ x: Math.max(0, (w - state.plan.width * zoom) / 2), y: (h - state.plan.height * zoom) / 2, zoom });
    state.home = state.view;
  }
  /** Bring a card into sight; nothing moves where it is in sight already. */
  function show(node) {
    const { x, y, zoom } = state.view;
    const [w, h] = size();
    const shift = (low, length, room) => {
      if (length > room - 8) return low > 0.4 * room || low + length < 0.4 * room ? 24 - low : 0; // its beginning
      const edge = Math.min(48, Math.max(4, (room - length) / 2));
      return low < edge ? edge - low : low + length > room - edge ? room - edge - low - length : 0;
    };
    const [dx, dy] = [shift(x + node.left * zoom, node.width * zoom, w), shift(y + node.top * zoom, node.height * zoom, h)];
    if (dx || dy) go({ x: x + dx, y: y + dy, zoom }, true);
  }
  const toDrawing = (px, py) => [(px - state.view.x) / state.view.zoom, (py - state.view.y) / state.view.zoom];

  // ---- pointer: drag moves, two fingers zoom, a press without a drag is a click
  const fingers = new Map();
  let moved = 0;
  const at = (event) => {
    const box = view.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  view.onpointerdown = (event) => {
    if (event.button) return;
    if (!fingers.size) moved = 0;
    fingers.set(event.pointerId, at(event));
  };
  view.onpointermove = (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return app.hover(...at(event));
    const now = at(event);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (moved < 4 && !other && moved + Math.hypot(dx, dy) < 4) return;
    if (moved < 4) {
      view.setPointerCapture(event.pointerId);
      view.classList.add("moving");
      app.hover(-1, -1);
    }
    moved = 4;
    fingers.set(event.pointerId, now);
    if (!other) return pan(dx, dy);
    const spread = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
    const { x, y, zoom } = state.view;
    const scale = Math.max(least(), Math.min(LARGEST, (zoom * Math.max(1, spread(now))) / Math.max(1, spread(before))));
    const centre = (a, axis) => (a[axis] + other[axis]) / 2;
    go({ x: centre(now, 0) - ((centre(before, 0) - x) * scale) / zoom, y: centre(now, 1) - ((centre(before, 1) - y) * scale) / zoom, zoom: scale });
  };
  const release = (event) => {
    if (!fingers.delete(event.pointerId) || fingers.size) return;
    view.classList.remove("moving");
    if (event.type === "pointerup" && moved < 4) app.click(...at(event));
  };
  view.onpointerup = release;
  view.onpointercancel = release;
  view.onpointerleave = () => fingers.size || app.hover(-1, -1);
  // One finger up or down scrolls the page; two fingers belong to the graph.
  view.ontouchmove = (event) => event.touches.length > 1 && event.preventDefault();
  view.onwheel = (event) => {
    const active = view.getRootNode().activeElement === view;
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (event.ctrlKey || event.metaKey || (active && !event.shiftKey && Math.abs(dy) >= Math.abs(dx))) {
      zoomTo(state.view.zoom * Math.exp(-Math.max(-120, Math.min(120, dy)) * (event.ctrlKey && Math.abs(dy) < 40 ? 0.01 : 0.002)), ...at(event));
    } else if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) pan(-(dx || dy), 0);
    else return; // the page scrolls
    event.preventDefault();
  };
  /** Keys that move the view; whether the key was one of them. */
  function key(event) {
    const step = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.shiftKey && step) pan(...step);
    else if (event.key === "+" || event.key === "=") zoomTo(state.view.zoom * 1.25, undefined, undefined, true);
    else if (event.key === "-" || event.key === "_") zoomTo(state.view.zoom / 1.25, undefined, undefined, true);
    else if (event.key === "0") fit(true);
    else if (event.key === "1") zoomTo(1, undefined, undefined, true);
    else return false;
    return true;
  }
  return { go, pan, zoomTo, fit, begin, show, key, toDrawing, size };
}

// ---- the overview under the view: the whole drawing squeezed into a strip, and a frame that can be dragged
const MINIMAP = 64; // its height and the space round it
function minimapOf(app, canvas, camera) {
  const { state, theme } = app;
  let [whole, made] = [null, ""];
  const scale = () => [canvas.clientWidth / state.plan.width, canvas.clientHeight / state.plan.height];
  function drawMinimap() {
    canvas.parentElement.classList.toggle("deep", Boolean(state.deep));
    if (!state.deep) return;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const context = fit(canvas, width, height);
    const [sx, sy] = scale();
    const key = [width, state.layout, theme.mode, state.colour, app.meta.costs].join();
    if (key !== made) {
      [whole, made] = [document.createElement("canvas"), key];
      const paper = fit(whole, width, height);
      for (const node of [...state.plan.boxes, ...state.plan.cards]) {
        const [x, y, w, h] = [node.left * sx, node.top * sy, Math.max(1, node.width * sx), Math.max(1, node.height * sy)];
        const warm = app.meta.costs && state.colour !== "kind";
        paper.globalAlpha = node.open ? 0.12 : warm ? 1 : 0.75;
        paper.fillStyle = node.open ? theme.quiet : warm ? mixed(theme.panel, theme.kernel, sumOf(app, node, state.colour) / Math.max(1, state.hottest)) : bandOf(app, node);
        paper.fillRect(x, y, w, h);
      }
    }
    context.clearRect(0, 0, width, height);
    context.drawImage(whole, 0, 0, width, height);
    if (state.lit.at) {
      context.fillStyle = theme.text;
      context.fillRect((state.lit.at.left + state.lit.at.width / 2) * sx - 1, 0, 2, height);
    }
    const { x, y, zoom } = state.view;
    const [w, h] = camera.size();
    const frame = [Math.max(0, (-x / zoom) * sx), Math.max(0, (-y / zoom) * sy)];
    const ends = [Math.min(width, ((w - x) / zoom) * sx), Math.min(height, ((h - y) / zoom) * sy)];
    context.fillStyle = theme.accent;
    context.globalAlpha = 0.12;
    context.fillRect(...frame, Math.max(4, ends[0] - frame[0]), ends[1] - frame[1]);
    context.globalAlpha = 1;
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    context.strokeRect(frame[0] + 1, frame[1] + 1, Math.max(4, ends[0] - frame[0] - 2), ends[1] - frame[1] - 2);
    canvas.setAttribute("aria-valuenow", Math.round((100 * (frame[0] + ends[0])) / 2 / width));
  }
  const to = (event) => {
    const box = canvas.getBoundingClientRect();
    const [sx, sy] = scale();
    const [w, h] = camera.size();
    const { zoom } = state.view;
    camera.go({ x: w / 2 - ((event.clientX - box.left) / sx) * zoom, y: h / 2 - ((event.clientY - box.top) / sy) * zoom, zoom });
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    to(event);
  };
  canvas.onpointermove = (event) => canvas.hasPointerCapture(event.pointerId) && to(event);
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: 0.25, ArrowRight: -0.25, PageUp: 1, PageDown: -1, Home: 1e6, End: -1e6 }[event.key];
    if (!step) return;
    event.preventDefault();
    camera.pan(step * camera.size()[0], 0);
  };
  return drawMinimap;
}
