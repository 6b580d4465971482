// Pictures with parts removed, side by side: each with the network's answer as a number and a bar on one shared scale.

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".trial");
  applyTheme(root);
  const S = stateOf(parentElement, () => ({ urls: [] }));
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
    S.urls.forEach((url) => URL.revokeObjectURL(url));
    S.urls = S.payload.meta.cards.map(({ picture: [start, length] }) =>
      URL.createObjectURL(new Blob([S.payload.pictures.data.slice(start, start + length)], { type: "image/jpeg" }))
    );
  }
  const { meta } = S.payload;
  const reach = meta.cards.flatMap(({ value, spread }) => [value - (spread || 0), value + (spread || 0)]);
  const [low, high] = [Math.min(0, ...reach), Math.max(0, ...reach)];
  const place = (value) => (high > low ? (100 * (value - low)) / (high - low) : 0);
  root.style.setProperty("--ratio", `${meta.size[1]} / ${meta.size[0]}`);
  root.querySelector(".trial-cards").replaceChildren(...meta.cards.map((card, i) => {
    const element = make("div", "trial-card");
    element.dataset.role = card.role;
    element.setAttribute("role", "listitem");
    const image = make("img");
    image.src = S.urls[i];
    image.alt = card.alt;
    const value = make("div", "trial-value num", number(card.value));
    if (card.spread !== null) value.append(make("span", "small quiet", ` ± ${number(card.spread, 3)}`));
    const track = make("div", "trial-track");
    track.setAttribute("aria-hidden", "true");
    const add = (name, left, right) => {
      const mark = track.appendChild(make("div", name));
      mark.style.left = `${left}%`;
      if (right !== undefined) mark.style.width = `${right - left}%`;
    };
    add("trial-bar", Math.min(place(0), place(card.value)), Math.max(place(0), place(card.value)));
    if (card.spread !== null) add("trial-whisker", place(card.value - card.spread), place(card.value + card.spread));
    add("trial-zero", place(0));
    if (card.role !== "whole") add("trial-before", Math.min(99, place(meta.cards[0].value)));
    element.append(image, make("div", "trial-title", card.title), value, track, make("div", "small quiet num", card.detail));
    return element;
  }));
  root.querySelector(".trial-scale").textContent = meta.caption;
  saves(root, { file: `trial ${meta.caption.slice(0, 50)}`, csv: () => csvOfObjects(meta.cards.map(({ title, value, spread, detail }) => ({ title, value, spread, detail }))) });
  return () => S.urls.forEach((url) => URL.revokeObjectURL(url));
}
