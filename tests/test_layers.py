"""The arrows run one way: app.py -> pages -> ui -> cnn_core."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What a room must not import. `pages` are lessons: they compute nothing and draw by one call.
FORBIDDEN = {
    "cnn_core": {"streamlit", "ui", "pages", "app"},
    "ui": {"pages", "app"},
    "pages": {"torch", "torchvision", "plotly", "app", "pages"},
    "app.py": {"torch", "torchvision", "plotly", "pages", "cnn_core"},
}


def _files(room: str) -> list[Path]:
    path = ROOT / room
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """The first part of every absolute import in a file, and its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0], node.lineno


@pytest.mark.parametrize("room", FORBIDDEN)
def test_no_import_runs_against_the_arrows(room: str) -> None:
    files = _files(room)
    assert files, f"{room} is empty"
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files
        for name, line in _imports(path)
        if name in FORBIDDEN[room]
    ]
    assert not wrong, "\n".join(wrong)


def test_the_check_sees_a_wrong_import(tmp_path: Path) -> None:
    file = tmp_path / "lesson.py"
    file.write_text("from __future__ import annotations\nif True:\n    from torch.nn import functional\n")
    assert ("torch", 3) in list(_imports(file))


@pytest.mark.parametrize("module", ["cnn_core", "ui.shell", "ui.widgets", "ui.warm", "cnn_core.palette"])
def test_first_screen_needs_no_torch(module: str) -> None:
    """Home is useful before torch is loaded, so what it imports must not load it."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_files_can_be_read_in_one_sitting() -> None:
    sources = [
        p for room in ("cnn_core", "ui", "pages", "assets", "benchmarks", "tests") for p in (ROOT / room).rglob("*")
    ]
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources
        if path.suffix in {".py", ".js", ".css"} and (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
