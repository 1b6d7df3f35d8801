"""Intervals, paired tests and effect sizes that respect patients."""
