"""Lung masks: what their values mean, brought to a profile, reduced to the lungs."""
