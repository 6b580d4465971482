// All maps on one sheet, to be saved as a picture: title, scale and what is drawn stand on it.
const PAD = 12;
const GAP = 10;

function sheetOf(order, shape, { title, note, theme, family, bar, tile }) {
  const width = Math.max(520, 2 * PAD + shape.across * shape.pitch - GAP);
  const height = 78 + Math.ceil(order.length / shape.across) * shape.line;
  const sheet = document.createElement("canvas");
  const ratio = Math.min(2, shape.ratio, Math.sqrt(6e7 / (width * height))); // browsers refuse very large canvases
  sheet.width = Math.round(width * ratio);
  sheet.height = Math.round(height * ratio);
  const g = sheet.getContext("2d");
  g.scale(ratio, ratio);
  g.imageSmoothingEnabled = false;
  g.fillStyle = theme.page;
  g.fillRect(0, 0, width, height);
  order.forEach((channel, place) => {
    tile(g, channel, PAD + (place % shape.across) * shape.pitch, 66 + Math.floor(place / shape.across) * shape.line);
  });
  g.textAlign = "left";
  g.textBaseline = "top";
  g.fillStyle = theme.text;
  g.font = `700 15px ${family}`;
  g.fillText(title, PAD, PAD, width - 2 * PAD);
  g.font = `12px ${family}`;
  g.fillStyle = theme.quiet;
  g.fillText(note, PAD + 108, 38, width - 2 * PAD - 108);
  g.drawImage(bar, PAD, 40, 96, 8);
  return sheet;
}
