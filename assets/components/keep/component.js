// What stands on a page beside the instruments: tables, pictures and charts, each as files. Found when it is opened.

const wordsOf = (element) => (element?.innerText ?? element?.textContent ?? "").replace(/\s+/g, " ").trim();

/** The heading or sentence that stands before an element, for its name. */
function before(element, main) {
  const heads = [...main.querySelectorAll("h1, h2, h3, h4, h5")].filter((head) => head.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING);
  return wordsOf(heads[heads.length - 1]);
}

function tableRows(table) {
  return [...table.rows].map((row) => [...row.cells].map((cell) => {
    const words = wordsOf(cell).replace(/\u2212/g, "-");
    const plain = words.replace(/,(?=\d{3}\b)/g, "");
    return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(plain) ? Number(plain) : words;
  }));
}

function chartRows(chart) {
  const list = (values) => Array.from(values?._inputArray || values || []);
  return [["line", "x", "y"], ...(chart.data || []).flatMap((line) => list(line.y).map((y, i) => [line.name || "", list(line.x)[i] ?? i, y]))];
}

/** A picture in its own pixels, as an SVG that holds nothing else. */
function pictureOf(image) {
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const canvas = make("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><image width="${width}" height="${height}" href="${canvas.toDataURL("image/png")}"/></svg>`;
  return { text, width, height, canvas };
}

function found(main) {
  const shown = (element) => element.getClientRects().length > 0;
  const things = [];
  for (const table of main.querySelectorAll("table")) {
    // A grid of Streamlit's keeps a hidden table for screen readers, and has a menu with its own CSV.
    if (!shown(table) || table.closest('[data-testid="stDataFrame"]') || table.rows.length < 2 || !wordsOf(table)) continue;
    const heads = [...table.rows[0].cells].map(wordsOf).filter(Boolean).join(", ");
    things.push({ element: table, name: `${before(table, main)}: ${heads.length > 70 ? `${heads.slice(0, 70)}…` : heads}`, csv: () => tableRows(table) });
  }
  for (const image of main.querySelectorAll('[data-testid="stImage"] img, [data-testid="stImageContainer"] img')) {
    if (!shown(image) || image.naturalWidth < 2 || things.some((thing) => thing.element === image)) continue;
    const caption = image.closest('[data-testid="stImage"]')?.querySelector('[data-testid="stImageCaption"], [data-testid="stCaptionContainer"]');
    const alt = image.alt && !/^\d+$/.test(image.alt) ? image.alt : "";
    things.push({ element: image, name: wordsOf(caption) || alt || `${before(image, main)}: picture`, picture: () => pictureOf(image) });
  }
  for (const chart of main.querySelectorAll(".js-plotly-plot")) {
    if (shown(chart)) things.push({ element: chart, name: `${before(chart, main)}: ${["y", "x"].map((axis) => wordsOf(chart.querySelector(`.${axis}title`))).filter(Boolean).join(" against ") || "chart"}`, csv: () => chartRows(chart) });
  }
  return things.sort((a, b) => (a.element.compareDocumentPosition(b.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".keep");
  applyTheme(root);
  const { page } = unpack(data).meta;
  const [box, list] = [root.querySelector("details"), root.querySelector("ul")];
  const fill = () => {
    const things = box.open ? found(document.querySelector('[data-testid="stMain"]')) : [];
    list.replaceChildren(...things.map(({ element, name, csv, picture }) => {
      const line = make("li");
      const label = make("b", "", name);
      line.append(label);
      for (const [role, colour] of Object.entries(themeOf(root))) if (role !== "mode") label.style.setProperty(`--cl-${role}`, colour);
      saves(label, { file: `${page} ${name}`, csv, picture: picture || (() => drawnSvg(element, themeOf(root), name)) });
      return line;
    }));
    if (box.open && !things.length) list.append(make("li", "quiet", "Nothing of that kind is on this page now. Every instrument has its own row of files under it."));
  };
  box.ontoggle = fill;
  // What is on the page changes while the list is open: it is read again by whoever comes back to it.
  root.onpointerenter = () => { if (box.open && !root.contains(root.getRootNode().activeElement)) fill(); };
  return () => {};
}
