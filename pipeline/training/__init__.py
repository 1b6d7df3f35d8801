"""Fit loops that resume to the same bytes, and the training recipes of each system."""

from pipeline.training.segmenter.pointwise_fusion import permit_pointwise_fusion

# TensorFlow reads this at its first operation, which some other stage of the same process may run.
permit_pointwise_fusion()
