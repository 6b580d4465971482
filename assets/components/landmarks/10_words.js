// How shapes and counts are said.
const shapeWords = (shape) => shape.length === 3 ? `${shape[0]} maps of ${shape[1]} × ${shape[2]}` : `${shape[0].toLocaleString("en")} numbers`;
const shapeShort = (shape) => shape.join("×");
const count = (n) => n.toLocaleString("en");

/** "61.1 million" from a million on, "4.09 billion" from a thousand million, every digit below. */
function large(n) {
  if (n >= 1e9) return `${(n / 1e9).toPrecision(3)} billion`;
  if (n >= 1e6) return `${(n / 1e6).toPrecision(3)} million`;
  return count(n);
}

function percent(part, whole) {
  const value = whole ? (100 * part) / whole : 0;
  return `${value >= 10 ? value.toFixed(0) : value.toPrecision(2)} %`;
}

function unitWords(unit, model, costs) {
  const what = `${unit.name}: ${unit.title}. It gives ${shapeWords(unit.shape)}.`;
  if (!costs) return what;
  if (!unit.parameters && !unit.macs) return `${what} It has no parameters.`;
  return `${what} ${count(unit.parameters)} parameters (${percent(unit.parameters, model.parameters)} of the network's), ` +
    `${large(unit.macs)} multiply-adds (${percent(unit.macs, model.macs)}).`;
}
