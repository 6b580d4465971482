// What both instruments share: pixels to canvases, the fixed shuffle, and a digit of 28 x 28 drawn large.

const SIDE = 28;

/** Greys (0 to 255) as a canvas: ink on paper in the light, light on dark in the dark. */
function greyCanvas(pixels, mode) {
  const image = new ImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) {
    const ink = mode === "dark" ? pixels[i] : 255 - pixels[i];
    image.data.set([ink, ink, ink, 255], 4 * i);
  }
  return canvasOf(image);
}

/** The picture moved down and right; black comes in, what leaves is lost. */
function moved(pixels, down, right) {
  const out = new Uint8Array(SIDE * SIDE);
  for (let r = Math.max(0, down); r < Math.min(SIDE, SIDE + down); r++) {
    for (let c = Math.max(0, right); c < Math.min(SIDE, SIDE + right); c++) out[r * SIDE + c] = pixels[(r - down) * SIDE + c - right];
  }
  return out;
}

/** Pixel i of the shuffled picture is pixel order[i] of the picture. */
function shuffled(pixels, order) {
  const out = new pixels.constructor(SIDE * SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) out[i] = pixels[order[i]];
  return out;
}

/** The other way: what was shuffled, back in its place. */
function restored(pixels, order) {
  const out = new pixels.constructor(SIDE * SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) out[order[i]] = pixels[i];
  return out;
}

/** A group of buttons of which one is chosen; arrow keys move the choice. */
function choiceOf(label, options, chosen, onPick) {
  const group = make("span", "mm-choice");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", label);
  options.forEach(([key, words], i) => {
    const button = group.appendChild(make("button", "", words));
    button.type = "button";
    button.dataset.key = key;
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", key === chosen);
    button.tabIndex = key === chosen ? 0 : -1;
    button.onclick = () => onPick(key);
    button.onkeydown = (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const next = options[(i + by + options.length) % options.length][0];
      onPick(next);
      group.querySelector(`[data-key="${next}"]`)?.focus();
    };
  });
  group.pick = (key) => {
    for (const button of group.children) {
      button.setAttribute("aria-checked", button.dataset.key === key);
      button.tabIndex = button.dataset.key === key ? 0 : -1;
    }
  };
  return group;
}

function placeText(down, right) {
  if (!down && !right) return "in the middle";
  const parts = [];
  if (down) parts.push(`${Math.abs(down)} px ${down > 0 ? "down" : "up"}`);
  if (right) parts.push(`${Math.abs(right)} px ${right > 0 ? "right" : "left"}`);
  return parts.join(", ");
}
