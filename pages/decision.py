"""The decision: from the last maps to one logit, part by part, and from all logits to probabilities."""

from __future__ import annotations

from ui import decision_lesson, lesson, nearest_lesson, session, widgets

session.bind("target", "rival", "channel", "row", "column")
lesson.header("The decision", "From the last maps to one number for each class, part by part.")
bench = widgets.bench()
decision_lesson.laboratory(bench)
nearest_lesson.laboratory(bench)
lesson.why(
    "A network has no opinion beyond this sum. Whatever a class wins by stands in the ledger: a channel that answered "
    "strongly, times a weight that training gave it. Softmax adds nothing; it only turns distances between logits into "
    "shares."
)
lesson.try_this(
    [
        "Choose the second prediction: which channels does it share with the first?",
        "Choose “Most against”: which channel speaks against the class, and where does its map light up?",
        "Set “Rather than” to the second prediction: what both classes share is gone from the ledger of the margin.",
        "After the guess, click other cells: which ones lose more by grey pixels than the ledger says, and which less?",
        "Set the temperature to 10, then to 0.1.",
        "Choose SqueezeNet: its head has no fully connected layer at all.",
    ]
)
lesson.footer("gradcam")
