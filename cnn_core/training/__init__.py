"""Training: data sets, and the scripts that made the weights that come with ConvLens."""
