"""The original's .h5 models as a bundle."""
