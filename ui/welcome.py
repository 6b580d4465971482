"""What Home says above the course: read by the page, and by the first screen that stands before Streamlit does."""

from __future__ import annotations

from typing import Final

TITLE: Final = "See inside a convolutional network"
LEAD: Final = "On your picture, in the network’s own numbers, with an experiment behind each claim."
ABOUT: Final = (
    "A network turns pixels into a decision by simple arithmetic, done millions of times. Here you open any of its "
    "operations, guess what comes out, and then look."
)
LIVING: Final = (
    "One filter of MobileNetV2’s first layer reads a photograph: each window of 3 × 3 pixels in three colours becomes "
    "one number, blue below zero, orange above."
)
LIVING_LABEL: Final = (
    "A photograph of a macaw, and beside it the map that one filter of MobileNetV2’s first layer makes of it"
)
COURSE: Final = "The course"
TOUR: Final = "Take the tour"
INSPECT: Final = "Inspect my picture"
TEACH: Final = "Teach with this"
START: Final = "Start here"
