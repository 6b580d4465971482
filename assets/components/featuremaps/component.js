// All maps of a layer in one canvas, one of them large with exact numbers, and the picture with what a cell reads.
// How wide a map is about to be drawn, in CSS pixels; a cell always takes whole device pixels.
const TARGETS = [32, 44, 56, 72, 96, 120, 160, 200];
const LABEL = 17;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".cl");
  const find = (selector) => parentElement.querySelector(selector);
  const theme = applyTheme(root);
  const state = stateOf(parentElement, () => ({ sort: "index", shared: false, size: -1, atlas: null, bitmap: null }));
  const pack = unpack(data);
  const { meta, maps, low, high, dead, peak, stats, exact } = pack;
  const [channels, rows, columns] = maps.shape; // cells that are drawn; meta.rows x meta.columns are the layer's own
  const factor = meta.factor;
  const wall = find(".wall");
  const picture = find(".picture");
  const large = find(".large");
  const table = scaleTable(meta.signed ? "diverging" : "sequential", theme.mode);
  const paint = painterOf(pack, table);

  state.atlas = null;
  const source = [meta.network, meta.layer, meta.picture].join("|");
  if (state.source !== source) {
    state.pin = meta.unit;
    state.hover = null;
    state.refit = state.channels !== channels || state.cells !== rows;
    [state.channels, state.cells] = [channels, rows];
    wall.scrollTop = 0;
  }
  state.source = source;
  if (state.picture !== meta.picture) {
    state.picture = meta.picture;
    state.bitmap = null;
    createImageBitmap(new Blob([pack.jpeg.data])).then((bitmap) => {
      if (state.picture !== meta.picture) return;
      state.bitmap = bitmap;
      state.redraw();
    });
  }

  // ---- numbers -------------------------------------------------------------------------------------------------
  const rank = { mean: 0, peak: 1, variance: 2 };
  const statistic = (channel, kind = state.sort) => stats.data[rank[kind] * channels + channel];
  const cell = (channel, i, j) => {
    const value = maps.data[(channel * rows + i) * columns + j];
    return meta.exact_maps ? value : low.data[channel] + (value * (high.data[channel] - low.data[channel])) / 255;
  };
  const hasExact = (channel) => meta.unit.channel === channel;
  const limits = (channel) => {
    const top = Math.max(Math.abs(low.data[channel]), Math.abs(high.data[channel]));
    return meta.signed ? [-top, top] : [0, top];
  };
  const bounds = low.data.reduce((top, value, i) => Math.max(top, Math.abs(value), Math.abs(high.data[i])), 0);
  const sharedLimits = meta.signed ? [-bounds, bounds] : [0, bounds];
  const order = () => {
    const all = Array.from({ length: channels }, (_, i) => i);
    return state.sort === "index" ? all : all.sort((a, b) => statistic(b) - statistic(a) || a - b);
  };
  state.order = order();

  /** What is known of a point: the number, how exact it is, which rows and columns of the layer it stands for. */
  function reading(point) {
    if (point.large) {
      const first = [point.row, point.column];
      if (hasExact(point.channel)) {
        return { value: exact.data[point.row * meta.columns + point.column], within: 0, mean: false, first, last: first };
      }
      point = { ...point, row: Math.floor(point.row / factor), column: Math.floor(point.column / factor) };
    }
    const { channel, row, column } = point;
    const first = [row * factor, column * factor];
    const last = [Math.min(first[0] + factor, meta.rows) - 1, Math.min(first[1] + factor, meta.columns) - 1];
    if (factor === 1 && hasExact(channel)) {
      return { value: exact.data[row * columns + column], within: 0, mean: false, first, last };
    }
    const within = meta.exact_maps ? 0 : (high.data[channel] - low.data[channel]) / 510;
    return { value: cell(channel, row, column), within, mean: factor > 1, first, last };
  }

  // ---- drawing -------------------------------------------------------------------------------------------------
  /** All maps side by side in one hidden canvas, a pixel for each cell: made once for each scale. */
  function atlas() {
    if (!state.atlas) {
      const across = Math.ceil(Math.sqrt((channels * rows) / columns));
      const image = new ImageData(across * columns, Math.ceil(channels / across) * rows);
      const pixels = new Uint32Array(image.data.buffer);
      for (let channel = 0; channel < channels; channel++) {
        const offset = Math.floor(channel / across) * rows * image.width + (channel % across) * columns;
        paint(channel, state.shared ? sharedLimits : limits(channel), pixels, offset, image.width);
      }
      state.atlas = { canvas: canvasOf(image), across };
    }
    return state.atlas;
  }

  function layout(size = state.size) {
    const ratio = window.devicePixelRatio || 1;
    const room = wall.clientWidth - 2 * PAD;
    const zoom = Math.max(1, Math.round((TARGETS[size] * ratio) / Math.max(rows, columns)));
    const width = Math.min(room, (columns * zoom) / ratio);
    const height = (width * rows) / columns;
    const pitch = Math.max(width, channels > 999 ? 34 : 28) + GAP;
    const across = Math.max(1, Math.floor((room + GAP) / pitch));
    return { ratio, width, height, pitch, across, line: height + LABEL + GAP };
  }
  /** The largest size at which all maps are in sight at once, or else a small one to scroll through. */
  function bestSize() {
    for (let size = TARGETS.length - 1; size > 1; size--) {
      const { across, line } = layout(size);
      if (2 * PAD + Math.ceil(channels / across) * line - GAP <= wall.clientHeight) return size;
    }
    return channels <= 256 ? 3 : 1;
  }
  const code = () => getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace";

  function drawTile(g, channel, x, y, shape, chosen, under) {
    const { width, height } = shape;
    if (dead.data[channel]) {
      g.strokeStyle = theme.quiet;
      g.lineWidth = 1;
      g.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
      g.beginPath();
      g.moveTo(x, y);
      g.lineTo(x + width, y + height);
      g.stroke();
    } else {
      const { canvas, across } = atlas();
      g.drawImage(canvas, (channel % across) * columns, Math.floor(channel / across) * rows, columns, rows, x, y, width, height);
    }
    if (chosen || under) {
      g.lineWidth = chosen ? 3 : 2;
      g.strokeStyle = chosen ? theme.accent : theme.text;
      g.strokeRect(x - 2, y - 2, width + 4, height + 4);
    }
    g.textBaseline = "top";
    g.textAlign = "left";
    g.font = `${chosen ? "700 " : ""}11px ${code()}`;
    g.fillStyle = chosen ? theme.accent : theme.text;
    g.fillText(String(channel), x, y + height + 5);
    const spare = width - g.measureText(String(channel)).width - 6;
    g.font = `11px ${code()}`;
    g.fillStyle = theme.quiet;
    const note = dead.data[channel] ? "all zero" : state.sort === "index" ? "" : number(statistic(channel), 3);
    if (note && g.measureText(note).width <= spare) {
      g.textAlign = "right";
      g.fillText(note, x + width, y + height + 5);
    }
  }

  function drawWall() {
    const shape = layout();
    const lines = Math.ceil(channels / shape.across);
    find(".room").style.height = `${Math.max(wall.clientHeight, 2 * PAD + lines * shape.line - GAP)}px`;
    const g = fit(find(".tiles"), wall.clientWidth, wall.clientHeight);
    g.clearRect(0, 0, wall.clientWidth, wall.clientHeight);
    const snap = (value) => Math.round(value * shape.ratio) / shape.ratio;
    const first = Math.max(0, Math.floor((wall.scrollTop - PAD) / shape.line));
    const stop = Math.min(lines, Math.ceil((wall.scrollTop + wall.clientHeight) / shape.line) + 1);
    const hover = state.hover;
    for (let place = first * shape.across; place < Math.min(channels, stop * shape.across); place++) {
      const channel = state.order[place];
      const x = snap(PAD + (place % shape.across) * shape.pitch);
      const y = snap(PAD + Math.floor(place / shape.across) * shape.line - wall.scrollTop);
      drawTile(g, channel, x, y, shape, channel === state.pin.channel, hover && hover.channel === channel);
      if (hover && hover.channel === channel && !hover.large) {
        const size = [shape.height / rows, shape.width / columns];
        marker(g, theme, x + hover.column * size[1], y + hover.row * size[0], size[1], size[0]);
      }
    }
  }

  function drawLarge() {
    const { channel } = state.pin;
    const known = hasExact(channel);
    const [h, w] = known ? [meta.rows, meta.columns] : [rows, columns];
    const width = large.parentElement.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    const zoom = Math.floor((width * ratio) / w);
    const across = zoom >= 1 ? (w * zoom) / ratio : width;
    const down = (across * h) / w;
    const g = fit(large, across, down);
    g.imageSmoothingEnabled = zoom < 1; // more cells than pixels: averaged rather than dropped
    g.clearRect(0, 0, across, down);
    let [from, to] = limits(channel);
    if (known) {
      const top = extent(exact.data).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      [from, to] = meta.signed ? [-top, top] : [0, top];
    }
    const base = [source, theme.mode, channel, known].join("|");
    if (state.base !== base) {
      state.base = base;
      const image = new ImageData(w, h);
      if (!known) paint(channel, [from, to], new Uint32Array(image.data.buffer), 0, w);
      state.large = canvasOf(known ? colourise(exact.data, 0, h, w, table, from, to) : image);
    }
    g.drawImage(state.large, 0, 0, across, down);
    const point = state.hover && state.hover.channel === channel ? state.hover : state.pin;
    const size = [down / meta.rows, across / meta.columns];
    const { first, last } = reading(point);
    marker(g, theme, first[1] * size[1], first[0] * size[0], (last[1] - first[1] + 1) * size[1], (last[0] - first[0] + 1) * size[0]);
    find(".onename").textContent = `Channel ${channel}`;
    find(".onewords").textContent = dead.data[channel] ? "all zero on this picture" : `${meta.rows} × ${meta.columns}, ${known ? "exact" : "exact numbers follow"}`;
    bar(find(".onescale"), from, to);
    large.setAttribute("aria-label", `Channel ${channel}, ${meta.rows} rows by ${meta.columns} columns. Arrow keys move the cell, Enter keeps it.`);
  }

  function bar(element, from, to) {
    element.querySelector(".from").textContent = number(from, 3);
    element.querySelector(".to").textContent = number(to, 3);
    drawScaleBar(element.querySelector("canvas"), table, 96);
  }

  function drawPoint() {
    const point = state.hover || { ...state.pin, large: true };
    const now = reading(point);
    const box = boxOf(meta.field, now.first, now.last);
    const centre = centreOf(meta.field, now.first, now.last);
    drawPicture(picture, { bitmap: state.bitmap, shape: meta.picture_shape, theme }, box, centre);
    [find(".value").textContent, find(".place").textContent] = sentences(point, now, box, meta);
    drawLarge();
  }
  function drawAll() {
    drawWall();
    drawPoint();
  }
  state.redraw = oncePerFrame(drawAll);

  function tell() {
    const pick = (selector, on) => {
      find(selector).setAttribute("aria-checked", String(on));
      find(selector).tabIndex = on ? 0 : -1;
    };
    pick(".shared", state.shared);
    pick(".own", !state.shared);
    find(".sort").value = state.sort;
    find(".smaller").disabled = state.size === 0;
    find(".larger").disabled = state.size === TARGETS.length - 1;
    const scale = find(".wallscale");
    bar(scale, ...sharedLimits);
    scale.querySelector(".from").hidden = scale.querySelector(".to").hidden = !state.shared;
    scale.querySelector(".words").textContent = scaleWords(state.shared, meta.signed);
    find(".count").textContent = countWords(channels, meta, dead.data.reduce((sum, value) => sum + value, 0));
    find(".seenwords").textContent = `${meta.picture_shape[0]} × ${meta.picture_shape[1]}, as the network sees it`;
    wall.setAttribute("aria-label", `${channels} feature maps of ${meta.title}. Arrow keys move from map to map, Enter opens one.`);
    picture.setAttribute("aria-label", "The picture as the network sees it, with the window that the chosen cell reads.");
  }

  // ---- acting --------------------------------------------------------------------------------------------------
  function pin(point) {
    const { first, last } = reading(point);
    const unit = { channel: point.channel, row: (first[0] + last[0]) >> 1, column: (first[1] + last[1]) >> 1 };
    state.pin = unit;
    setTriggerValue("unit", { layer: meta.layer, ...unit });
    drawAll();
  }
  function move(point) {
    const same = point && state.hover && ["channel", "row", "column", "large"].every((k) => point[k] === state.hover[k]);
    if (same || (!point && !state.hover)) return;
    state.hover = point;
    state.redraw();
  }
  function wallPoint(event) {
    const shape = layout();
    const box = wall.getBoundingClientRect();
    const x = event.clientX - box.left - PAD;
    const y = event.clientY - box.top + wall.scrollTop - PAD;
    const [line, across] = [Math.floor(y / shape.line), Math.floor(x / shape.pitch)];
    const place = line * shape.across + across;
    if (line < 0 || across < 0 || across >= shape.across || place >= channels) return null;
    // The gap and the number under a map belong to it: its nearest cell is meant.
    const [dx, dy] = [x - across * shape.pitch, y - line * shape.line];
    return {
      channel: state.order[place], large: false,
      row: Math.min(rows - 1, Math.floor((dy / shape.height) * rows)),
      column: Math.min(columns - 1, Math.floor((dx / shape.width) * columns)),
    };
  }
  function largePoint(event) {
    const box = large.getBoundingClientRect();
    const at = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
    return {
      channel: state.pin.channel, large: true,
      row: at((event.clientY - box.top) / box.height, meta.rows),
      column: at((event.clientX - box.left) / box.width, meta.columns),
    };
  }
  const peakOf = (channel) => ({
    channel, large: false,
    row: Math.floor(peak.data[2 * channel] / factor), column: Math.floor(peak.data[2 * channel + 1] / factor),
  });

  wall.onpointermove = (event) => move(wallPoint(event));
  wall.onpointerleave = () => move(null);
  wall.onscroll = state.redraw;
  wall.onclick = (event) => {
    const point = wallPoint(event);
    if (point) pin(point);
  };
  wall.onkeydown = (event) => {
    const { across, line } = layout();
    const at = state.order.indexOf((state.hover || state.pin).channel);
    const target = {
      ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + across, ArrowUp: at - across,
      PageDown: at + 5 * across, PageUp: at - 5 * across, Home: 0, End: channels - 1,
    }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      const place = Math.max(0, Math.min(channels - 1, target));
      const y = Math.floor(place / across) * line;
      if (y < wall.scrollTop) wall.scrollTop = y;
      if (y + line + PAD > wall.scrollTop + wall.clientHeight) wall.scrollTop = y + line + PAD - wall.clientHeight;
      move(peakOf(state.order[place]));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (state.hover) pin(state.hover);
    } else if (event.key === "Escape") {
      move(null);
    }
  };
  large.onpointermove = (event) => move(largePoint(event));
  large.onpointerleave = () => move(null);
  large.onclick = (event) => pin(largePoint(event));
  large.onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const from = state.hover && state.hover.large ? state.hover : { ...state.pin, large: true };
    if (step) {
      event.preventDefault();
      const clamp = (value, count) => Math.max(0, Math.min(count - 1, value));
      move({ ...from, row: clamp(from.row + step[0], meta.rows), column: clamp(from.column + step[1], meta.columns) });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      pin(from);
    } else if (event.key === "Escape") {
      move(null);
    }
  };
  function change(values) {
    Object.assign(state, values);
    state.atlas = null;
    state.order = order();
    tell();
    drawAll();
  }
  find(".sort").onchange = (event) => {
    wall.scrollTop = 0;
    change({ sort: event.target.value });
  };
  find(".shared").onclick = () => change({ shared: true });
  find(".own").onclick = () => change({ shared: false });
  find(".shared").parentElement.onkeydown = (event) => {
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    change({ shared: !state.shared });
    find(state.shared ? ".shared" : ".own").focus();
  };
  find(".smaller").onclick = () => change({ size: Math.max(0, state.size - 1) });
  find(".larger").onclick = () => change({ size: Math.min(TARGETS.length - 1, state.size + 1) });
  const file = (ending) => `${meta.layer.replace(/[^\w.-]+/g, "_")}_${ending}`;
  const numbers = () => (hasExact(state.pin.channel) ? exact.data : null);
  saves(root, { file: () => file(`channel_${state.pin.channel}`), csv: () => {
    const values = numbers();
    return Array.from({ length: values ? meta.rows : 0 }, (_, i) => Array.from(values.subarray(i * meta.columns, (i + 1) * meta.columns), (v) => Number(v.toPrecision(9))));
  } });
  find(".npz").onclick = () => {
    const values = numbers();
    if (values) download(file(`channel_${state.pin.channel}.npz`), npz("feature_map", values, [meta.rows, meta.columns]));
  };
  find(".png").onclick = () => {
    const from = state.shared ? `${number(sharedLimits[0], 3)} to ${number(sharedLimits[1], 3)}, ` : "";
    const note = `${from}${find(".wallscale .words").textContent}; ${find(".count").textContent}`;
    const shape = { ...layout(), across: Math.ceil(Math.sqrt((channels * 1.4 * rows) / columns)) };
    const sheet = sheetOf(state.order, shape, {
      title: `${meta.title} (${meta.layer})`, note, theme, family: getComputedStyle(root).fontFamily, bar: find(".wallscale canvas"),
      tile: (g, channel, x, y) => drawTile(g, channel, x, y, shape, false, false),
    });
    sheet.toBlob((blob) => download(file("maps.png"), blob));
  };

  if (state.refit) state.size = bestSize();
  state.refit = false;
  tell();
  drawAll();
  root.dataset.layer = meta.layer;
  root.dataset.exact = String(meta.unit.channel);
  return onResize(root, state.redraw);
}
