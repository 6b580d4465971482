"""Payloads for the browser: exact bytes, and no silent conversion."""

from __future__ import annotations

import json
import re
import struct

import numpy as np
import pytest

from ui.components import pack
from ui.scripts import ASSETS


def _unpack(payload: bytes) -> dict[str, object]:
    """The reading side of the format, written from its description."""
    (length,) = struct.unpack("<I", payload[:4])
    header = json.loads(payload[4 : 4 + length])
    body = payload[4 + length :]
    out: dict[str, object] = {"meta": header["meta"]}
    for entry in header["arrays"]:
        dtype = np.dtype(f"<{entry['dtype']}")
        count = int(np.prod(entry["shape"]))
        assert (4 + length + entry["offset"]) % 4 == 0, "a Float32Array must start at a multiple of 4"
        flat = np.frombuffer(body, dtype=dtype, count=count, offset=entry["offset"])
        out[entry["name"]] = flat.reshape(entry["shape"])
    return out


def test_numbers_survive_packing() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32)
    odd = np.arange(5, dtype=np.uint8)
    got = _unpack(
        pack({"title": "Größe · 3×3", "n": 3}, odd=odd, maps=maps.transpose(0, 2, 1), empty=np.zeros((0, 4), np.int32))
    )
    assert got["meta"] == {"title": "Größe · 3×3", "n": 3}
    assert np.array_equal(got["odd"], odd)  # type: ignore[arg-type]
    assert np.array_equal(got["maps"], maps.transpose(0, 2, 1))  # type: ignore[arg-type]
    assert got["empty"].shape == (0, 4)  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros(3, np.int64), np.zeros(3, bool)])
def test_other_dtypes_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(TypeError, match="float32"):
        pack({}, values=wrong)


@pytest.mark.parametrize("meta", [{"value": float("nan")}, {"value": float("inf")}])
def test_numbers_that_json_lacks_are_refused(meta: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        pack(meta)


def test_numpy_scalars_in_the_header_are_refused() -> None:
    with pytest.raises(TypeError):
        pack({"value": np.float32(1.0)})


COMPONENTS = sorted(p.name for p in ASSETS.iterdir() if not p.name.startswith("_"))
# What only chooses or tells the time holds no figure: the pictures and layers offered are saved by the instruments.
NO_FIGURE = {"picker", "layers", "timer", "tour"}


@pytest.mark.parametrize("folder", COMPONENTS)
def test_every_component_offers_its_figure_as_files(folder: str) -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in (ASSETS / folder).glob("*.js"))
    assert bool(re.search(r"\bsaves\(", text)) is (folder not in NO_FIGURE), (
        f"{folder}: saves(root, ...) of _shared/saves.js"
    )


@pytest.mark.parametrize("folder", COMPONENTS)
def test_a_component_names_nothing_as_the_shared_scripts_do(folder: str) -> None:
    """All of them are one module in the browser, where a name that is declared twice stops the component."""
    top = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
    shared = [name for p in (ASSETS / "_shared").glob("*.js") for name in top.findall(p.read_text(encoding="utf-8"))]
    own = [name for p in (ASSETS / folder).glob("*.js") for name in top.findall(p.read_text(encoding="utf-8"))]
    assert len({*shared, *own}) == len([*shared, *own])


@pytest.mark.parametrize("folder", COMPONENTS)
def test_components_are_safe_and_offline(folder: str) -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in (ASSETS / folder).iterdir())
    assert "export default" in text
    assert "innerHTML" not in text and "insertAdjacentHTML" not in text, "a visitor's text must never become HTML"
    outside = [
        word for word in ("https://", "http://", "@import", "fetch(") if word in text.replace("http://www.w3.org/", "")
    ]
    assert not outside, f"{folder} asks elsewhere: {outside}"
