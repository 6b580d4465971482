"""The course's words: what each means in a sentence, and where it is seen; marked in every lesson's own text."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final

import streamlit as st

from ui import shell

_SEEN: Final = "cl_glossary_seen"


@dataclass(frozen=True)
class Term:
    """A word of the field, its other forms, its meaning in a sentence, and the lesson that shows it."""

    name: str
    meaning: str
    lesson: str
    forms: tuple[str, ...] = ()


TERMS: Final[tuple[Term, ...]] = (
    Term(
        "tensor",
        "An array of numbers with any number of axes; a picture is one of channels × rows × columns.",
        "pixels",
        ("tensors",),
    ),
    Term(
        "normalisation", "Shifting and scaling the numbers that go in, to a mean near 0 and a spread near 1.", "pixels"
    ),
    Term(
        "logit",
        "The score that a network gives a class before softmax; any number, larger is more.",
        "decision",
        ("logits",),
    ),
    Term(
        "softmax", "Turns logits into probabilities: each is exponentiated, then divided by the sum of all.", "decision"
    ),
    Term(
        "convolution",
        "The same small kernel laid on every place of the input; products are summed to one number a place.",
        "kernel",
        ("convolutions",),
    ),
    Term("kernel", "The small grid of weights that a convolution lays on its input.", "kernel", ("kernels",)),
    Term("stride", "By how many cells the window moves from one output to the next.", "kernel", ("strides",)),
    Term("padding", "Cells (here zeros) put round the input, so that windows fit at its edge.", "kernel"),
    Term("dilation", "Gaps between the cells that a kernel reads: it sees wider with as many weights.", "kernel"),
    Term("ReLU", "Keeps what is above zero and sets the rest to zero.", "pooling"),
    Term(
        "pooling",
        "Replaces each window by one number, its largest or its mean, so that maps become smaller.",
        "pooling",
    ),
    Term("max pooling", "Replaces each window by its largest number.", "pooling"),
    Term("global average pooling", "The mean of each whole map: one number a channel.", "decision"),
    Term(
        "channel",
        "One of the maps in a layer's output, made by one filter; or one colour of the picture.",
        "features",
        ("channels",),
    ),
    Term(
        "filter",
        "The kernels, one for each input channel, that together make one output channel.",
        "kernel",
        ("filters",),
    ),
    Term("feature map", "What one channel answers at every place of the picture.", "features", ("feature maps",)),
    Term(
        "activation",
        "What a unit puts out for a picture; also a function such as ReLU that shapes it.",
        "features",
        ("activations",),
    ),
    Term("unit", "One channel at one place: a single number of a layer's output.", "depth", ("units",)),
    Term("receptive field", "The pixels that a unit can depend on at all.", "depth", ("receptive fields",)),
    Term(
        "depthwise convolution",
        "A convolution in which each channel has a kernel of its own and sees no other channel.",
        "network",
        ("depthwise",),
    ),
    Term(
        "batch norm",
        "Shifts and scales each channel to mean 0 and spread 1 over a batch, then by two learned numbers.",
        "insights",
        ("batch normalisation",),
    ),
    Term(
        "residual block",
        "Adds its input to what its layers make of it, so that it only needs to learn the difference.",
        "resnet",
        ("residual blocks",),
    ),
    Term(
        "shortcut",
        "The way round some layers on which their input is added to their output.",
        "resnet",
        ("shortcuts", "skip connection", "skip connections"),
    ),
    Term(
        "multiply-adds", "How many products are summed in one pass: the usual measure of a network's work.", "network"
    ),
    Term("parameters", "The numbers that training sets: weights and biases.", "network"),
    Term(
        "gradient",
        "How much a number changes for a small change of each number that it was made from.",
        "saliency",
        ("gradients",),
    ),
    Term(
        "Grad-CAM",
        "Where a class's score rises most with a layer's activations: each map times its mean gradient, summed.",
        "gradcam",
    ),
    Term(
        "class activation map",
        "Each place's share in a class's score, where the head is global average pooling and one linear layer.",
        "decision",
        ("class activation maps",),
    ),
    Term(
        "saliency map",
        "Any map of how much each place of the picture matters to a score. A claim to be tested, not a proof.",
        "saliency",
        ("saliency maps",),
    ),
    Term(
        "faithfulness",
        "Whether taking away what a map marks changes the score more than taking away as much elsewhere.",
        "saliency",
    ),
    Term("occlusion", "Covering a patch of the picture and watching the score.", "saliency"),
    Term(
        "loss", "How wrong the network is on what it learns from, as one number; training makes it small.", "insights"
    ),
    Term("learning rate", "How far each training step moves the parameters against the gradient.", "insights"),
    Term("momentum", "Part of the last step that is added to the next, which smooths the way.", "build"),
    Term("epoch", "One pass of training over all pictures of the training part.", "build", ("epochs",)),
    Term("batch", "The pictures that one training step, or one pass, takes together.", "build", ("batches",)),
    Term("augmentation", "Training on changed copies (moved, mirrored, recoloured) of the pictures.", "insights"),
    Term("overfitting", "Doing much better on the pictures it learned from than on new ones.", "build"),
    Term("seed", "The number that decides all random choices, so that a run can be repeated.", "machines", ("seeds",)),
    Term(
        "HOG",
        "Histograms of oriented gradients: counts of edge directions in small cells, a hand-made description of shape.",
        "machines",
    ),
    Term("SVM", "Support vector machine: a classifier that leaves the widest margin between classes.", "machines"),
    Term(
        "MLP", "Multilayer perceptron: layers in which every unit reads every number of the layer before.", "machines"
    ),
    Term("top-5 error", "The share of pictures whose class is not among the five that score highest.", "imagenet"),
    Term("worst group", "The accuracy in the group of pictures (a class on a ground) where it is lowest.", "audit"),
    Term(
        "control",
        "The same intervention where the answer should not change, to see what the intervention itself does.",
        "swap",
    ),
)

_BY_FORM: Final = {form.lower(): term for term in TERMS for form in (term.name, *term.forms)}
_WORDS: Final = re.compile(
    r"(?<![\w-])(" + "|".join(re.escape(form) for form in sorted(_BY_FORM, key=len, reverse=True)) + r")(?![\w-])",
    re.IGNORECASE,
)
# Code, formulas, links and Streamlit's own directives are left as they are.
_LEFT: Final = re.compile(r"(`[^`]*`|\$[^$]*\$|\[[^\]]*\]\([^)]*\)|:[a-z]+\[[^\]]*\]|:material/\w+:)")


def begin_page() -> None:
    """A page is drawn anew: its words are marked from the top."""
    st.session_state[_SEEN] = {}


def marked(text: str) -> str:
    """Markdown with the first mention of each term on the page made to tell its meaning, as HTML.

    Whatever HTML the text itself holds is shown as text: a class's name may come from a visitor.
    """
    text = text.replace("&", "&amp;").replace("\\<", "<").replace("<", "&lt;")
    seen: dict[str, str] = st.session_state.setdefault(_SEEN, {})

    def mark(match: re.Match[str]) -> str:
        term = _BY_FORM[match[0].lower()]
        # The same text drawn again, by a fragment, keeps its marks.
        if seen.setdefault(term.name, text) != text or term.name in here:
            return match[0]
        here.add(term.name)
        meaning = html.escape(term.meaning, quote=True)
        spoken = f"{html.escape(match[0])}: {meaning}"
        return (
            f'<span class="cl-term" tabindex="0" role="note" aria-label="{spoken}" data-means="{meaning}">'
            f"{match[0]}</span>"
        )

    here: set[str] = set()
    parts = _LEFT.split(text)
    return "".join(part if i % 2 else _WORDS.sub(mark, part) for i, part in enumerate(parts))


@st.dialog("Glossary", width="medium")
def _dialog() -> None:
    wanted = st.text_input("Find a word", key="cl_glossary_find", placeholder="receptive field").strip().lower()
    found = [
        term
        for term in sorted(TERMS, key=lambda one: one.name.lower())
        if wanted in " ".join((term.name, *term.forms, term.meaning)).lower()
    ]
    if not found:
        st.caption("No word like this. Try a shorter piece of it.")
    for term in found:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{term.name}.** {term.meaning}")
            entry = shell.lesson(term.lesson)
            st.page_link(entry.page, label=entry.title, icon=f":material/{entry.icon}:")


def button() -> None:
    """Opens all words at once."""
    if st.button("Glossary", key="cl_glossary", icon=":material/menu_book:", type="tertiary"):
        _dialog()
