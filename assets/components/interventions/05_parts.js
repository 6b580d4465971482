// Small parts that several faces share.

/** A row of buttons of which one is chosen; arrows move the choice, as in every radio group. */
function choices(options, chosen, label, pick) {
  const group = make("span", "iv-pair");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", label);
  const buttons = Object.entries(options).map(([key, words]) => {
    const button = make("button", "", words);
    button.type = "button";
    button.dataset.key = key;
    button.setAttribute("role", "radio");
    button.onclick = () => choose(key);
    return button;
  });
  function choose(key, focus = false) {
    for (const button of buttons) {
      const on = button.dataset.key === key;
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on ? 0 : -1;
      if (on && focus) button.focus();
    }
    pick(key);
  }
  group.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = buttons.findIndex((button) => button.tabIndex === 0);
    choose(buttons[(at + step + buttons.length) % buttons.length].dataset.key, true);
  };
  for (const button of buttons) {
    const on = button.dataset.key === chosen;
    button.setAttribute("aria-checked", String(on));
    button.tabIndex = on ? 0 : -1;
  }
  group.append(...buttons);
  return group;
}

function push(parent, tag, name = "", text = "") {
  return parent.appendChild(make(tag, name, text));
}

function actionButton(text, name = "") {
  const button = make("button", name, text);
  button.type = "button";
  return button;
}

/** A picture of bytes (h, w, 3) as a canvas of its own size. */
function pictureCanvas({ data, shape }) {
  const image = new ImageData(shape[1], shape[0]);
  for (let i = 0; i < data.length / 3; i++) image.data.set([data[3 * i], data[3 * i + 1], data[3 * i + 2], 255], 4 * i);
  return canvasOf(image);
}

/** A change with its sign, "±0" where there is none. */
function delta(value, digits = 4) {
  return value === 0 ? "±0" : `${value > 0 ? "+" : "−"}${number(Math.abs(value), digits)}`;
}

/** A scale bar with its words: "low [====] high, shared scale". */
function scaleWords(holder, table, low, high, words) {
  const canvas = make("canvas");
  holder.className = "scale";
  holder.replaceChildren(make("span", "num", number(low, 3)), canvas, make("span", "num", number(high, 3)), make("span", "", words));
  drawScaleBar(canvas, table, 90, 8);
}
