"""The arms of the vision-and-text comparison by name: importable without TensorFlow, so a config is checked at once."""

from __future__ import annotations

IMAGE_ONLY, TEXT_ONLY, LATE_AVERAGE = "image_only", "text_only", "late_average"
CONTROLS = (IMAGE_ONLY, TEXT_ONLY)
FUSIONS = ("concatenation", "cross_attention", "gated")
ARMS = (*CONTROLS, *FUSIONS)
"""Arms that are trained; the late average is made from the answers of both controls."""
COMPARED = (*ARMS, LATE_AVERAGE)
