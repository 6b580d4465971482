// Movement that shows where a number came from: the window flies to the lens, the products fall into the sum.

class Flight {
  constructor(stage, layer) {
    this.stage = stage;
    this.layer = layer; // an element over the stage that takes no pointer
    this.running = [];
  }

  cancel() {
    for (const animation of this.running) animation.cancel();
    this.running = [];
    this.layer.replaceChildren();
  }

  rect(element) {
    const [a, b] = [element.getBoundingClientRect(), this.stage.getBoundingClientRect()];
    return { x: a.left - b.left, y: a.top - b.top, w: a.width, h: a.height };
  }

  ghost(node, from, to, delay, duration) {
    node.classList.add("ghost");
    Object.assign(node.style, { left: "0", top: "0", width: `${to.w}px`, height: `${to.h}px` });
    const at = (box, opacity) => ({
      transform: `translate(${box.x}px, ${box.y}px) scale(${box.w / to.w}, ${box.h / to.h})`,
      opacity,
    });
    this.layer.append(node);
    const animation = node.animate([at(from, 0.95), at(to, 0.85)], {
      duration,
      delay,
      easing: "cubic-bezier(.3,.7,.3,1)",
    });
    node.style.opacity = "0"; // before and after its flight a ghost is not there
    this.running.push(animation);
    animation.onfinish = () => node.remove();
  }

  appear(element, delay, duration = 150) {
    this.running.push(
      element.animate([{ opacity: 0 }, { opacity: 1 }], { duration, delay, fill: "backwards", easing: "ease-out" })
    );
  }

  /** from: the lit window in the stage's pixels; parts: { window, products, cells, sum, result, output }. */
  play(windowPicture, from, parts) {
    this.cancel();
    if (reducedMotion()) return;
    this.ghost(windowPicture, from, this.rect(parts.window), 0, 240);
    this.appear(parts.window, 160, 120);
    parts.cells.forEach((cell, i) => this.appear(cell, 240 + i * 12, 140));
    const sum = this.rect(parts.sum);
    parts.cells.forEach((cell, i) => {
      const number = make("span", "num", cell.textContent);
      const box = this.rect(cell);
      this.ghost(number, box, { x: sum.x + sum.w / 2 - box.w / 2, y: sum.y, w: box.w, h: box.h }, 420 + i * 8, 220);
    });
    this.appear(parts.sum, 600, 120);
    this.appear(parts.result, 700, 150);
    if (parts.output) {
      const value = make("span", "num out", parts.result.textContent);
      const box = this.rect(parts.result);
      this.ghost(value, box, { ...parts.output, w: box.w, h: box.h }, 820, 240);
    }
  }
}
