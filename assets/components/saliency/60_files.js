// The numbers of each part, as rows of a file.

/** Every cell of every map: whose it is, row, column, number. */
function cellsOf(payload, titles) {
  const rows = titles.flatMap((title, i) => csvOfArray(payload[`map${i}`], ["row", "column"]).slice(1).map((row) => [title, ...row]));
  return [["map", "row", "column", "value"], ...rows];
}

const NUMBERS = {
  wall: (payload) => cellsOf(payload, payload.meta.tiles.map((tile) => tile.title)),
  layers: (payload) => cellsOf(payload, payload.meta.layers.map((layer) => layer.name)),
  removal: ({ meta }) => csvOfObjects(meta.rows.flatMap(({ title, area, verdict, logit, probability }) =>
    Object.entries({ logit, probability }).map(([score, found]) => ({ map: title, area, verdict, score, ...found })))),
  curves: ({ meta }) => curvesCsv(meta),
  sanity: ({ meta }) => csvOfObjects(meta.steps),
  stability: ({ meta }) => csvOfObjects(meta.steps),
  matrix: ({ meta }) => [["rank correlation", ...meta.names], ...meta.matrix.map((row, i) => [meta.names[i], ...row])],
};
