// Ways to change the picture, as cards; one that takes an amount has a slider.

function cardGallery({ root, S, meta, pictures, fresh, send }) {
  const keys = meta.items.map((item) => item.key);
  if (!keys.includes(S.key)) S.key = keys[0];
  S.amounts ??= {};
  if (fresh) {
    S.urls.forEach((url) => URL.revokeObjectURL(url));
    S.urls = meta.items.map(({ picture: [start, length] }) => URL.createObjectURL(new Blob([pictures.data.slice(start, start + length)], { type: "image/jpeg" })));
  }
  root.replaceChildren();
  const group = push(root, "div", "iv-cards");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", meta.label);
  const cards = meta.items.map((item, i) => {
    const card = group.appendChild(actionButton("", "iv-card"));
    card.setAttribute("role", "radio");
    card.dataset.key = item.key;
    const image = push(card, "img");
    Object.assign(image, { src: S.urls[i], alt: "" });
    push(card, "span", "", item.title);
    card.onclick = () => choose(item.key);
    return card;
  });
  group.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(keys[(keys.indexOf(S.key) + step + keys.length) % keys.length], true);
  };
  const readout = push(root, "p", "readout");
  readout.setAttribute("aria-live", "polite");
  const label = push(root, "label", "iv-amount");
  const words = push(label, "span");
  const output = push(label, "output", "num");
  const slider = push(label, "input");
  slider.type = "range";
  const act = root.appendChild(actionButton("Do this", "iv-act"));

  const item = () => meta.items[keys.indexOf(S.key)];
  function choose(key, focus = false) {
    S.key = key;
    for (const card of cards) {
      const on = card.dataset.key === key;
      card.setAttribute("aria-checked", String(on));
      card.tabIndex = on ? 0 : -1;
      if (on && focus) card.focus();
    }
    const { what, unit, title, least, most, default: usual } = item();
    readout.textContent = what;
    label.style.visibility = unit ? "visible" : "hidden";
    const whole = most - least > 8;
    Object.assign(slider, { min: least, max: most, step: whole ? 1 : 0.05 });
    slider.value = S.amounts[key] ?? usual;
    words.textContent = title;
    slider.setAttribute("aria-label", unit ? `${title}, ${unit}` : title);
    say();
  }
  function say() {
    const { unit } = item();
    output.textContent = unit ? `${number(Number(slider.value), 3)} ${unit}` : "";
  }
  slider.oninput = () => {
    S.amounts[S.key] = Number(slider.value);
    say();
  };
  act.onclick = () => send("act", { key: S.key, amount: item().unit ? Number(slider.value) : null });
  choose(S.key);
  return () => {
    S.urls.forEach((url) => URL.revokeObjectURL(url));
    S.urls = [];
  };
}
