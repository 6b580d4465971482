"""Training: data sets, small networks, experiments and their trainer, and the scripts that made the weights."""
