"""Speed, measured against a plain forward pass and against other packages: `python -m benchmarks`."""
