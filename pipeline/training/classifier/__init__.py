"""Classifiers of scans: heads on frozen features, or fine-tuned."""
