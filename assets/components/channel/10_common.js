// What the parts of the channel's page share: pictures from bytes, maps as canvases, bars, a list of buttons.

/** The limits of a map's scale: from 0 where nothing is below it, the same on both sides otherwise. */
function limitsOf(low, high) {
  const top = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return low < 0 ? [-top, top] : [0, top];
}

/** A map (or one of many in a row) as a small canvas, a pixel for each cell. */
function mapCanvas(values, start, rows, columns, limits, mode) {
  const table = scaleTable(limits[0] < 0 ? "diverging" : "sequential", mode);
  return canvasOf(colourise(values, start, rows, columns, table, limits[0], limits[1]));
}

/** A canvas of `width` CSS pixels that holds a map with square, sharp cells. */
function paintMap(canvas, source, width) {
  const height = Math.round((width * source.height) / source.width);
  fit(canvas, width, height).drawImage(source, 0, 0, width, height);
}

/** Raw RGB bytes as a canvas. */
function rgbCanvas(bytes, start, height, width) {
  const image = new ImageData(width, height);
  for (let p = 0; p < height * width; p++) {
    image.data.set([bytes[start + 3 * p], bytes[start + 3 * p + 1], bytes[start + 3 * p + 2], 255], 4 * p);
  }
  return canvasOf(image);
}

/** An <img> of a JPEG inside a block of bytes; its address is given back when the component is drawn again. */
function jpegImage(state, bytes, [start, length], alt) {
  const image = make("img");
  image.alt = alt;
  const url = URL.createObjectURL(new Blob([bytes.slice(start, start + length)], { type: "image/jpeg" }));
  (state.urls ||= []).push(url);
  image.src = url;
  return image;
}
function dropUrls(state) {
  (state.urls || []).forEach((url) => URL.revokeObjectURL(url));
  state.urls = [];
}

/** A bar from 0 to value on a scale from low to high, with 0 marked. */
function bar(value, low, high, name = "") {
  const track = make("div", `track ${name}`);
  const place = (v) => (100 * (Math.min(high, Math.max(low, v)) - low)) / (high - low || 1);
  const fill = track.appendChild(make("div", "fill"));
  fill.style.left = `${Math.min(place(0), place(value))}%`;
  fill.style.width = `${Math.abs(place(value) - place(0))}%`;
  if (low < 0) track.appendChild(make("div", "zero")).style.left = `${place(0)}%`;
  return track;
}

/** A scale bar with its two numbers and its words. */
function scaleBar(limits, words, mode, even = "sequential") {
  const line = make("span", "scale");
  const canvas = make("canvas");
  canvas.setAttribute("aria-hidden", "true");
  drawScaleBar(canvas, scaleTable(limits[0] < 0 ? "diverging" : even, mode));
  line.append(make("span", "num", number(limits[0])), canvas, make("span", "num", number(limits[1])), make("span", "", words));
  return line;
}

/** Arrow keys, Home and End move the focus among buttons; each stays a Tab stop of its own group. */
function arrows(group, buttons) {
  buttons.forEach((button, i) => { button.tabIndex = i === 0 ? 0 : -1; });
  group.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(group.getRootNode().activeElement);
    if (at < 0 || !(step || event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    const next = event.key === "Home" ? 0 : event.key === "End" ? buttons.length - 1 : (at + step + buttons.length) % buttons.length;
    buttons.forEach((button, i) => { button.tabIndex = i === next ? 0 : -1; });
    buttons[next].focus();
  };
}

/** A few buttons of which one is pressed; told to `choose` at once, nothing goes to the server. */
function choice(label, options, chosen, choose) {
  const group = make("span", "pair");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", label);
  const buttons = Object.entries(options).map(([key, words]) => {
    const button = make("button", "", words);
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(key === chosen));
    button.onclick = () => {
      buttons.forEach((one) => one.setAttribute("aria-checked", String(one === button)));
      choose(key);
    };
    return button;
  });
  group.append(...buttons);
  arrows(group, buttons);
  return group;
}

function listed(element, name) {
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", name);
  return element;
}
