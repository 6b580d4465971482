// A timer that counts in the browser: it goes on while the page is drawn anew or loaded again, a page of its own each.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".timer");
  const find = (name) => root.querySelector(name);
  applyTheme(root);
  const state = stateOf(parentElement, () => ({ ticking: 0 }));
  clearInterval(state.ticking); // another theme draws the same element again
  const whole = data.minutes * 60_000;
  const slot = `convlens-timer-${data.minutes}-${location.pathname}`;
  const kept = JSON.parse(sessionStorage.getItem(slot) || "null");
  // ends: the moment when it is over; left: what a paused one still has.
  let now = kept && Number.isFinite(kept.ends ?? kept.left) ? kept : { ends: Date.now() + whole };
  const left = () => Math.max(0, now.left ?? now.ends - Date.now());
  const keep = (next) => {
    now = next;
    sessionStorage.setItem(slot, JSON.stringify(now));
    show();
  };
  const say = (words) => {
    const live = find("[aria-live]");
    if (live.textContent !== words) live.textContent = words;
  };

  function show() {
    const seconds = Math.ceil(left() / 1000);
    find(".timer-left").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    root.dataset.over = seconds === 0 ? "yes" : "no";
    const paused = now.left !== undefined;
    find(".timer-hold").textContent = paused ? "Go on" : "Pause";
    find(".timer-hold").disabled = seconds === 0;
    if (seconds === 0) say("Time is up.");
    else if (seconds === 60) say("One minute left.");
  }

  find(".timer-hold").onclick = () => keep(now.left === undefined ? { left: left() } : { ends: Date.now() + now.left });
  find(".timer-again").onclick = () => keep({ ends: Date.now() + whole });
  keep(now);
  state.ticking = setInterval(show, 250);
  return () => clearInterval(state.ticking);
}
