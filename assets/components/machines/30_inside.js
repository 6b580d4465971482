// What each machine looks with: HOG's strokes, the MLP's first weights, the CNN's kernels and their maps.

function inside(root, S) {
  const { meta } = S.payload;
  const order = S.payload.order.data;
  S.set ??= "plain";
  S.sorted ??= "no";
  const bar = make("div", "bar");
  const columns = make("div", "mm-inside");
  const readout = make("div", "readout");
  readout.setAttribute("aria-live", "polite");
  root.replaceChildren(bar, columns, readout);
  bar.append(make("span", "small quiet", "They learned from"),
    choiceOf("They learned from", [["plain", "digits in order"], ["shuffled", "digits shuffled"]], S.set, (key) => { S.set = key; draw(); }));
  const sorter = bar.appendChild(make("button", "", ""));
  sorter.type = "button";
  sorter.onclick = () => { S.sorted = S.sorted === "yes" ? "no" : "yes"; draw(); };

  const slice = (name, set, index, size) => {
    const array = S.payload[name];
    const per = array.shape[1] ?? 1;
    const start = name === "hog" || name === "seen" ? set * size : (set * per + index) * size;
    return array.data.slice(start, start + size);
  };
  const place = (pixels) => (S.set === "shuffled" && S.sorted === "yes" ? restored(pixels, order) : pixels);

  function tile(parent, values, height, width, table, low, high, size, label) {
    const canvas = parent.appendChild(make("canvas"));
    const context = fit(canvas, size, size);
    context.drawImage(canvasOf(colourise(values, 0, height, width, table, low, high)), 0, 0, size, size);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    return canvas;
  }
  function column(title, words) {
    const part = columns.appendChild(make("section", "mm-column"));
    part.append(make("h3", "", title), make("p", "small quiet", words));
    return part;
  }
  function scale(parent, table, low, high, words) {
    const line = parent.appendChild(make("div", "scale"));
    const canvas = make("canvas");
    line.append(make("span", "num", low), canvas, make("span", "num", high), make("span", "", words));
    drawScaleBar(canvas, table, 90, 8);
  }

  function draw() {
    const set = S.set === "shuffled" ? 1 : 0;
    const pixels = SIDE * SIDE;
    const diverging = scaleTable("diverging", S.theme.mode);
    const sequential = scaleTable("sequential", S.theme.mode);
    bar.querySelector(".mm-choice").pick(S.set);
    sorter.hidden = S.set === "plain";
    sorter.textContent = "Put the pixels back in order";
    sorter.setAttribute("aria-pressed", S.sorted === "yes");
    columns.replaceChildren();
    root.dataset.set = S.set;
    root.dataset.sorted = S.set === "shuffled" && S.sorted === "yes" ? "yes" : "no";

    const hog = column("HOG", "Designed by people: in each cell of 7 × 7 pixels, how strong the edges are in nine directions. 324 numbers a picture; the SVM sees nothing else.");
    const pair = hog.appendChild(make("div", "mm-pair"));
    const seen = make("canvas");
    fit(seen, 168, 168).drawImage(greyCanvas(place(slice("seen", set, 0, pixels)), S.theme.mode), 0, 0, 168, 168);
    seen.setAttribute("role", "img");
    seen.setAttribute("aria-label", "What it is shown");
    pair.append(seen);
    const strokes = slice("hog", set, 0, pixels);
    const peak = extent(strokes)[1];
    tile(pair, strokes, SIDE, SIDE, sequential, 0, peak, 168, "HOG's own picture: strokes along the edges of each cell");
    scale(hog, sequential, "0", number(peak, 3), "stroke, own scale");
    if (S.sorted === "yes" && set) hog.append(make("p", "small quiet", "Its strokes cannot be put back: neighbours were compared while they were shuffled."));

    const mlp = column("MLP", `The first weights of ${meta.units} of its 128 hidden units, those that speak most for “${meta.says[set].mlp}” on this digit. One weight for each pixel.`);
    const grid = mlp.appendChild(make("div", "mm-grid mm-weights"));
    const limit = meta.limits[set].mlp;
    for (let i = 0; i < meta.units; i++) {
      const values = place(slice("weights", set, i, pixels));
      const unit = meta.order[set][i];
      const canvas = tile(grid, values, SIDE, SIDE, diverging, -limit, limit, 54, `Unit ${unit[0]}`);
      canvas.dataset.unit = unit[0];
      canvas.tabIndex = 0;
      canvas.onpointerenter = canvas.onfocus = () => { readout.textContent = `MLP, hidden unit ${unit[0]}: it answers ${number(unit[1])} to this digit, and adds ${signed(unit[2])} to the logit of ${meta.says[set].mlp}.`; };
    }
    scale(mlp, diverging, number(-limit, 3), number(limit, 3), "weight, shared scale");

    const cnn = column("CNN", "Its 16 first kernels of 3 × 3 weights, and the map that each makes of this digit. The same nine weights are used at every place.");
    const kernels = cnn.appendChild(make("div", "mm-grid mm-kernels"));
    const top = meta.limits[set].cnn;
    const high = meta.limits[set].maps;
    for (let i = 0; i < 16; i++) {
      const cellOf = kernels.appendChild(make("div", "mm-kernel"));
      const canvas = tile(cellOf, slice("kernels", set, i, 9), 3, 3, diverging, -top, top, 26, `Kernel ${i}`);
      canvas.dataset.kernel = i;
      canvas.tabIndex = 0;
      tile(cellOf, slice("maps", set, i, pixels), SIDE, SIDE, sequential, 0, high, 54, `Map ${i}`);
      const numbers = [...slice("kernels", set, i, 9)];
      canvas.onpointerenter = canvas.onfocus = () => { readout.textContent = `CNN, kernel ${i}: ${[0, 3, 6].map((r) => numbers.slice(r, r + 3).map((v) => number(v, 3)).join("  ")).join("  /  ")}; its map reaches ${number(extent(slice("maps", set, i, pixels))[1])} after ReLU.`; };
    }
    scale(cnn, diverging, number(-top, 3), number(top, 3), "weight, shared scale");
    scale(cnn, sequential, "0", number(high, 3), "map after ReLU, shared scale");
    readout.textContent = "Point at a unit or a kernel, or step to it with Tab, to read its numbers.";
  }
  draw();
}
