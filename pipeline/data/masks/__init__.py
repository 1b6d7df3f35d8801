"""Lung masks: read, brought to a profile, reduced to the lungs."""
