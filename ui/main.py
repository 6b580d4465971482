"""The script that Streamlit runs for each visitor and each interaction."""

from ui import shell, tour

shell.run(tour.bar)
