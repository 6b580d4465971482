// Files of what is shown: one small row under every component, PNG and SVG of the picture, CSV of its numbers.

/** A field of a CSV file. Words that a spreadsheet would take for a formula are marked as words. */
function csvCell(value) {
  if (value === null || value === undefined) return "";
  let text = typeof value === "number" ? String(value) : String(value).replace(/\u2212/g, "-");
  if (typeof value === "string" && /^[=+@\t\r]|^-(?![\d.])/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** Rows of fields -> the text of a CSV file. */
function csvText(rows) {
  return rows.map((row) => row.map(csvCell).join(",")).join("\n") + "\n";
}

/** A list of objects -> rows: a column for each name that holds plain numbers, words or a short list of them. */
function csvOfObjects(list) {
  const plain = (value) => value === null || ["number", "string", "boolean"].includes(typeof value);
  const short = (value) => Array.isArray(value) && value.length <= 16 && value.every(plain);
  const names = [...new Set(list.flatMap((one) => Object.keys(one).filter((name) => plain(one[name]) || short(one[name]))))];
  return [names, ...list.map((one) => names.map((name) => (Array.isArray(one[name]) ? one[name].join(" ") : plain(one[name]) ? one[name] : "")))];
}

/** A packed array -> rows: its indices by name, and the number. csvOfArray(maps, ["channel", "row", "column"], "activation") */
function csvOfArray({ data, shape }, names, value = "value", keep = () => true) {
  const rows = [[...names, value]];
  for (let i = 0; i < data.length; i++) {
    const at = [];
    for (let axis = shape.length - 1, rest = i; axis >= 0; axis--) {
      at[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    if (keep(at)) rows.push([...at, data[i]]);
  }
  return rows;
}

/** Every number of a payload, whatever it holds: the array's name, up to five indices, and the number. Pictures (bytes) are left out. */
function csvOfNumbers(payload) {
  const rows = [["what", "i", "j", "k", "l", "m", "value"]];
  for (const [name, { data, shape }] of Object.entries(payload)) {
    if (!shape || data instanceof Uint8Array) continue;
    const names = ["i", "j", "k", "l", "m"].slice(0, shape.length);
    for (const row of csvOfArray({ data, shape }, names).slice(1)) rows.push([name, ...row.slice(0, -1), ...Array(5 - names.length).fill(""), row[row.length - 1]]);
  }
  return rows;
}

/** A name for a file: letters, digits, dots, _ and -, never empty, never long. */
function fileName(words) {
  return words.normalize("NFKD").replace(/[^A-Za-z0-9.]+/g, "_").replace(/^[_.]+|[_.]+$/g, "").slice(0, 80) || "convlens";
}

/**
 * The row of files under a component; call it in each redraw, it is made once.
 * file: what is shown, in words or as a function (the files' name). csv: a function that gives rows, or a file's text, where there are
 * numbers. picture: a function that gives { text, width, height } of an SVG, where the component draws a better one than what is seen.
 * ready: false while a guess is still asked for; a file must not give the answer away.
 */
function saves(root, { file, csv = null, picture = null, ready = true }) {
  let row = root.nextElementSibling;
  if (!row?.matches(".cl-saves")) {
    row = make("div", "cl-saves");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Save as a file");
    row.append(make("span", "", "Save"));
    for (const [kind, what] of [["PNG", "Save the picture as PNG"], ["SVG", "Save the picture as SVG"], ["CSV", "Save the numbers as CSV"]]) {
      const button = make("button", `save-${kind.toLowerCase()}`, kind);
      button.type = "button";
      button.title = what;
      button.setAttribute("aria-label", what);
      row.append(button);
    }
    root.after(row); // beside the component's own element, whose children come and go
  }
  for (const role of ["accent", "quiet", "line"]) row.style.setProperty(`--cl-${role}`, root.style.getPropertyValue(`--cl-${role}`));
  const name = () => fileName(typeof file === "function" ? file() : file);
  const drawn = () => (picture ? picture() : drawnSvg(root, themeOf(root), name().replace(/_/g, " ")));
  const [png, svg, numbers] = row.querySelectorAll("button");
  png.onclick = async () => download(`${name()}.png`, await drawnPng(drawn()), "image/png");
  svg.onclick = () => download(`${name()}.svg`, drawn().text, "image/svg+xml");
  row.hidden = !ready;
  numbers.hidden = !csv;
  numbers.onclick = () => {
    const rows = csv();
    download(`${name()}.csv`, typeof rows === "string" ? rows : csvText(rows), "text/csv");
  };
}
