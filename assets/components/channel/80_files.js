// What the files of each part are called, and which numbers they hold.

function filed({ part, layer, channel, subject, words, target }) {
  const about = layer !== undefined && channel !== undefined ? `${layer} channel ${channel}` : subject || layer || words || target || "";
  return `${{ pick: "map of", bench: "tests of", patches: "what excites", alike: "channels like", filters: "filters of", lesions: "switched off", dream: "made picture" }[part]} ${about}`;
}

function numbersOf({ meta, map, weights, values }) {
  if (meta.part === "pick") return csvOfArray(map, ["row", "column"], "activation");
  if (meta.part === "filters") return csvOfArray(weights, ["filter", "channel", "row", "column"], "weight");
  if (meta.part === "dream") return csvOfArray(values, ["step"], meta.unit || "value");
  if (meta.part === "patches") return csvOfObjects(meta.rows.flatMap((row) => row.patches.map(({ title, value, cell, box }) => ({ row: row.title, title, value, cell, box }))));
  return csvOfObjects(meta.rows);
}
