// Axes: where a number lies, which round numbers are written beside it, and what a number is called.

const NS = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, text = "") {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text) element.textContent = text;
  return element;
}

/** A few round numbers that span low to high. */
function roundTicks(low, high, n = 5) {
  const raw = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((k) => k * power).find((k) => k >= raw * 0.999) || raw;
  const found = [];
  for (let v = Math.ceil(low / step - 1e-6) * step; v <= high + step * 1e-6; v += step) found.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  return found;
}

const SUPER = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function powerText(exponent) {
  if (exponent >= -2 && exponent <= 3) return String(Number((10 ** exponent).toPrecision(1)));
  return "10" + [...String(exponent)].map((c) => SUPER[c]).join("");
}

/** Powers of ten inside low to high (as logarithms), thinned to at most n; between neighbours also 2 and 5 where there is room. */
function logTicks(low, high, n = 7) {
  const first = Math.ceil(low - 1e-9);
  const last = Math.floor(high + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / n));
  const found = [];
  for (let e = first; e <= last; e++) if ((e - first) % every === 0) found.push([e, powerText(e)]);
  if (high - low < 2.2) {
    for (let e = first - 1; e <= last; e++) {
      for (const k of [2, 5]) {
        const at = e + Math.log10(k);
        if (at > low && at < high) found.push([at, String(Number((k * 10 ** e).toPrecision(1)))]);
      }
    }
  }
  return found;
}

/** A value of a view in words. */
function valueText(view, value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN (not a number)" : value > 0 ? "∞ (infinite)" : "−∞ (infinite)";
  return view.share ? `${(100 * value).toFixed(1)} %` : number(value);
}

/** The part of a series that is drawn at a frame: { x, y, low, high, step } as plain arrays. */
function partOf(series, frame) {
  if (!series.steps.length) return { ...series, step: null };
  let row = 0;
  while (row + 1 < series.steps.length && series.steps[row + 1] <= frame) row++;
  const n = series.x.length;
  const cut = (values) => (values ? values.slice(row * n, (row + 1) * n) : null);
  return { ...series, y: cut(series.y), low: cut(series.low), high: cut(series.high), step: series.steps[row] };
}

/** From numbers to pixels, for the parts that are shown. Zero on a log axis has a place of its own at the foot. */
function scalesOf(view, parts, box, fitted) {
  const xs = [...parts.flatMap((part) => [...part.x]), ...view.xNames.map(([at]) => at)];
  const tx = view.xLog ? Math.log10 : (v) => v;
  let [x0, x1] = xs.length ? [Math.min(...xs), Math.max(...xs)].map(tx) : [0, 1];
  if (!(x1 > x0)) [x0, x1] = [x0 - 0.5, x1 + 0.5];
  if (view.xNames.length || view.xLog) [x0, x1] = [x0 - 0.04 * (x1 - x0), x1 + 0.04 * (x1 - x0)];
  const whole = xs.every(Number.isInteger); // layers and steps have no halves
  const ys = parts.flatMap((part) => [...part.y, ...(part.low || []), ...(part.high || [])]).filter(Number.isFinite);
  const positive = ys.filter((v) => v > 0);
  const zeros = view.yLog && ys.some((v) => v <= 0);
  let [y0, y1] = [0, 1];
  if (view.yLog && positive.length) {
    [y0, y1] = [Math.min(...positive), Math.max(...positive)].map(Math.log10);
    if (y1 - y0 < 0.3) [y0, y1] = [y0 - 0.15, y1 + 0.15];
    y0 -= 0.04 * (y1 - y0);
    y1 += 0.04 * (y1 - y0);
  } else if (view.share && !fitted) {
    [y0, y1] = [0, 1];
  } else if (ys.length) {
    [y0, y1] = [Math.min(...ys, view.share || view.fitted ? ys[0] : 0), Math.max(...ys)];
    if (!(y1 > y0)) [y0, y1] = [y0 - 0.5, y1 + 0.5];
    if (view.share) [y0, y1] = [Math.max(0, y0 - 0.04 * (y1 - y0)), Math.min(1, y1 + 0.04 * (y1 - y0))];
    else [y0, y1] = [y0 - (view.fitted ? 0.15 * (y1 - y0) : 0), y1 + (view.fitted ? 0.15 : 0.05) * (y1 - y0)];
  }
  const foot = box.bottom - (zeros ? 22 : 0);
  const px = (v) => box.left + ((tx(v) - x0) / (x1 - x0)) * (box.right - box.left);
  const py = (v) => {
    if (view.yLog && v <= 0) return box.bottom - 4;
    const t = view.yLog ? Math.log10(v) : v;
    return foot - ((t - y0) / (y1 - y0)) * (foot - box.top);
  };
  const yTicks = view.yLog
    ? [...logTicks(y0, y1).map(([e, text]) => [10 ** e, text]), ...(zeros ? [[0, "0"]] : [])]
    : roundTicks(y0, y1).map((v) => [v, view.share ? `${Number((100 * v).toFixed(6))} %` : String(Number(v.toPrecision(6))).replace("-", "−")]);
  const every = Math.max(2, Math.floor((box.right - box.left) / 90));
  const xTicks = view.xNames.length
    ? view.xNames
    : view.xLog ? logTicks(x0, x1).map(([e, text]) => [10 ** e, text]) : roundTicks(x0, x1, every).filter((v) => v >= x0 - 1e-9 && (!whole || Number.isInteger(v))).map((v) => [v, v.toLocaleString("en-US").replace("-", "−")]);
  return { px, py, xTicks, yTicks, y0, y1, inside: (v) => view.yLog || (v >= y0 && v <= y1) };
}
