"""For tests of the lessons' answers: which questions there are, who tests them, and how a page is asked one."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from streamlit.testing.v1 import AppTest

import cnn_core as cc

ROOT = Path(__file__).resolve().parent.parent
ASKING = {"guess", "clicked", "Question"}
# The panel of experiments asks what a page hands to it as a `Question`, whose first word is the key.
THROUGH = {("ui/experiment_lesson.py", "question.key")}
MEAN, STD = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
PANDA = 388
TESTED: set[str] = set()
Test = TypeVar("Test", bound=Callable[..., Any])


def questions() -> set[str]:
    """The keys of all questions that a page can ask, read from the sources."""
    found: set[str] = set()
    for folder in ("ui", "pages"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name == "ui/lesson.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args and _asks(node.func):
                    key = node.args[0]
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        found.add(key.value)
                    else:
                        assert (name, ast.unparse(key)) in THROUGH, f"{name}:{node.lineno}: a question's key is a word"
    return found


def _asks(called: ast.expr) -> bool:
    if isinstance(called, ast.Attribute):
        return called.attr in ASKING and ast.unparse(called.value) == "lesson"
    return isinstance(called, ast.Name) and called.id == "Question"


def answers(*keys: str) -> Callable[[Test], Test]:
    """Says of a test which questions' answers it computes."""
    TESTED.update(keys)
    return lambda test: test


def choose(at: AppTest, key: str, right: str) -> str:
    """Guess `right` on the page: it must be taken as right; the page's words about it."""
    at.button(key=f"cl_guess_{key}_button_{right}").click().run()
    return judged(at, key, True)


def judged(at: AppTest, key: str, right: bool) -> str:
    """How the page answered: the progress notes it so, and an alert says so; the alerts' words."""
    assert not at.exception
    assert at.session_state["cl_progress"].answers[key].right is right, texts(at)
    start = "**As you guessed.**" if right else "**Not this time.**"
    told = [alert.value for alert in (at.success if right else at.info) if alert.value.startswith(start)]
    assert told
    return "\n".join(told).replace("−", "-")


def finish(at: AppTest, done: Callable[[], bool]) -> None:
    """Look again until a job has ended."""
    for _ in range(600):
        if done():
            return
        time.sleep(0.2)
        at.run()
    raise AssertionError("The job does not end.")


def texts(at: AppTest) -> str:
    return "\n".join(str(one.value) for one in (*at.success, *at.info, *at.warning))


def offered(at: AppTest, key: str) -> list[str]:
    """The keys of a question's choices."""
    start = f"cl_guess_{key}_button_"
    return [str(button.key).removeprefix(start) for button in at.button if str(button.key).startswith(start)]


def said_numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text.replace(",", ""))]


@cache
def panda() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The sample as the network sees it, resized and cropped here by PIL, and resized alone: uint8 (h, w, 3)."""
    picture = Image.open(ROOT / "assets" / "samples" / "panda.jpg").convert("RGB")
    scale = 256 / min(picture.size)
    resized = picture.resize((int(picture.width * scale), int(picture.height * scale)), Image.Resampling.BILINEAR)
    left, top = round((resized.width - 224) / 2), round((resized.height - 224) / 2)
    whole = np.asarray(resized)
    return whole[top : top + 224, left : left + 224].copy(), whole.copy()


def tensor(rgb: NDArray[np.uint8]) -> torch.Tensor:
    """Light from 0 to 1, centred and scaled as torchvision's networks learned it."""
    light = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255
    return (light - MEAN) / STD


@cache
def module() -> torch.nn.Module:
    """MobileNetV2, as torch has it."""
    return cc.load_model("mobilenet_v2", device="cpu").module


def outputs(network: torch.nn.Module, x: torch.Tensor, *names: str) -> tuple[torch.Tensor, ...]:
    """What modules put out, heard by hooks, and the network's own answer after them."""
    heard: dict[str, torch.Tensor] = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: heard.__setitem__(name, output.detach().clone())
        )
        for name in names
    ]
    with torch.no_grad():
        answer = network(x)
    for hook in hooks:
        hook.remove()
    return (*(heard[name] for name in names), answer)
