"""One thin typed wrapper for each component in assets/components."""
