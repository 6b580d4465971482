// The table beside the graph: operations sorted by what they cost; a row lights its card.
const COLUMNS = [
  { key: "index", label: "№", title: "Order in the network", up: true },
  { key: "name", label: "Operation", title: "Name", up: true },
  { key: "value", label: "", title: "Cost", up: false },
  { key: "share", label: "Share", title: "Share of the network's", up: false },
];

/** Build the table once for a network, and sort and fill it for the metric in force. */
function drawRanking(app, table, point, reveal) {
  const { state, operations, whole, meta } = app;
  if (!meta.costs) return;
  const field = METRICS[state.metric].field;
  const total = Math.max(1, sumOf(app, whole, state.metric));
  if (state.rowsOf !== meta.network) {
    state.rowsOf = meta.network;
    state.rows = operations.map((operation, i) => {
      const row = make("tr");
      row.tabIndex = -1;
      row.dataset.index = i;
      const name = make("td", "name");
      // A long name goes on in the next line, after a point.
      name.append(...operation.name.split(/(?<=\.)/).flatMap((part) => [make("wbr"), part]).slice(1));
      name.title = `${operation.name}: ${operation.title}`;
      row.append(make("td", "num quiet", String(i)), name, make("td", "num"), make("td", "num"));
      return row;
    });
  }
  state.rows.forEach((row, i) => {
    const value = operations[i][field];
    row.children[2].textContent = value ? short(state.metric, value) : "0";
    row.children[3].textContent = percent(value / total);
    row.style.setProperty("--share", `${(100 * value) / total}%`);
  });
  const head = table.tHead.rows[0];
  head.replaceChildren(...COLUMNS.map((column) => {
    const cell = make("th");
    cell.scope = "col";
    const mine = state.sort.key === column.key;
    cell.setAttribute("aria-sort", mine ? (state.sort.up ? "ascending" : "descending") : "none");
    const button = make("button", "", `${column.label || METRICS[state.metric].label}${mine ? (state.sort.up ? " ↑" : " ↓") : ""}`);
    button.type = "button";
    button.title = `Sort by: ${column.title.toLowerCase()}`;
    button.onclick = () => {
      state.sort = { key: column.key, up: mine ? !state.sort.up : column.up };
      drawRanking(app, table, point, reveal);
      head.querySelectorAll("button")[COLUMNS.indexOf(column)].focus();
    };
    cell.append(button);
    return cell;
  }));
  const { key, up } = state.sort;
  const order = operations.map((_, i) => i);
  const compare = { index: (a, b) => a - b, name: (a, b) => operations[a].name.localeCompare(operations[b].name, "en", { numeric: true }) }[key] || ((a, b) => operations[a][field] - operations[b][field]);
  order.sort((a, b) => (compare(a, b) || (up ? a - b : b - a)) * (up ? 1 : -1));
  const body = table.tBodies[0];
  body.replaceChildren(...order.map((i) => state.rows[i]));
  body.rows[0].tabIndex = 0;
  table.tFoot.rows[0].replaceChildren(make("td"), make("td", "", `${operations.length} operations`), make("td", "num", short(state.metric, sumOf(app, whole, state.metric))), make("td", "num", "100 %"));

  const rowOf = (event) => event.target.closest("tr[data-index]");
  const leaf = (row) => ({ id: `o${row.dataset.index}`, start: Number(row.dataset.index), stop: Number(row.dataset.index) + 1, children: [] });
  // Only where the pointer itself moved: rows that scroll by under it, for the keyboard, are not pointed at.
  body.onpointermove = (event) => (event.movementX || event.movementY) && rowOf(event) && point(leaf(rowOf(event)));
  body.onpointerleave = () => point(null);
  body.onclick = (event) => rowOf(event) && reveal(Number(rowOf(event).dataset.index));
  state.pointRow = (event) => rowOf(event) && point(leaf(rowOf(event)));
  if (!body.dataset.ready) body.addEventListener("focusin", (event) => state.pointRow(event));
  body.dataset.ready = "yes";
  body.onkeydown = (event) => {
    const row = rowOf(event);
    if (!row) return;
    const rows = [...body.rows];
    const at = rows.indexOf(row);
    const target = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: rows.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") reveal(Number(row.dataset.index));
    else if (target !== undefined) {
      const next = rows[Math.max(0, Math.min(rows.length - 1, target))];
      row.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else return;
    event.preventDefault();
  };
}

/** All of it as a file: names, titles, shapes and the three costs, in the network's order. */
function asCsv(operations) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const rows = operations.map((o) => [o.name, o.title, shapeOf(o.shape), o.parameters, o.macs, o.bytes].map((cell) => quoted(String(cell))).join(","));
  return `operation,title,output,parameters,multiply-adds,bytes\n${rows.join("\n")}\n`;
}
