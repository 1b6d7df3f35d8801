"""Metrics, intervals, paired comparisons and figures of binary scan classifiers."""
