"""The report of an audit: one page that needs nothing else, a table, plain values; what was named is escaped."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_core.bias import report as report_module
from cnn_core.bias.result import (
    Accuracy,
    AuditReport,
    AuditSettings,
    BadFile,
    BoxEvidence,
    BoxSummary,
    Cluster,
    Group,
    GroupTable,
    PictureRow,
    RunFacts,
    Verdict,
    Versions,
)
from cnn_core.bias.swap_result import Interval, Rate, SideSwap, SwapExample, SwapRow, SwapTest  # fmt: skip

EVIL = '<script>alert("x")</script>'


def jpeg(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, "JPEG")
    return buffer.getvalue()


class Store:
    """Pictures of one colour, so that the report can be made without a network."""

    def thumbnail(self, index: int) -> bytes:
        return jpeg((0, 0, 250))

    def map(self, index: int) -> np.ndarray:
        return np.eye(4, dtype=np.float32)

    def overlay(self, index: int, *, opacity: float = 0.6, limit: float | None = None) -> np.ndarray:
        return np.full((16, 16, 3), 99, np.uint8)


def row(index: int, **changes: Any) -> PictureRow:
    values: dict[str, Any] = {
        "index": index, "name": f"cow/{index:04d}.png", "label": "cow", "label_index": 0, "predicted": 0,
        "predicted_name": "cow", "logit": 2.0, "probability": 0.75, "second": 1, "second_name": "camel",
        "second_logit": 0.9, "second_probability": 0.25, "right": True, "scatter": 0.1234567, "size": (96, 64),
        "digest": "ab" * 32,
    }  # fmt: skip
    return PictureRow(**{**values, **changes})


def audit(n: int = 3, **changes: Any) -> AuditReport:
    evidence = BoxEvidence(1.0, 3.0, 0.25, 0.1, 2.5, 1.1, 0.4, 0.8, -0.1)
    rows = [row(i) for i in range(n)]
    rows[0] = row(0, name=f"=cmd|{EVIL}.png", evidence=evidence, tag="grass", cluster=0)
    rows[1] = row(1, label=EVIL, label_index=None, right=False, predicted_name="camel", scatter=None)
    swap = SwapTest(
        n=1, n_boxed=1, same=0.2, other=0.8, removed=Rate(1, 1, 0.2, 1.0), difference=Interval(0.6, -0.1, 0.9, 0.95),
        sides=(SideSwap("cow", 1, 0.2, 0.8), SideSwap("camel", 0, 0.0, 0.0)),
        rows=(SwapRow(0, rows[0].name, "cow", 1, 5, 4, 5, 0.1, float("nan"), True),),
        examples=(SwapExample(0, "other", 2, "camel", 0.6, True, jpeg((9, 200, 9))),
                  SwapExample(0, "same", 1, "cow", 0.7, False, jpeg((9, 9, 200)))),
    )  # fmt: skip
    group = Group("cow", "sand", Rate(0, 2, 0.0, 0.66), 0.9, (1,))
    values: dict[str, Any] = {
        "folder": f"herd {EVIL}",
        "settings": AuditSettings(
            "own:key", "ResNet-18, your weights", "Your weights.", "gradcam", "Grad-CAM", "layer4", "ReLU", None,
            (4, 4), (48, 48), 16, 1234, 5, 10_000, 0.95, "label",
        ),
        "versions": Versions("9.8.7", "3.11.1", "2.14.9", "0.29.9", "2.0.9", "1.5.9", "Linux x86_64, CPU"),
        "rows": tuple(rows),
        "bad_files": (BadFile("../evil.png", "This file is no picture."),),
        "accuracy": Accuracy(
            ("cow",), ("cow",), Rate(2, 3, 0.2, 0.9), (Rate(2, 3, 0.2, 0.9),), ("cow", "others"), ((2, 1),)
        ),
        "groups": GroupTable("given", ("grass", "sand"), (group,), group, 2, 0.5),
        "clusters": (Cluster(0, (0, 1), np.zeros((16, 16, 3), np.uint8), np.eye(4, dtype=np.float32), Rate(1, 2, 0, 1),
                             (("cow", 2),)),),
        "boxes": BoxSummary(1, 0.25, 0.1, 2.5, 0.4, 0.8),
        "swap": swap,
        "verdict": Verdict("supported", "Supported: it relies on the background", "Sentence 57.", "Next step.", 30),
        "limits": ("A limit that is said.",),
        "run": RunFacts("local", n, 0, 12.3, 11.1),
        "store": Store(),
    }  # fmt: skip
    return AuditReport(**{**values, **changes})


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._style = tag == "style"
        self.text += " " * (tag in ("td", "th", "br"))

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._style else data


def test_the_page_needs_nothing_else_and_runs_nothing(tmp_path: Path) -> None:
    html = audit().to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "form", "base", "a"}
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert sources and all(source and source.startswith("data:image/") for source in sources)
    assert not re.search(r"https?://|url\(|@import", html)
    assert not any(name.startswith("on") or name == "srcset" for _, attributes in page.tags for name in attributes)
    policies = [a.get("content") for tag, a in page.tags if tag == "meta" and a.get("http-equiv")]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    for source in sources:
        assert source is not None
        Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))).load()


def test_what_a_visitor_named_is_escaped() -> None:
    html = audit().to_html()
    assert "<script" not in html and "&lt;script&gt;" in html


def test_the_page_says_method_model_seeds_versions_n_and_limits() -> None:
    text = " ".join(Page(audit().to_html()).text.replace("\N{NO-BREAK SPACE}", " ").split())
    for words in (
        "Supported: it relies on the background", "Sentence 57.", "Next step.", "n = 30", "Grad-CAM", "layer4 (ReLU)",
        "ResNet-18, your weights [own:key]", "Seed 1234", "seed 1234", "ConvLens 9.8.7", "torch 2.14.9",
        "scikit-learn 1.5.9", "10,000 resamples", "A limit that is said.", "../evil.png", "60 points",
        "interval \N{MINUS SIGN}10 to 90", "67 % (2 of 3; 95 % interval 20 to 90 %)", "2.500 times", "cow on sand",
        "Linux x86_64, CPU", "each picture’s own first class",
    ):  # fmt: skip
        assert words in text, words


def test_the_interval_is_drawn_where_it_lies() -> None:
    html = audit().to_html()
    found = re.search(r'class="interval" x1="([\d.]+)" x2="([\d.]+)"', html)
    bars = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="\d+" width="([\d.]+)"', html)
    assert found is not None
    widths = {style: float(width) for style, _, width in bars}
    zero = float(bars[0][1])
    whole = widths["removed"]  # 100 %
    assert widths["swapped"] == pytest.approx(0.8 * whole, abs=0.2) and widths["control"] == pytest.approx(
        0.2 * whole, abs=0.2
    )
    assert float(found[1]) == pytest.approx(zero - 0.1 * whole, abs=0.2)
    assert float(found[2]) == pytest.approx(zero + 0.9 * whole, abs=0.2)


def test_a_bare_audit_has_a_page_too() -> None:
    bare = audit(accuracy=None, groups=None, clusters=(), boxes=None, swap=None, bad_files=(), limits=())
    bare = replace(bare, rows=tuple(replace(one, evidence=None, tag=None, cluster=None) for one in bare.rows))
    text = Page(bare.to_html()).text
    assert "Pictures and their maps" in text and "Backgrounds swapped" not in text
    empty = replace(bare, rows=(), bad_files=(BadFile("a", "b"),))
    assert "”: 0 pictures, 1 file skipped" in " ".join(Page(empty.to_html()).text.split())


def test_a_large_folder_gives_a_small_page_with_what_says_most() -> None:
    rows = [row(i, right=i % 100 != 0, probability=0.5 + i / 4000) for i in range(2000)]
    rows[3] = replace(rows[3], evidence=BoxEvidence(1, 1, 0.5, 0.5, 1.0))
    html = audit(rows=tuple(rows), bad_files=tuple(BadFile(f"bad{i}", "no picture") for i in range(500))).to_html()
    assert len(html) < 400_000
    assert "60 of 2,000" in html and "And 400 more." in html
    assert "cow/1900.png" in html  # wrong and surest
    assert "cow/0003.png" in html and "cow/0001.png" in html  # boxed; least sure
    assert "cow/1001.png" not in html


def test_equal_audits_give_equal_files() -> None:
    assert audit().to_html() == audit(run=RunFacts("ray", 0, 3, 99.0, 98.0)).to_html()


def test_the_table_has_every_picture_and_no_formula(tmp_path: Path) -> None:
    text = audit().to_csv(tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_bytes().decode() == text
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == 3
    first, second = lines[0], lines[1]
    assert first["picture"] == f"'=cmd|{EVIL}.png"  # a spreadsheet would run what begins with =
    assert float(first["scatter"]) == 0.1234567 and first["right"] == "yes" and first["boxed"] == "yes"
    assert [first[f"evidence_{name}"] for name in ("inside", "outside", "share", "margin_bias")] == [
        "1.0",
        "3.0",
        "0.25",
        "-0.1",
    ]
    assert (first["swap_flips_other"], first["swap_n_other"], first["swap_removed_flipped"]) == ("4", "5", "yes")
    assert second["right"] == "no" and second["scatter"] == "" and second["evidence_inside"] == ""
    assert (first["height"], first["width"]) == ("96", "64")


def test_plain_values_are_plain_and_whole() -> None:
    made = audit()
    told = made.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["format"] == report_module.FORMAT
    assert told["settings"]["seed"] == 1234 and told["verdict"]["n"] == 30 and told["run"]["seconds"] == 12.3
    assert [one["name"] for one in told["rows"]] == [one.name for one in made.rows]
    assert told["swap"]["rows"][0]["drop_other"] is None  # it was no number
    assert told["clusters"][0]["mean_map"] == np.eye(4).tolist()
    assert not any("jpeg" in example for example in told["swap"]["examples"])
