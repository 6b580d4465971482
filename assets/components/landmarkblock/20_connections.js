// LeNet-5's C3: which of the six maps each of the sixteen reads. Point at a column, or move with the arrow keys.
function drawConnections(stage, readout, reads, area, state) {
  const grid = make("div", "c3");
  grid.setAttribute("role", "application");
  grid.setAttribute("tabindex", "0");
  grid.setAttribute("aria-label", "Connection table: 6 rows are the maps of S2, 16 columns those of C3. Arrow keys move between columns.");
  const cells = [];
  grid.append(make("span", "h", ""), ...reads.map((_, c) => make("span", "h", String(c))));
  for (let r = 0; r < 6; r++) {
    grid.append(make("span", "h", String(r)));
    reads.forEach((from, c) => {
      const cell = make("span", `cell ${from.includes(r) ? "on" : ""}`);
      cell.dataset.column = c;
      cells.push([cell, c]);
      grid.append(cell);
    });
  }
  const total = reads.reduce((sum, from) => sum + from.length, 0);
  function show(column) {
    for (const [cell, c] of cells) {
      cell.classList.toggle("lit", c === column && cell.classList.contains("on"));
      cell.classList.toggle("dimmed", column >= 0 && c !== column);
    }
    readout.textContent = column < 0
      ? `${total} of 96 connections, each a kernel of ${area} weights; with 16 biases ${exact(total * area + 16)} parameters.`
      : `Map ${column} of C3 reads ${reads[column].length} maps of S2 (${reads[column].join(", ")}): ` +
        `${reads[column].length} × ${area} weights + 1 bias = ${reads[column].length * area + 1} parameters.`;
  }
  state.column = -1;
  grid.onpointermove = (event) => { const c = event.target.dataset?.column; if (c !== undefined) show(Number(c)); };
  grid.onpointerleave = () => show(state.column);
  readByTouch(grid);
  grid.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") state.column = -1;
    else if (step) state.column = Math.max(0, Math.min(15, state.column + step));
    else return;
    show(state.column);
    event.preventDefault();
  };
  show(-1);
  const axes = make("p", "small quiet", "Rows: the 6 maps of S2. Columns: the 16 maps of C3. × = this kernel exists.");
  return [axes, grid];
}
