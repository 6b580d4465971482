// Files that NumPy reads, written in the browser.
/** The bytes of a NumPy .npz file (a zip without compression) that holds one float32 array. */
function npz(name, values, shape) {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const padded = header + " ".repeat(63 - ((10 + header.length) % 64)) + "\n";
  const body = new Uint8Array(10 + padded.length + 4 * values.length);
  body.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  body.set(new TextEncoder().encode(padded), 10);
  const view = new DataView(body.buffer, 10 + padded.length);
  values.forEach((value, index) => view.setFloat32(4 * index, value, true));
  let crc = -1;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  const file = new TextEncoder().encode(`${name}.npy`);
  // Version 2.0, no flags, stored, no time, 1 January 1980, checksum, both sizes, length of the name, no extra field.
  const common = new DataView(new ArrayBuffer(26));
  [20, 0, 0, 0, 0x21].forEach((value, index) => common.setUint16(2 * index, value, true));
  common.setUint32(10, ~crc >>> 0, true);
  common.setUint32(14, body.length, true);
  common.setUint32(18, body.length, true);
  common.setUint16(22, file.length, true);
  const local = [Uint8Array.of(0x50, 0x4b, 3, 4), new Uint8Array(common.buffer), file, body];
  const central = [Uint8Array.of(0x50, 0x4b, 1, 2, 20, 0), new Uint8Array(common.buffer), new Uint8Array(14), file];
  const sum = (parts) => parts.reduce((total, part) => total + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, 1, true);
  end.setUint16(10, 1, true);
  end.setUint32(12, sum(central), true);
  end.setUint32(16, sum(local), true);
  return new Blob([...local, ...central, new Uint8Array(end.buffer)]);
}
