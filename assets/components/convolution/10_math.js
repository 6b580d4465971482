// Convolution of one grid of numbers in float64, and the words and formulas that go with it.

/** floor((size + 2P − D(K − 1) − 1) / S) + 1, and 0 where the kernel does not fit. */
function outputSize(size, k, { stride, padding, dilation }) {
  return Math.max(0, Math.floor((size + 2 * padding - dilation * (k - 1) - 1) / stride) + 1);
}

/** The grey numbers 0 to 1 of a region of an RGB picture: each cell is the mean of zoom x zoom pixels. */
function greyRegion(rgb, region) {
  const width = rgb.shape[1];
  const { top, left, rows, columns, zoom } = region;
  const values = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let i = 0; i < zoom; i++) {
        for (let j = 0; j < zoom; j++) {
          const at = 3 * ((top + r * zoom + i) * width + left + c * zoom + j);
          sum += (0.299 * rgb.data[at] + 0.587 * rgb.data[at + 1] + 0.114 * rgb.data[at + 2]) / 255;
        }
      }
      values[r * columns + c] = sum / (zoom * zoom);
    }
  }
  return { values, rows, columns };
}

/** The window of one output cell: values (0 for padding), which of them are padding, and where the window begins. */
function windowAt(grid, start, rows, columns, kernelRows, kernelColumns, step, row, column) {
  const top = row * step.stride[0] - step.padding[0];
  const left = column * step.stride[1] - step.padding[1];
  const values = new Float64Array(kernelRows * kernelColumns);
  const padded = new Uint8Array(kernelRows * kernelColumns);
  for (let i = 0; i < kernelRows; i++) {
    for (let j = 0; j < kernelColumns; j++) {
      const [y, x] = [top + i * step.dilation[0], left + j * step.dilation[1]];
      const at = i * kernelColumns + j;
      if (y < 0 || x < 0 || y >= rows || x >= columns) padded[at] = 1;
      else values[at] = grid[start + y * columns + x];
    }
  }
  return { values, padded, top, left };
}

/** One kernel slid over one grid: the whole map, float64. */
function slide(grid, rows, columns, kernel, k, bias, { stride, padding, dilation }) {
  const outRows = outputSize(rows, k, { stride, padding, dilation });
  const outColumns = outputSize(columns, k, { stride, padding, dilation });
  if (!outRows || !outColumns) return { values: new Float64Array(0), rows: outRows, columns: outColumns };
  const values = new Float64Array(outRows * outColumns);
  for (let r = 0; r < outRows; r++) {
    for (let c = 0; c < outColumns; c++) {
      let sum = 0;
      for (let i = 0; i < k; i++) {
        const y = r * stride - padding + i * dilation;
        if (y < 0 || y >= rows) continue;
        for (let j = 0; j < k; j++) {
          const x = c * stride - padding + j * dilation;
          if (x >= 0 && x < columns) sum += grid[y * columns + x] * kernel[i * k + j];
        }
      }
      values[r * outColumns + c] = sum + bias;
    }
  }
  return { values, rows: outRows, columns: outColumns };
}

/** Digits after the point so that the largest of these numbers has `significant` ones: aligned at the point. */
function decimalsFor(values, significant = 4) {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) return 0;
  return Math.max(0, Math.min(8, significant - 1 - Math.floor(Math.log10(largest) + 1e-12)));
}

function fixed(value, decimals) {
  const text = value.toFixed(decimals);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** A weight as one would type it: 1, −0.5, 0.1111. */
function weightText(value) {
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** What was typed as a number: "−0.5", "0,5" and "1/9" are understood; null otherwise. */
function parseNumber(text) {
  const plain = text.trim().replace(/−/g, "-").replace(",", ".");
  const fraction = plain.match(/^(-?\d+(?:\.\d+)?)\s*\/\s*(\d+(?:\.\d+)?)$/);
  const value = fraction ? Number(fraction[1]) / Number(fraction[2]) : plain === "" ? NaN : Number(plain);
  return Number.isFinite(value) && Math.abs(value) <= 1000 ? value : null;
}

/** The tick of a comparison. */
function agrees(computed, truth) {
  const error = Math.abs(computed - truth) / Math.max(1, Math.abs(truth));
  return { error, matches: error <= 1e-4 };
}

function fewDigits(value) {
  return value === 0 ? "0" : value.toExponential(0).replace(/-/g, "−").replace("+", "");
}

/** What an activation does to one number; null where this script does not know it. */
const ACTIVATIONS = {
  identity: (x) => x,
  dropout: (x) => x,
  relu: (x) => Math.max(0, x),
  relu6: (x) => Math.min(6, Math.max(0, x)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  silu: (x) => x / (1 + Math.exp(-x)),
  hardsigmoid: (x) => Math.min(6, Math.max(0, x + 3)) / 6,
  hardswish: (x) => (x * Math.min(6, Math.max(0, x + 3))) / 6,
};
