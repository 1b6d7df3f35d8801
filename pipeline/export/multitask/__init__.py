"""The bundle of the respiratory multi-task chain."""
