"""The tests: `python -m tests` runs linters, types, and everything below, in Chromium too."""
