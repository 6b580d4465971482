"""The script that Streamlit runs for each visitor and each interaction."""

from ui import classroom, shell, tour


def _on_every_page() -> None:
    classroom.bar()
    tour.bar()


tour.hold()
shell.run(_on_every_page)
