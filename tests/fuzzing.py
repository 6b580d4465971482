"""What a hostile or broken browser may send: mutated addresses, and any value for any widget."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.visitors import Visitor
from ui import session

ROOT = Path(__file__).resolve().parent.parent

NUMBERS = (0, 1, -1, 2, 7, 255, 256, 65_535, 2**31, 2**63, -(2**31), 10**30, 1e308, 0.5, -0.0, 1e-320)
TEXTS = (
    "", " ", "0", "-1", "nan", "inf", "-inf", "1e999", "null", "None", "true", "[]", "{}", "٣", "1_000", "½", "0x10",
    "a" * 200, "9" * 5000, "../../etc/passwd", "<script>alert(1)</script>", "'; drop table", "%00", "\u202egnp", "🐄",
    "upload-0123456789abcdef", "own:0123", "run:0123", "~", "~~", ",", ",,,", ":", "::", ".", "..", "__", "$$", "`x`",
    "**b**", "[a](b)", "$x^2$", "a~b~c", "\\", "\x7f", "e\u0301", "\ud7ff",
)  # fmt: skip

# One good value or more of each parameter, to be damaged: whatever reads them is reached that way.
ADDRESSES: Mapping[str, Sequence[str]] = {
    "picture": ("panda", "koala", "dog", "digit_3", "upload-0123456789abcdef"),
    "model": ("mobilenet_v2", "squeezenet1_1", "lenet5", "own:0123456789abcdef", "run:0123456789abcdef"),
    "weights": ("random", "default"),
    "layer": ("features.3", "features.18.2", "features.14.conv.3", "classifier.1", "conv1", "softmax", "input"),
    "channel": ("0", "13", "388", "999999"),
    "row": ("0", "40", "999"),
    "column": ("0", "50", "999"),
    "target": ("388", "giant panda", "5000", "tabby"),
    "rival": ("294", "388", "7000"),
    "method": ("gradcam", "cam", "hirescam", "occlusion"),
    "methods": ("gradcam,layercam,gradient", "gradcam"),
    "fuse": ("mean~features.6,features.13", "product~features.3"),
    "options": ("occlusion.size~32,rise.seed~3", "gradcam.size~1"),
    "mode": ("unit", "kernel"),
    "trail": ("most~all~features.18.0~12.3.3", "for~5~classifier.1~388~1-0-3.1.1", "most~all~nowhere~3"),
    "kernel": ("laplacian", "weights:1:0:-1:2:0:-2:1:0:-1", "weights:nan:0:0:0:0:0:0:0:0"),
    "changes": ("off~features.18.0~3_5-7~zero~~bias~features.0.0~1~0.5", "kernel~features.0.0~0_0~1x2~1_2",
                "picture~blur~2.5~1~~mistake~bgr", "burn~everything"),
    "watch": ("294", "class"),
    "section": ("mystery", "batch_norm", "normalise", "relu", "make"),
    "arms": ("plain_8,residual_8", "raw,nonsense", "standardised"),
    "recipe": ("learning_rate~0.1,steps~200", "steps~2000000,batch_size~0", "pigs~3"),
    "moved": ("3~-2~plain", "8~8~shuffled"),
    "entry": ("2014-vgg", "1999-nobody"),
    "layers": ("conv8k3-relu-linear", "conv32k3-batch-relu-pool-flatten-linear64-relu-linear", "-"),
    "boxes": ("{digest}:10~10~100~100", "{digest}:-5~-5~1e9~nan", "nonsense"),
    "usual": ("grass", "sand", "none"),
    "network": ("example:first", "mobilenet_v2", "own:0123"),
    "versus": ("example:second", "squeezenet1_1"),
}  # fmt: skip


def damaged_text(rng: random.Random, text: str) -> str:
    """The text with one to three faults in it."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        n = rng.choice((1, 1, 2, 5))
        put = rng.choice((rng.choice(TEXTS), str(rng.choice(NUMBERS)), rng.choice("~,.:-_0 \n"), text[at : at + 3]))
        text = text[:at] + rng.choice(("", put, put)) + text[at + rng.choice((0, n)) :]
    return text


def damaged_value(rng: random.Random, known: Sequence[Any], names: Sequence[str], depth: int = 0) -> Any:
    """Any value that JSON carries, made of the words and numbers that the page itself knows where that can be."""
    kind = rng.randrange(9 if depth < 3 else 4)
    if kind == 0 and known:
        return rng.choice(known)
    if kind <= 1:
        return rng.choice(NUMBERS)
    if kind == 2:
        return rng.choice((None, True, False, float("nan"), float("inf")))
    if kind == 3:
        return rng.choice(TEXTS)
    if kind == 4:
        return [damaged_value(rng, known, names, depth + 1) for _ in range(rng.randint(0, 5))]
    chosen = rng.sample(list(names), rng.randint(0, min(8, len(names))))
    return {name: damaged_value(rng, known, names, depth + 1) for name in chosen}


def address(rng: random.Random, page: str) -> str:
    """A page's address with some parameters, well-formed, damaged, or of any kind."""
    told = []
    for name in rng.sample(list(session.PARAMETERS), rng.randint(1, 5)):
        good = rng.choice(ADDRESSES.get(name, ("0", "1", "50", "4")))
        value = rng.choice((good, good, damaged_text(rng, good), rng.choice(TEXTS), str(rng.choice(NUMBERS))))
        told.append((name, value))
    return f"{page}?{urlencode(told, errors='replace')}"


# --- what a widget may be told


@cache
def events() -> dict[str, tuple[str, ...]]:
    """The events of each component, as its own script names them."""
    found: dict[str, set[str]] = {}
    for script in (ROOT / "assets" / "components").glob("*/*.js"):
        names = re.findall(r"set(?:Trigger|State)Value\(\s*[\"'](\w+)", script.read_text(encoding="utf-8"))
        found.setdefault(script.parent.name, set()).update(names)
    for wrapper in (ROOT / "ui" / "instruments").glob("*.py"):
        text = wrapper.read_text(encoding="utf-8")
        for mounted in re.findall(r"mount\(\s*\"(\w+)\"", text):
            for named in re.findall(r"triggers=\{(.*?)\}", text, re.DOTALL):
                found.setdefault(mounted, set()).update(re.findall(r"\"(\w+)\"\s*:", named))
    return {name: tuple(sorted(told)) for name, told in found.items() if told}


@cache
def field_names() -> tuple[str, ...]:
    """The names that the wrappers of components look for in what a browser sends."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "ui").rglob("*.py")]
    return tuple(sorted({name for text in texts for name in re.findall(r"\.get\(\"(\w+)\"", text)}))


def known_values(payload: bytes) -> list[Any]:
    """The words and numbers in a component's payload: layers, digests, subjects."""
    if len(payload) < 4:
        return []
    length = struct.unpack_from("<I", payload)[0]
    found: list[Any] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value[:50]:
                walk(part)
        elif len(found) < 500:
            found.append(value)

    walk(json.loads(payload[4 : 4 + length])["meta"])
    return found


QUIET = re.compile(r"cl_guess_|cl_class_|cl_gradcam_method|afresh|undo|skip|Guess|again|Undo|without", re.IGNORECASE)
"""Buttons that start nothing long."""


def poke(rng: random.Random, visitor: Visitor) -> tuple[str, Any]:
    """Tell one widget of the page something; returns which, and what."""
    groups = ("slider", "number_input", "selectbox", "button_group", "multiselect", "checkbox", "text_input")
    native = [one for kind in groups for one in visitor.elements(kind)]
    buttons = [one for one in visitor.elements("button") if QUIET.search(one.id + one.label)]
    components = [one for one in visitor.elements("bidi_component") if _events(one)]
    kind = rng.choice(("component",) * 5 + ("native",) * 3 + ("button",))
    if kind == "component" and components:
        one = rng.choice(components)
        event = rng.choice(_events(one))
        value = damaged_value(rng, known_values(one.bytes), field_names())
        visitor._ask(*visitor.told(one, event, value))
        return f"{one.id}.{event}", value
    if kind == "button" and buttons:
        one = rng.choice(buttons)
        visitor._ask(one.id, "trigger_value", True)
        return one.id, True
    if not native:
        return "", None
    one = rng.choice(native)
    value = _for_native(rng, one)
    visitor.give(one, value)
    return one.id, value


def _events(component: Any) -> tuple[str, ...]:
    return events().get(component.component_name.removeprefix("convlens_"), ())


def _for_native(rng: random.Random, element: Any) -> Any:
    kind = element.DESCRIPTOR.name
    if kind == "Checkbox":
        return rng.random() < 0.5
    if kind == "TextInput":
        return rng.choice(TEXTS)
    if kind == "NumberInput" or (kind == "Slider" and element.type != element.SELECT_SLIDER):
        ends = (element.min, element.max, (element.min + element.max) / 2)
        number = float(rng.choice((*ends, *ends, rng.uniform(element.min, element.max), *NUMBERS[:6])))
        return number if kind == "NumberInput" else [number]
    words = [option if isinstance(option, str) else option.content for option in element.options]
    word = rng.choice((*words, rng.choice(TEXTS))) if words else rng.choice(TEXTS)
    if kind == "Selectbox":
        return word
    return rng.choice(([word], [word], [], words[:5]))
