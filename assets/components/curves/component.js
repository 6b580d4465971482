// Curves with bands. All views are here; choosing one, the ruler, frames and files send nothing to the server.

function read(data) {
  const payload = unpack(data);
  const { meta } = payload;
  meta.views.forEach((view, v) => {
    view.series.forEach((series, s) => {
      for (const name of ["x", "y", "low", "high"]) series[name] = payload[`${v}_${s}_${name}`]?.data || null;
    });
  });
  return meta;
}

function build(root) {
  const ui = { top: make("div", "cv-top"), tabs: make("div", "cv-tabs"), files: make("div", "cv-files"), plot: make("div", "cv-plot"),
    frames: make("div", "cv-frames"), legend: make("div", "cv-legend"), readout: make("div", "cv-readout"), note: make("p", "cv-note small quiet") };
  ui.tabs.setAttribute("role", "tablist");
  ui.plot.setAttribute("role", "tabpanel");
  ui.readout.setAttribute("aria-live", "polite");
  ui.fit = make("button", "", "Zoom");
  ui.fit.title = "Zoom the axis to the numbers, or show 0 to 100 %";
  ui.files.append(ui.fit);
  ui.play = make("button", "cv-play", "▶");
  ui.slider = make("input");
  ui.slider.type = "range";
  ui.slider.setAttribute("aria-label", "Step");
  ui.at = make("output");
  ui.frames.append(ui.play, ui.slider, ui.at);
  ui.top.append(ui.legend, ui.files);
  root.append(ui.tabs, ui.plot, ui.frames, ui.top, ui.note, ui.readout);
  for (const button of [ui.fit, ui.play]) button.type = "button";
  return ui;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".cv");
  const S = stateOf(parentElement, () => ({ ui: build(root), hidden: new Set(), at: null, frame: null, fitted: false, timer: 0 }));
  S.theme = applyTheme(root);
  if (S.source !== data) {
    S.source = data;
    S.meta = read(data);
    if (!S.meta.views.some((view) => view.key === S.key)) S.key = S.meta.first;
  }
  root.dataset.running = S.meta.running ? "yes" : "no";
  const { ui } = S;
  const view = () => S.meta.views.find((one) => one.key === S.key) || S.meta.views[0];
  const frame = () => {
    const steps = view().frames;
    return S.frame !== null && S.frame <= steps[steps.length - 1] ? S.frame : steps[steps.length - 1];
  };
  const shown = () => view().series.filter((series) => !S.hidden.has(series.name));
  const stop = () => {
    clearInterval(S.timer);
    S.timer = 0;
    ui.play.textContent = "▶";
    ui.play.setAttribute("aria-label", "Play the steps");
  };

  function tabs() {
    const focused = ui.tabs.contains(root.getRootNode().activeElement);
    ui.tabs.hidden = S.meta.views.length < 2;
    ui.tabs.setAttribute("aria-label", S.meta.label);
    ui.tabs.replaceChildren(...S.meta.views.map((one) => {
      const button = make("button", "", one.title);
      button.type = "button";
      button.dataset.key = one.key;
      button.setAttribute("role", "tab");
      button.setAttribute("aria-selected", one.key === S.key);
      button.tabIndex = one.key === S.key ? 0 : -1;
      button.onclick = () => open(one.key);
      return button;
    }));
    if (focused) ui.tabs.querySelector('[aria-selected="true"]').focus();
  }
  ui.tabs.onkeydown = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const keys = S.meta.views.map((one) => one.key);
    open(keys[(keys.indexOf(S.key) + by + keys.length) % keys.length]);
  };
  function open(key) {
    stop();
    Object.assign(S, { key, at: null });
    all();
  }

  function legend() {
    const names = [...new Map(view().series.map((series) => [series.name, series])).values()];
    const focused = [...ui.legend.children].findIndex((child) => child === root.getRootNode().activeElement);
    ui.legend.replaceChildren(...names.map((series) => {
      const button = make("button");
      button.type = "button";
      button.append(sampleOf(series, S.theme), make("span", "", series.name));
      button.setAttribute("aria-pressed", !S.hidden.has(series.name));
      button.title = "Show or hide";
      button.onclick = () => {
        S.hidden.has(series.name) ? S.hidden.delete(series.name) : S.hidden.add(series.name);
        legend();
        plot();
      };
      return button;
    }));
    ui.legend.children[focused]?.focus();
  }

  function plot() {
    const v = view();
    const width = Math.max(280, Math.round(ui.plot.clientWidth || root.clientWidth || 640));
    const parts = shown().map((series) => partOf(series, frame()));
    const focused = S.drawn && S.drawn.chart === root.getRootNode().activeElement;
    S.drawn = drawPlot(v, parts, { width, height: Math.round(Math.min(400, Math.max(270, width * 0.5))), theme: S.theme, fitted: S.fitted, title: S.meta.label });
    S.parts = parts;
    ui.plot.replaceChildren(S.drawn.chart, ...(v.series.length ? [] : [make("p", "cv-empty", v.empty)]));
    const { chart, box, px } = S.drawn;
    const places = [...new Set(parts.flatMap((part) => [...part.x]))].sort((a, b) => a - b);
    chart.onpointermove = (event) => {
      const bounds = chart.getBoundingClientRect();
      const x = ((event.clientX - bounds.left) / bounds.width) * width;
      if (places.length) rule(places.reduce((best, p) => (Math.abs(px(p) - x) < Math.abs(px(best) - x) ? p : best)));
    };
    chart.onpointerleave = () => rule(null);
    readByTouch(chart);
    chart.onkeydown = (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === " " && v.frames.length > 1) ui.play.click();
      else if (event.key === "Escape") rule(null);
      else if (by && places.length) {
        const from = S.at === null ? (by > 0 ? -1 : places.length) : places.indexOf(S.at);
        rule(places[Math.max(0, Math.min(places.length - 1, from + by))]);
      } else return;
      event.preventDefault();
    };
    if (focused) chart.focus();
    const tolerance = 0.025 * (box.right - box.left);
    S.near = (x) => parts.flatMap((part) => {
      if (!part.x.length) return [];
      const i = [...part.x.keys()].reduce((best, k) => (Math.abs(px(part.x[k]) - px(x)) < Math.abs(px(part.x[best]) - px(x)) ? k : best), 0);
      return Math.abs(px(part.x[i]) - px(x)) <= tolerance ? [{ part, i }] : [];
    });
    rule(places.includes(S.at) ? S.at : null);
  }

  function rule(x) {
    S.at = x;
    const v = view();
    const found = x === null ? [] : S.near(x);
    S.drawn.move(x, found);
    if (x === null) {
      ui.readout.replaceChildren(make("span", "quiet", v.series.length ? "Point at the curves, or focus them and use the arrow keys, to read their numbers." : ""));
      return;
    }
    const named = v.xNames.find(([at]) => Math.abs(at - x) <= 1e-6 * Math.max(1, Math.abs(at)));
    const head = make("b", "", named ? `${v.xTitle}: ${named[1]}` : `${v.xTitle} ${number(x).replace(/\.0+$/, "")}`);
    const list = make("div");
    for (const { part, i } of found) {
      const row = make("span");
      const label = part.labels[i] ? `, ${part.labels[i]}` : "";
      const range = part.low ? `, ${valueText(v, part.low[i])} to ${valueText(v, part.high[i])}` : "";
      row.append(`${part.name}${label}: `, make("b", "", valueText(v, part.y[i])), make("i", "", ` (${part.note}${part.step === null ? "" : `, step ${part.step}`}${range})`));
      list.append(row);
    }
    ui.readout.replaceChildren(head, list);
  }

  function frames() {
    const steps = view().frames;
    ui.frames.hidden = steps.length < 2;
    if (ui.frames.hidden) return;
    ui.slider.min = 0;
    ui.slider.max = steps.length - 1;
    ui.slider.value = steps.indexOf(frame());
    ui.slider.setAttribute("aria-valuetext", `step ${frame()}`);
    ui.at.textContent = `step ${frame().toLocaleString("en-US")}`;
  }
  const goTo = (i) => {
    const steps = view().frames;
    // The last step follows what is still to come.
    S.frame = i >= steps.length - 1 ? null : steps[i];
    frames();
    plot();
  };
  ui.slider.oninput = () => { stop(); goTo(Number(ui.slider.value)); };
  ui.play.onclick = () => {
    if (S.timer) return stop();
    let i = Number(ui.slider.value) >= view().frames.length - 1 ? 0 : Number(ui.slider.value) + 1;
    goTo(i);
    ui.play.textContent = "⏸";
    ui.play.setAttribute("aria-label", "Pause");
    S.timer = setInterval(() => {
      i++;
      if (i >= view().frames.length) return stop();
      goTo(i);
    }, 600);
  };
  ui.fit.onclick = () => {
    S.fitted = !S.fitted;
    all();
  };
  function all() {
    const v = view();
    tabs();
    ui.fit.hidden = !v.share;
    ui.fit.setAttribute("aria-pressed", S.fitted);
    saves(root, { file: `${S.meta.file}_${v.key}`, ready: v.series.length > 0, csv: () => csvOf(v), picture: () => standalone(S.drawn.chart, v, shown(), S.theme, S.meta.label) });
    legend();
    frames();
    plot();
    ui.note.textContent = v.note;
  }
  if (!S.timer) stop();
  all();
  S.ended?.();
  S.ended = onResize(root, plot);
  return () => {
    stop();
    S.ended();
  };
}
