// The trail as files, and its link.

function trailCsv(meta) {
  const head = ["step", "operation", "kind", "index", "value", "computed", "combine", "parts", "contribution", "share", "turned", "top", "left", "bottom", "right"];
  const rows = meta.steps.map((s, i) => [i, s.op, s.kind, s.index.join(" "), s.value, s.computed, s.combine, s.n_parts, s.contribution ?? "", s.share ?? "", s.turned ? 1 : 0, ...s.box]);
  return [head, ...rows];
}

function trailJson(meta) {
  return JSON.stringify({ model: meta.model, trail: meta.text, end: meta.end, link: linkOf(meta), steps: meta.steps.map(({ map, ...step }) => step) }, null, 1);
}

const linkOf = (meta) => `${location.origin}${location.pathname}?${meta.query}`;

/** Put the link on the clipboard; where the browser forbids that, the address bar holds the same trail. */
async function copyLink(meta, say) {
  const link = linkOf(meta);
  try {
    await navigator.clipboard.writeText(link);
    say(`Copied: ${link}${meta.private ? " (your own picture is not in it)" : ""}`);
  } catch {
    const field = document.createElement("textarea");
    field.value = link;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    say(done ? `Copied: ${link}` : `This browser does not let a page copy. The link: ${link}`);
  }
}
