// Softmax: logits -> exponentials -> probabilities, all from the network's logits; the temperature is moved here.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".softmax");
  applyTheme(root);
  const S = stateOf(parentElement, () => ({ temperature: 1 }));
  if (S.source !== data) {
    S.source = data;
    S.payload = unpack(data);
  }
  const { meta, logits, probabilities } = S.payload;
  const z = logits.data;
  const find = (selector) => root.querySelector(selector);
  const [low, high] = [Math.min(0, ...meta.rows.map((row) => z[row.index])), Math.max(0, ...meta.rows.map((row) => z[row.index]))];

  /** e to the power of x, written so that it never overflows: a mantissa and a power of ten. */
  function power(x) {
    const exponent = Math.floor(x / Math.LN10);
    if (exponent > -4 && exponent < 5) return number(Math.exp(x));
    return `${(Math.exp(x - exponent * Math.LN10)).toFixed(3)} × 10${superscript(exponent)}`;
  }

  const table = find(".sm-table");
  const head = make("div", "sm-row sm-head");
  for (const [text, name] of [["class", ""], ["logit z", "num"], ["", "sm-logit"], ["e^z/T", "num sm-exp"], ["probability", "num"], ["", ""]]) head.append(make("span", name, text));
  head.querySelector(".sm-exp").replaceChildren("e", make("sup", "", "z / T"));
  const rows = meta.rows.map((row) => {
    const button = make("button", "sm-row");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(row.index === meta.target));
    const logit = make("span", "sm-track sm-logit");
    const bar = logit.appendChild(make("div"));
    const place = (v) => (100 * (v - low)) / (high - low || 1);
    bar.style.left = `${Math.min(place(0), place(z[row.index]))}%`;
    bar.style.width = `${Math.abs(place(z[row.index]) - place(0))}%`;
    const chance = make("span", "sm-track sm-chance");
    const share = chance.appendChild(make("div"));
    const [exponential, probability] = [make("span", "num sm-exp"), make("span", "num sm-p")];
    const name = make("span", "sm-name", row.name);
    name.title = row.name;
    button.append(name, make("span", "num", number(z[row.index])), logit, exponential, probability, chance);
    button.onclick = () => setTriggerValue("pick", row.index);
    return { row, button, exponential, probability, share };
  });
  table.replaceChildren(head, ...rows.map((row) => row.button));
  table.onkeydown = (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const at = rows.findIndex((row) => row.button === root.getRootNode().activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    rows[Math.max(0, Math.min(rows.length - 1, at + step))].button.focus();
  };

  function draw() {
    const T = S.temperature;
    const most = extent(z)[1] / T;
    let total = 0;
    for (let i = 0; i < z.length; i++) total += Math.exp(z[i] / T - most);
    const chance = (index) => Math.exp(z[index] / T - most) / total;
    let shown = 0;
    for (const { row, exponential, probability, share } of rows) {
      const p = chance(row.index);
      shown += p;
      exponential.textContent = power(z[row.index] / T);
      probability.textContent = p >= 0.00005 ? p.toFixed(4) : "< 0.0001";
      share.style.width = `${100 * p}%`;
    }
    const logTotal = Math.log(total) + most;
    find(".sm-sum").textContent = `Σ over all ${z.length} classes: ${power(logTotal)}` +
      (z.length > rows.length ? ` · the other ${z.length - rows.length} classes share ${number(Math.max(0, 1 - shown), 3)} of the probability` : "");
    const mine = chance(meta.target);
    const line = find(".sm-readout");
    const sum = make("span", "num");
    sum.append("p = e", make("sup", "", T === 1 ? number(z[meta.target]) : `${number(z[meta.target])} / ${number(T, 3)}`),
      ` / Σ = ${power(z[meta.target] / T)} / ${power(logTotal)} = ${number(mine)}`);
    line.replaceChildren(`${meta.label}: `, sum);
    if (T === 1) {
      let worst = 0;
      for (let i = 0; i < z.length; i++) worst = Math.max(worst, Math.abs(chance(i) - probabilities.data[i]));
      const right = worst <= 1e-4;
      line.append(" ", make("span", right ? "right" : "wrong", right ? `✓ as torch computed (largest difference ${worst.toExponential(0)})` : `✗ torch computed otherwise (difference ${number(worst)})`));
    } else {
      line.append(T < 1 ? " · below 1, the largest logit takes nearly all." : " · above 1, the classes come closer together; their order stays.");
    }
    find(".sm-temperature output").textContent = number(T, 3);
    find(".sm-one").disabled = T === 1;
    S.chance = chance;
    const names = new Map(meta.rows.map((row) => [row.index, row.name]));
    saves(root, {
      file: `softmax ${meta.label} T ${number(T, 3)}`,
      csv: () => [["class", "name", "logit", "temperature", "probability"], ...Array.from(z, (logit, i) => [i, names.get(i) ?? "", logit, T, chance(i)])],
    });
  }

  const slider = find(".sm-temperature input");
  slider.value = 100 * Math.log10(S.temperature);
  const schedule = oncePerFrame(draw);
  slider.oninput = () => {
    S.temperature = Number(slider.value) === 0 ? 1 : 10 ** (Number(slider.value) / 100);
    schedule();
  };
  find(".sm-one").onclick = () => {
    S.temperature = 1;
    slider.value = 0;
    draw();
  };
  draw();
}

function superscript(n) {
  const signs = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  return [...String(n)].map((c) => signs[c]).join("");
}
