// Mode 1: what pointers and keys do. Handlers are assigned, not added: this runs again with each new payload.

function moveRegion(room, top, left, undo = false) {
  const [height, width] = room.rgb.shape;
  const { rows, columns, zoom } = room.settings.region;
  const region = {
    ...room.settings.region,
    top: Math.max(0, Math.min(height - rows * zoom, Math.round(top))),
    left: Math.max(0, Math.min(width - columns * zoom, Math.round(left))),
  };
  room.change({ source: "picture", region }, { undo });
}

function wireThumb(room) {
  const canvas = room.find(".picture");
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientY - box.top) / room.thumbSize, (event.clientX - box.left) / room.thumbSize];
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    const [y, x] = point(event);
    const { top, left, rows, columns, zoom } = room.settings.region;
    const inside = y >= top && x >= left && y < top + rows * zoom && x < left + columns * zoom;
    // A press outside the frame brings its middle there; inside, the frame is held where it was taken.
    room.grip = inside ? [y - top, x - left] : [(rows * zoom) / 2, (columns * zoom) / 2];
    room.history.push(structuredClone(room.settings));
    if (!inside || room.settings.source !== "picture") moveRegion(room, y - room.grip[0], x - room.grip[1]);
  };
  canvas.onpointermove = (event) => {
    if (!room.grip) return;
    const [y, x] = point(event);
    moveRegion(room, y - room.grip[0], x - room.grip[1]);
  };
  canvas.onpointerup = canvas.onpointercancel = () => (room.grip = null);
  canvas.onkeydown = (event) => {
    const move = MOVES[event.key];
    const { top, left, zoom } = room.settings.region;
    const by = event.shiftKey ? 4 * zoom : zoom;
    if (move) moveRegion(room, top + move[0] * by, left + move[1] * by, true);
    else if (event.key === "+" || event.key === "=") room.find(".zoom-out").click();
    else if (event.key === "-") room.find(".zoom-in").click();
    else return;
    event.preventDefault();
  };
  const zoomBy = (by) => {
    const zoom = Math.max(1, Math.min(room.mostZoom(), room.settings.region.zoom + by));
    room.change({ source: "picture", region: reframe(room, room.cells, zoom) });
  };
  room.find(".zoom-in").onclick = () => zoomBy(-1);
  room.find(".zoom-out").onclick = () => zoomBy(1);
}

function wireMaps(room) {
  const hover = (row, column) => {
    if (!room.pinned && !room.playing) room.pick(row, column);
  };
  room.outCanvas.onpointermove = (event) => room.outPlace && hover(...cellAt(room.outCanvas, room.outPlace, event));
  room.outCanvas.onclick = (event) => {
    if (!room.out.values.length) return;
    room.stop();
    const cell = cellAt(room.outCanvas, room.outPlace, event);
    const same = room.pinned && cell[0] === room.cell[0] && cell[1] === room.cell[1];
    room.pinned = !same;
    room.pick(...cell, { fly: !same });
  };
  // Over the input the window follows the pointer: the output cell whose window's middle lies there.
  room.inCanvas.onpointermove = (event) => {
    if (!room.out.values.length) return;
    const [y, x] = cellAt(room.inCanvas, room.inPlace, event);
    const { stride, padding, dilation } = room.settings;
    const half = (dilation * (room.k - 1)) / 2;
    hover(Math.round((y + padding - half) / stride), Math.round((x + padding - half) / stride));
  };
  room.inCanvas.onclick = (event) => {
    room.pinned = !room.pinned;
    room.inCanvas.onpointermove(event);
    if (room.pinned) room.pick(...room.cell, { fly: true });
    else room.redraw();
  };
  const label = "Output map. Arrow keys move to another cell, Enter pins it, Space plays, Escape frees.";
  room.outCanvas.setAttribute("aria-label", label);
  room.outCanvas.onkeydown = (event) => {
    const move = MOVES[event.key];
    if (move) {
      room.stop();
      room.pick(room.cell[0] + move[0], room.cell[1] + move[1], { fly: !event.repeat });
    } else if (event.key === " ") room.toggle();
    else if (event.key === "Enter") {
      room.pinned = !room.pinned;
      room.redraw();
    } else if (event.key === "Escape") room.escape();
    else if (event.key === "Home") room.pick(0, 0);
    else if (event.key === "End") room.pick(room.out.rows - 1, room.out.columns - 1);
    else return;
    event.preventDefault();
  };
}

function wireKernelRoom(room) {
  const { find } = room;
  wireThumb(room);
  wireMaps(room);
  find(".play").onclick = () => room.toggle();
  find(".step").onclick = () => room.stepBy(1);
  find(".back").onclick = () => room.stepBy(-1);
  find(".scrub").oninput = (event) => {
    if (room.playing) room.stop();
    const index = Number(event.target.value);
    room.revealed = index;
    room.pick(...room.at(index), { keep: true });
  };
  find(".speed").oninput = (event) => {
    room.speed = Number(event.target.value);
    room.refreshTransport();
  };
  find(".undo").onclick = () => room.undo();
  find(".reset").onclick = () => {
    const last = [...room.history].reverse().find((entry) => entry.preset)?.preset || room.meta.initial.preset || "identity";
    const preset = room.meta.presets.find((entry) => entry.key === (room.settings.preset || last)) || room.meta.presets[0];
    room.change({ preset: preset.key, kernel: preset.weights.flat(), bias: 0, stride: 1, padding: 0, dilation: 1 });
  };
  find(".lens .size").onclick = () => room.resizeKernel();
  find(".png").onclick = () => room.savePng();
  const bias = find(".bias");
  const readBias = () => {
    const value = parseNumber(bias.value);
    bias.setAttribute("aria-invalid", String(value === null));
    if (value === null) room.kernelGrid.onRefuse(bias.value);
    else if (value !== room.settings.bias) room.change({ bias: value });
  };
  bias.oninput = readBias;
  bias.onblur = () => {
    bias.value = weightText(room.settings.bias);
    bias.setAttribute("aria-invalid", "false");
  };
  bias.onkeydown = (event) => {
    event.stopPropagation();
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    bias.value = weightText(Math.round((room.settings.bias + step * (event.shiftKey ? 1 : 0.1)) * 1e6) / 1e6);
    readBias();
  };
}
