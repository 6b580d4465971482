"""What docs/ says is so: links lead somewhere, variables exist, the lesson plan's links open what they promise."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


def _sources() -> str:
    files = [ROOT / "app.py", *(path for room in ("ui", "cnn_core") for path in (ROOT / room).rglob("*.py"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not target.startswith("/"):  # those are pages of the app
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:cnn_core|ui|pages|tests|assets|deploy|docs|benchmarks)/[\w./-]*)`", text):
        assert (ROOT / name).exists(), f"{document.name} names {name}"


def test_deploy_names_every_variable_and_no_other() -> None:
    known = set(re.findall(r"CONVLENS_[A-Z_]+[A-Z]", _sources()))
    told = set(re.findall(r"^\| `(CONVLENS_[A-Z_]+)`", (ROOT / "docs" / "deploy.md").read_text(), re.MULTILINE))
    assert told == known


def test_the_proxy_takes_what_the_app_takes() -> None:
    import tomllib

    allowed = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]["maxUploadSize"]
    (size,) = re.findall(r"client_max_body_size (\d+)m;", (ROOT / "deploy" / "nginx.conf").read_text())
    assert allowed < int(size) <= allowed + 2


def _plan() -> str:
    return (ROOT / "docs" / "lesson_plan.md").read_text(encoding="utf-8")


def test_the_lesson_takes_fifty_minutes_by_the_clock() -> None:
    rows = re.findall(r"^\| 0:(\d\d) \| (\d+) \| ([^|]+?) \|", _plan(), re.MULTILINE)
    now = 0
    for begins, minutes, _ in rows:
        assert int(begins) == now
        now += int(minutes)
    assert now == 50
    told = re.findall(r"^## 0:(\d\d) (.+) \((\d+) minutes\)$", _plan(), re.MULTILINE)
    assert [(begins, minutes) for begins, _, minutes in told] == [(begins, minutes) for begins, minutes, _ in rows]


def test_the_lessons_links_open_what_they_say() -> None:
    from ui import session, shell

    links = set(re.findall(r"\]\((/[^)]*)\)", _plan()))
    assert len(links) >= 10
    for link in links:
        address = urlsplit(link)
        key = address.path.strip("/")
        shell.lesson(key)  # raises KeyError where there is no such page
        source = (ROOT / "pages" / f"{key}.py").read_text(encoding="utf-8")
        for name, value in parse_qsl(address.query, strict_parsing=True):
            parameter = session.PARAMETERS[name]
            parameter.parse(value)
            assert parameter.everywhere or f'"{name}"' in source, f"{link}: {key} does not read {name}"


def test_the_sum_on_the_board_is_right() -> None:
    import numpy as np

    from cnn_core import kernels

    (board,) = re.findall(r'kernel "below minus above"\n((?:    .+\n){3})', _plan())
    numbers = np.array([line.split() for line in board.splitlines()], dtype=float)
    picture, kernel = numbers[:, :3], numbers[:, 3:]
    assert np.array_equal(kernels.kernel_preset("horizontal-edge").weights, kernel)
    (answer,) = re.findall(r"^The answer: ([^=]+) = (\d+)\.", _plan(), re.MULTILINE)
    assert (picture * kernel).sum() == int(answer[1])
    assert sum(
        int(term.replace("−", "-").replace(" ", "").lstrip("+")) for term in re.findall(r"[−+]? ?\d+", answer[0])
    ) == int(answer[1])


def test_the_picture_of_the_architecture_is_of_this_code() -> None:
    from docs import architecture

    assert architecture.PICTURE.read_text() == architecture.draw(), "run `python -m docs.architecture`"


def test_every_package_is_in_the_picture() -> None:
    from docs import architecture

    packages = {f"cnn_core/{file.parent.name}" for file in (ROOT / "cnn_core").glob("*/__init__.py")}
    assert packages <= {box for box, *_ in architecture.BOXES}


def test_the_picture_reads_imports_as_python_does(tmp_path: Path) -> None:
    from docs import architecture

    file = tmp_path / "one.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nfrom . import two\nfrom ..errors import quote\nimport cnn_core as cc\n"
        "if TYPE_CHECKING:\n    from .three import T\ndef f():\n    from .four.five import g\n"
    )
    known = {"cnn_core", "cnn_core.errors", "cnn_core.a.two", "cnn_core.a.three", "cnn_core.a.four.five"}
    found = set(architecture.imports("cnn_core.a.one", file, known))
    assert found == {"cnn_core", "cnn_core.errors", "cnn_core.a.two", "cnn_core.a.four.five"}


@pytest.mark.long
def test_the_reference_is_built_from_the_docstrings(tmp_path: Path) -> None:
    import cnn_core as cc
    from docs import api

    pages = api.build(tmp_path)
    assert len(pages) > 20
    told = (tmp_path / "cnn_core.html").read_text(encoding="utf-8")
    assert not [name for name in cc.__all__ if f'id="{name}"' not in told]
