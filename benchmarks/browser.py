"""From picking another layer to its maps painted, in Chromium; and how large the maps travel."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np

import cnn_core as cc
from tests import browser, server
from ui.instruments import featuremaps

from .report import Report, Row

ROOT = Path(__file__).resolve().parent.parent
PAINTED_BOUND = 150.0
"""Milliseconds, the median over layers."""
PAYLOAD_BOUND = 300.0
"""Kilobytes of 64 maps of 56x56, with the picture and the chosen map."""

# Pick a layer as a visitor does with the list above the strip, and wait until its maps are on the screen: the frame in
# which the component has drawn them, and the browser's next turn after that frame.
_PICK = """async (index) => {
  const inside = (selector) => {
    const search = (from) => from.querySelector(selector)
      || [...from.querySelectorAll('*')].reduce((found, e) => found || (e.shadowRoot && search(e.shadowRoot)), null);
    return search(document);
  };
  const [list, maps] = [inside('select.list'), inside('.fm')];
  const name = list.options[index].textContent.split(' ')[0];
  const start = performance.now();
  list.value = list.options[index].value;
  list.dispatchEvent(new Event('change'));
  while (maps.dataset.layer !== name) {
    if (performance.now() - start > 20000) throw new Error(`no maps of ${name} after 20 s`);
    await new Promise((done) => requestAnimationFrame(done));
  }
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  return performance.now() - start;
}"""


def measure(*, quick: bool = False) -> tuple[Report, ...]:
    """The median time from pick to paint over MobileNetV2's layers, and the payload's size."""
    with tempfile.TemporaryDirectory() as folder, server.running(Path(folder) / "server.log") as url:
        times = layer_times(url, rounds=1 if quick else 3)
    size = payload_bytes() / 1000
    report = Report(
        key="browser",
        title="Feature maps: another layer, and the size of its maps",
        columns=("what", "over"),
        value_name="measured",
        rows=(
            Row(("pick a layer, maps painted (ms)", f"{len(times)} picks"), statistics.median(times), PAINTED_BOUND),
            Row(("slowest tenth of the picks (ms)", f"{len(times)} picks"), float(np.quantile(times, 0.9))),
            Row(("64 maps of 56x56, payload (kB)", "1 layer"), size, PAYLOAD_BOUND),
        ),
        notes=("Chromium without a graphics card, 1440 x 900; MobileNetV2 on the panda, server on the same machine.",),
    )
    return (report,)


def payload_bytes(maps: tuple[int, int, int] = (64, 56, 56)) -> int:
    """Bytes that the component is sent for maps of this size, the shipped panda beside them."""
    seen = cc.load_model("mobilenet_v2").preprocess(cc.load_image(ROOT / "assets" / "samples" / "panda.jpg"))
    values = np.random.default_rng(0).standard_normal(maps).astype(np.float32)
    field = cc.ReceptiveField((11, 11), (4, 4), (2.0, 2.0), False, maps[1:], seen.shown_rgb.shape[:2])
    data = featuremaps.payload(
        values,
        featuremaps.mosaic(values),
        network="network",
        layer="layer",
        title="Layer",
        unit=(0, 0, 0),
        field=field,
        picture=seen.shown_rgb,
        picture_jpeg=featuremaps.jpeg(seen.shown_rgb),
        picture_key="panda",
    )
    return len(data)


def layer_times(url: str, *, rounds: int = 3, every: int = 5) -> list[float]:
    """Milliseconds for every fifth layer in a shuffled order, after one round that is not counted."""
    from playwright.sync_api import sync_playwright

    path = browser.ensure()
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=path, args=browser.FLAGS)
        page = chrome.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{url}/features")
        page.wait_for_selector(".fm[data-layer]", timeout=120_000)
        page.wait_for_timeout(1500)
        indices = list(range(1, page.locator("select.list option").count(), every))
        shuffle = np.random.default_rng(0)
        times: list[float] = []
        for turn in range(rounds + 1):
            for index in shuffle.permutation(indices):
                took = float(page.evaluate(_PICK, int(index)))
                page.wait_for_timeout(120)
                if turn > 0:
                    times.append(took)
        chrome.close()
    return times
