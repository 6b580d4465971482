// A radio group of thumbnails or cards: one Tab stop, arrows move and choose, a click chooses.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".cl");
  const state = stateOf(parentElement, () => ({ urls: [] }));
  applyTheme(root);
  const { meta, pictures } = unpack(data);
  const group = parentElement.querySelector(".options");
  group.className = `options ${meta.layout}`;
  group.setAttribute("aria-label", meta.label);
  const hadFocus = group.contains(parentElement.activeElement);
  const scrolled = group.scrollTop;
  state.urls.forEach((url) => URL.revokeObjectURL(url));
  state.urls = [];

  const choose = (key) => {
    select(key, true);
    if (key !== meta.selected) setTriggerValue("pick", key);
  };
  const select = (key, focus) => {
    for (const button of group.children) {
      const chosen = button.dataset.key === key;
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) button.focus({ preventScroll: false });
    }
    if (!group.querySelector('[tabindex="0"]') && group.firstChild) group.firstChild.tabIndex = 0;
  };

  group.replaceChildren(
    ...meta.items.map((item) => {
      const button = make("button");
      button.type = "button";
      button.setAttribute("role", "radio");
      button.dataset.key = item.key;
      if (item.picture) {
        const [start, length] = item.picture;
        const url = URL.createObjectURL(new Blob([pictures.data.slice(start, start + length)], { type: "image/jpeg" }));
        state.urls.push(url);
        const image = make("img");
        image.src = url;
        image.alt = "";
        button.append(image);
        button.title = item.title;
        button.setAttribute("aria-label", item.title);
      } else {
        button.append(make("span", "title", item.title), make("span", "detail", item.detail || ""));
      }
      button.onclick = () => choose(item.key);
      return button;
    })
  );
  select(meta.selected, hadFocus);
  group.scrollTop = scrolled;
  if (!state.shown) {
    state.shown = true;
    const chosen = group.querySelector('[aria-checked="true"]');
    if (chosen) group.scrollTop = Math.max(0, chosen.offsetTop - group.offsetTop - group.clientHeight / 2);
  }

  group.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const buttons = [...group.children];
    const at = buttons.indexOf(parentElement.activeElement);
    if (step && at >= 0) {
      event.preventDefault();
      choose(buttons[(at + step + buttons.length) % buttons.length].dataset.key);
    }
  };
  return () => state.urls.forEach((url) => URL.revokeObjectURL(url));
}
