// One class through all layers: thumbnails, each on its own scale; a click opens a layer.

function thumbnail(S, index, size, { place, empty }, sign = "positive") {
  const values = S.payload[`map${index}`];
  const signed = sign === "both";
  const used = signed ? values.data : positivePart(values.data);
  const limit = empty ? 0 : largestSize(used);
  const map = empty ? null : drawnMap(used, values.shape, size, place, 0, true);
  S.dim ??= dimmed(S.payload.rgb.data);
  const image = canvasOf(mixed(S.dim, size, map, limit, signed, 1, S.theme.mode));
  image.setAttribute("aria-hidden", "true");
  return { image, limit, shape: values.shape };
}

function layerStrip(root, S, send) {
  const { meta, rgb } = S.payload;
  const size = [rgb.shape[0], rgb.shape[1]];
  S.dim = null;
  const holder = make("div", "sal-strip");
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-label", meta.label);
  holder.append(...meta.layers.map((layer, i) => {
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(layer.current));
    const { image, limit, shape } = thumbnail(S, i, size, layer);
    const text = make("span", "small quiet");
    text.append(make("b", "", `${shape[0]} × ${shape[1]}${layer.mark ? ` · ${layer.mark}` : ""}`), make("br"), layer.name, make("br"),
      layer.empty ? "says nothing" : `0 to ${number(limit, 3)}`);
    button.append(image, text);
    button.title = `${layer.title}. ${proper(layer.note)}`;
    button.onclick = () => send("open", layer.name);
    return button;
  }));
  root.replaceChildren(holder);
}

/** Maps of one method under a change, in a row: after each step its likeness to the original. */
function stepsStrip(S, steps, label) {
  const { meta, rgb } = S.payload;
  const size = [rgb.shape[0], rgb.shape[1]];
  S.dim = null;
  const holder = make("div", "sal-strip");
  holder.setAttribute("role", "list");
  holder.setAttribute("aria-label", label);
  holder.append(...steps.map((step, i) => {
    const item = make("div", "sal-step");
    item.setAttribute("role", "listitem");
    const { image } = thumbnail(S, i, size, { place: meta.place, empty: step.empty }, meta.sign);
    const text = make("span", "small quiet");
    text.append(make("b", "", step.title), make("br"), step.detail);
    item.append(image, text);
    return item;
  }));
  return holder;
}
