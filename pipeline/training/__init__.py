"""Fit loops that resume to the same bytes, and the training recipes of each system."""
