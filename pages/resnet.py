"""Why ResNet: deeper plain networks fit their own training pictures worse, until shortcuts let them."""

from __future__ import annotations

from ui import experiment_lesson, lesson, session

lesson.header("Why ResNet", "Deeper is worse, until there are shortcuts.")
session.bind(*experiment_lesson.ADDRESS)
lesson.footer("insights")
