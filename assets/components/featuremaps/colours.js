// Numbers to colours, many maps at a time.

/** paint(channel, [from, to], pixels, offset, stride): one map's colours, into 32-bit pixels that are `stride` wide. */
function painterOf({ meta, maps, low, high }, table) {
  const [, rows, columns] = maps.shape;
  const ink = new Uint32Array(table.length / 3).map(
    (_, i) => ((255 << 24) | (table[3 * i + 2] << 16) | (table[3 * i + 1] << 8) | table[3 * i]) >>> 0
  );
  const last = ink.length - 1;
  return (channel, [from, to], pixels, offset, stride) => {
    const scale = to > from ? last / (to - from) : 0;
    const colour = (value) => ink[Math.max(0, Math.min(last, Math.round((value - from) * scale)))];
    const step = (high.data[channel] - low.data[channel]) / 255;
    // A byte stands for one of 256 numbers: their colours are looked up rather than computed for every cell.
    const lookup = meta.exact_maps ? null : Uint32Array.from({ length: 256 }, (_, q) => colour(low.data[channel] + q * step));
    let source = channel * rows * columns;
    for (let i = 0; i < rows; i++) {
      for (let j = 0, at = offset + i * stride; j < columns; j++) {
        const value = maps.data[source++];
        pixels[at++] = lookup ? lookup[value] : colour(value);
      }
    }
  };
}
