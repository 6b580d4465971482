"""Training insights: what ReLU, batch norm, a normalised input and augmentation are good for, each put to the test."""

from __future__ import annotations

from ui import experiment_insights, experiment_lesson, lesson, session

lesson.header("Training insights", "Four habits of training. Each is a claim that you predict, run and compare.")
session.bind("section", *experiment_lesson.ADDRESS)
experiment_insights.draw()
lesson.footer("build")
