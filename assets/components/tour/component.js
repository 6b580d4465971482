// The guided tour's card: what to see, a ring round it, one thing done on the page, and the keys of the way on.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".tour");
  const find = (name) => root.querySelector(name);
  applyTheme(root);
  find(".tour-count").textContent = `${data.step} of ${data.of}`;
  find(".tour-title").textContent = data.title;
  find(".tour-text").textContent = data.text;
  find(".tour-dots").replaceChildren(
    ...Array.from({ length: data.of }, (_, i) => make("i", i < data.step ? "done" : ""))
  );
  const act = find(".tour-act");
  act.hidden = !data.act;
  act.textContent = data.act ? data.act.label : "";
  act.onclick = () => press(data.act);

  // Arrows and Escape follow the card's own links, while the focus is in the card.
  function keys(event) {
    const inside = event.composedPath().some((one) => one.classList?.contains("st-key-cl-tour"));
    if (!inside || event.altKey || event.ctrlKey || event.metaKey) return;
    const way = { ArrowRight: "next", ArrowLeft: "back", Escape: "leave" }[event.key];
    const link = way && document.querySelector(`.st-key-cl-tour-${way} :is(a, button)`);
    if (!link) return;
    event.preventDefault();
    link.click();
  }

  // The page is drawn after the card: what is to be seen may come later, go, and come back.
  const ring = find(".tour-ring");
  const seen = (window.convlensTour ??= { focused: 0, shown: 0 });
  function place() {
    if (seen.focused !== data.step) {
      const next = document.querySelector(".st-key-cl-tour-next :is(a, button)");
      if (next) {
        seen.focused = data.step;
        next.focus({ preventScroll: true });
      }
    }
    const target = document.querySelector(`.st-key-${CSS.escape(data.target)}`);
    const box = target && target.getBoundingClientRect();
    ring.hidden = !box || box.width === 0 || box.height === 0;
    act.disabled = ring.hidden;
    if (ring.hidden) return;
    const gap = 6;
    const left = Math.max(2, box.left - gap);
    ring.style.left = `${left}px`;
    ring.style.top = `${box.top - gap}px`;
    ring.style.width = `${Math.min(document.documentElement.clientWidth - 2, box.right + gap) - left}px`;
    ring.style.height = `${box.height + 2 * gap}px`;
    if (seen.shown !== data.step && box.height > 40) {
      seen.shown = data.step;
      const room = root.getBoundingClientRect().top;
      const visible = Math.min(box.bottom, room) - Math.max(box.top, 60);
      if (visible < Math.min(box.height, 380)) {
        target.style.scrollMarginTop = "5rem";
        target.scrollIntoView({ block: "start", behavior: reducedMotion() ? "auto" : "smooth" });
      }
    }
  }
  // One card at a time looks at the page. It stops when the next one begins or when it is gone: the tour's last card
  // may be taken away after the next one was drawn.
  seen.stop?.();
  const redraw = oncePerFrame(place);
  const timer = setInterval(() => (root.isConnected ? redraw() : stop()), 250);
  const listen = { scroll: redraw, resize: redraw, keydown: keys };
  const stop = () => {
    clearInterval(timer);
    for (const [event, handler] of Object.entries(listen)) removeEventListener(event, handler, true);
  };
  seen.stop = stop;
  for (const [event, handler] of Object.entries(listen)) addEventListener(event, handler, { capture: true, passive: event === "scroll" });
  place();
}

/** Press a button of the page for the visitor: `inside` is a key of the page, `find` what to look for in it. */
function press({ inside, find }) {
  const place = document.querySelector(`.st-key-${CSS.escape(inside)}`);
  const button = place && within(place, find);
  if (!button) return;
  button.click();
  button.scrollIntoView({ block: "center", behavior: reducedMotion() ? "auto" : "smooth" });
}

/** The first match in an element or in the components that stand in it. */
function within(element, selector) {
  const found = element.querySelector(selector);
  if (found) return found;
  for (const inner of element.querySelectorAll("*")) {
    const deeper = inner.shadowRoot && within(inner.shadowRoot, selector);
    if (deeper) return deeper;
  }
  return null;
}
