// The board: 28 x 28 pixels under a soft brush, by pointer, touch, or a pen that the arrow keys move.

const CELLS = 28;

function newBoard() {
  return { pixels: new Float32Array(CELLS * CELLS), pen: [13, 13], down: false, keyboard: false, centre: true, undo: [] };
}

/** Light up what the brush covers between two points, in cells. */
function stroke(pixels, from, to) {
  const steps = Math.max(1, Math.ceil(4 * Math.hypot(to[0] - from[0], to[1] - from[1])));
  for (let i = 0; i <= steps; i++) {
    const [r, c] = [from[0] + ((to[0] - from[0]) * i) / steps, from[1] + ((to[1] - from[1]) * i) / steps];
    for (let row = Math.max(0, Math.floor(r - 2)); row <= Math.min(CELLS - 1, Math.ceil(r + 2)); row++) {
      for (let column = Math.max(0, Math.floor(c - 2)); column <= Math.min(CELLS - 1, Math.ceil(c + 2)); column++) {
        const far = Math.hypot(row + 0.5 - r, column + 0.5 - c);
        const light = Math.max(0, Math.min(1, 1.75 - far));
        const k = row * CELLS + column;
        pixels[k] = Math.max(pixels[k], light);
      }
    }
  }
}

function boardPart(self) {
  const { board, theme, send } = self;
  const figure = make("figure", "drw-board");
  const head = make("figcaption");
  head.append(make("b", "in", "Your drawing"), make("span", "quiet small", " 28 × 28 pixels"));
  const canvas = make("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Drawing board. Arrows move the pen, Space puts it down and lifts it, Delete wipes the board.");
  const tools = make("div", "bar");
  const button = (words, go) => {
    const one = make("button", "", words);
    one.type = "button";
    one.onclick = go;
    tools.append(one);
    return one;
  };
  const ended = () => {
    const pixels = Array.from(board.pixels, (v) => Math.round(255 * v));
    send("draw", pixels.some(Boolean) ? { pixels, centre: board.centre } : { wiped: true, at: Date.now() });
  };
  const wipe = () => {
    board.undo.push(board.pixels.slice());
    board.pixels.fill(0);
    draw();
    send("draw", { wiped: true, at: Date.now() });
  };
  button("Wipe", wipe);
  const back = button("Undo", () => {
    if (!board.undo.length) return;
    board.pixels = board.undo.pop();
    draw();
    ended();
  });
  const label = make("label", "drw-centre");
  const check = make("input");
  Object.assign(check, { type: "checkbox", checked: board.centre });
  check.onchange = () => { board.centre = check.checked; if (board.pixels.some(Boolean)) ended(); };
  label.append(check, make("span", "", "centre and scale it, as in MNIST"));
  const hint = make("div", "small quiet drw-hint");
  figure.append(head, canvas, tools, label, hint);

  const draw = () => {
    const width = Math.max(200, Math.min(300, figure.clientWidth || 280));
    const g = fit(canvas, width, width);
    const size = width / CELLS;
    for (let r = 0; r < CELLS; r++) {
      for (let c = 0; c < CELLS; c++) {
        const v = Math.round(255 * board.pixels[r * CELLS + c]);
        g.fillStyle = `rgb(${v},${v},${v})`;
        g.fillRect(c * size, r * size, size + 0.5, size + 0.5);
      }
    }
    if (board.keyboard) {
      const [r, c] = board.pen;
      g.lineWidth = 3;
      g.strokeStyle = board.down ? theme.kernel : theme.input;
      g.strokeRect(c * size - 2, r * size - 2, size + 4, size + 4);
    } else if (!board.pixels.some(Boolean)) {
      g.fillStyle = "#9AA4B2";
      g.font = `14px ${getComputedStyle(canvas).fontFamily}`;
      g.textAlign = "center";
      g.fillText("Draw here", width / 2, width / 2 + 5);
    }
    back.disabled = !board.undo.length;
    hint.textContent = board.keyboard ? `Pen at row ${board.pen[0]}, column ${board.pen[1]}, ${board.down ? "down: arrows draw" : "up: Space puts it down"}.` : "Pointer or touch; by keyboard: arrows, and Space for the pen.";
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * CELLS, ((event.clientX - box.left) / box.width) * CELLS];
  };
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    board.keyboard = false;
    board.undo.push(board.pixels.slice());
    if (board.undo.length > 30) board.undo.shift();
    board.last = at(event);
    stroke(board.pixels, board.last, board.last);
    draw();
  };
  canvas.onpointermove = (event) => {
    if (!board.last) return;
    const now = at(event);
    stroke(board.pixels, board.last, now);
    board.last = now;
    draw();
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (!board.last) return;
    board.last = null;
    ended();
  };
  canvas.onkeydown = (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (by) {
      board.keyboard = true;
      const next = [0, 1].map((i) => Math.max(0, Math.min(CELLS - 1, board.pen[i] + by[i])));
      if (board.down) stroke(board.pixels, board.pen.map((v) => v + 0.5), next.map((v) => v + 0.5));
      board.pen = next;
    } else if (event.key === " ") {
      board.keyboard = true;
      board.down = !board.down;
      if (board.down) {
        board.undo.push(board.pixels.slice());
        const middle = board.pen.map((v) => v + 0.5);
        stroke(board.pixels, middle, middle);
      } else ended();
    } else if (event.key === "Delete" || event.key === "Backspace") wipe();
    else return;
    event.preventDefault();
    draw();
  };
  return { figure, draw };
}
