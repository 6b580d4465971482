"""Why ResNet: deeper plain networks fit their own training pictures worse, until shortcuts let them."""

from __future__ import annotations

from ui import experiment_lesson, experiment_resnet, lesson, session, widgets

lesson.header(
    "Why ResNet",
    "More layers should fit at least as well. They did not, on the training pictures themselves, until 2015.",
)
bench = widgets.bench()
session.bind("layer", *experiment_lesson.ADDRESS)
experiment_resnet.degradation(bench)
experiment_resnet.published()
experiment_resnet.removal(bench)
lesson.why(
    "A deeper network contains the shallower one: the added layers would only have to copy. Training does not find "
    "that. With batch norm nothing vanishes here: in the plain network of 44 layers the gradient grows from layer to "
    "layer on its way back (see “Gradient by layer”), so that a step that suits the last layers is far too long for "
    "the first ones. In a residual network each block adds to what passes by, so that the way back has a term that is "
    "exactly 1, and a block whose best is to add nothing finds that easily: all its weights towards zero."
)
lesson.try_this(
    [
        "Choose all four plain networks and one seed: at which depth does it begin to go wrong?",
        "Give plain, 44 layers, a learning rate of 0.0003 and 400 steps. Does patience help?",
        "Open “Gradients” after a run of both at 44 layers, and play the steps.",
        "Open a residual network that you trained in “The whole network”: its shortcuts are drawn as lines.",
    ]
)
lesson.footer("insights")
