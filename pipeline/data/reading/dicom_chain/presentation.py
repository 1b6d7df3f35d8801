"""The last step of grayscale: which end is white, and 8 bits (PS3.3 C.7.6.3.1.2, C.11.6)."""

from __future__ import annotations

import numpy as np

from pipeline.data.reading.dicom_chain.header_numbers import Attributes


def white_at_the_low_end(attributes: Attributes, photometric: str) -> bool:
    """Whether small values show bright: MONOCHROME1, or a PresentationLUTShape of INVERSE.

    The two say one thing twice in digital X-ray (C.8.11.3.1.2), so that INVERSE with MONOCHROME1 inverts once. Where
    they contradict each other the shape, which is the later step of the chain, decides, and is said.
    """
    shape = attributes.text("PresentationLUTShape")
    told = photometric == "MONOCHROME1"
    if shape not in ("IDENTITY", "INVERSE"):
        return told
    inverse = shape == "INVERSE"
    if inverse != told:
        attributes.notes.add("polarity", f"The header says {photometric} and a PresentationLUTShape of {shape}.")
    return inverse


def to_bytes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values, any shape → uint8, `low` black and `high` white, in between linear; black all over where low ≥ high."""
    if not high > low:
        return np.zeros(values.shape, np.uint8)
    scaled = (np.asarray(values, dtype=np.float32) - low) * (255.0 / (high - low))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
