// Small helpers of both plots: SVG elements, per cent, and a list whose entries the arrow keys visit.

function svg(parent, tag, attributes = {}, text = "") {
  const element = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== "") element.textContent = text;
  return element;
}

/** A share as per cent: three significant digits below ten, like the published figures. */
function percent(share) {
  const value = 100 * share;
  return `${value < 9.995 ? Number(value.toFixed(2)) : value.toFixed(1)} %`;
}

function points(change, digits = 1) {
  const value = 100 * change;
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)} points`;
}

function count(n) {
  return n.toLocaleString("en-US");
}
