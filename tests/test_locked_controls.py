"""A teacher's lock is seen: each control that would set a shared value is disabled while the page is locked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What is not drawn at all while it is locked, is a way on to another page, or brings pictures of a learner's own.
NOT_DRAWN = {
    "ui/audit_bring.py",
    "ui/models.py",
    "ui/own_models.py",
    "ui/own_models_dialog.py",
    "ui/build_draw.py",
    "ui/failures.py",
    "ui/tour.py",
}


# What does something else first, and sets a value beside that; and the uploader, which is not drawn either.
OF_USE = {"_take_example", "run", "_take_file", "_forget_uploads"}


def _sets(node: ast.AST, setters: set[str]) -> bool:
    """Whether code calls session.set, or a function of its file that does."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and inner.attr in ("set", "forget_choices"):
            if isinstance(inner.value, ast.Name) and inner.value.id == "session":
                return True
        elif isinstance(inner, ast.Name) and inner.id in setters:
            return True
    return False


def _setters(tree: ast.Module) -> set[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and _is_callback(node.value)]
    found: set[str] = set()
    while True:
        found |= {t.id for n in named for t in n.targets if isinstance(t, ast.Name) and _sets(n.value, found)}
        more = {f.name for f in functions if any(_sets(line, found) for line in f.body)} - found
        # A function that draws a control whose callback sets is itself no setter.
        more = {name for name in more if not any(f.name == name and _draws(f) for f in functions)}
        if not more:
            return found
        found |= more


def _is_callback(value: ast.expr) -> bool:
    """A lambda, or a function with some of its arguments."""
    return isinstance(value, ast.Lambda) or (isinstance(value, ast.Call) and ast.unparse(value.func) == "partial")


def _draws(function: ast.FunctionDef) -> bool:
    return any(keyword.arg in ("on_change", "on_click", "on_pick", "triggers") for keyword in _keywords(function))


def _keywords(node: ast.AST) -> Iterator[ast.keyword]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            yield from inner.keywords


def open_controls(source: str) -> Iterator[int]:
    """Lines of native controls that set a shared value and say nothing about being disabled."""
    tree = ast.parse(source)
    setters = _setters(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue  # a component of ours goes on exploring; what it sends changes nothing
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        callback = given.get("on_change") or given.get("on_click")
        if callback is None or not _sets(callback, setters - OF_USE):
            continue
        if "session.locked()" not in ast.unparse(given.get("disabled", ast.Constant(None))):
            yield node.lineno


def test_every_control_that_sets_a_shared_value_is_disabled_while_locked() -> None:
    left = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ("ui", "pages")
        for path in sorted((ROOT / room).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in NOT_DRAWN
        for line in open_controls(path.read_text(encoding="utf-8"))
    ]
    assert not left, "say disabled=session.locked():\n" + "\n".join(left)


def test_the_check_sees_an_open_control() -> None:
    source = "def keep():\n    session.set('seed', 1)\nst.slider('Seed', on_change=keep)\n"
    assert list(open_controls(source)) == [3]
    assert not list(open_controls(source.replace("=keep", "=keep, disabled=session.locked()")))
    assert list(open_controls("st.button('A', on_click=lambda: session.set('seed', 1))")) == [1]
    assert not list(open_controls("st.button('A', on_click=lambda: other.set('seed', 1))"))
