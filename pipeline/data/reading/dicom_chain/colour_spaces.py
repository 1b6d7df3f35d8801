"""Samples of colour objects to RGB: bit depths and the YBR family (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

import numpy as np

MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2"})
YBR_TRANSFORMED_BY_CODEC = frozenset({"YBR_RCT", "YBR_ICT"})
YBR_FULL = frozenset({"YBR_FULL", "YBR_FULL_422"})
YBR_PARTIAL = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})
COLOUR = frozenset({"RGB"}) | YBR_FULL | YBR_PARTIAL | YBR_TRANSFORMED_BY_CODEC
HALVED_CHROMA = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})

_TO_RGB = np.array(
    [[1, 1, 1], [0, -0.114 * 1.772 / 0.587, 1.772], [1.402, -0.299 * 1.402 / 0.587, 0]], dtype=np.float32
)


def to_eight_bits(samples: np.ndarray, bits: int) -> np.ndarray:
    """int64 samples of `bits` bits, any shape → uint8 over the whole range."""
    if bits == 8:
        return samples.astype(np.uint8)
    return np.rint(samples * (255.0 / ((1 << bits) - 1))).astype(np.uint8)


def to_rgb(samples: np.ndarray, space: str) -> np.ndarray:
    """uint8 (H, W, 3) of a colour space → RGB uint8 (H, W, 3)."""
    if space in YBR_FULL:
        centred = samples.astype(np.float32) - np.array([0, 128, 128], np.float32)
    elif space in YBR_PARTIAL:
        reach = np.array([255 / 219, 255 / 224, 255 / 224], np.float32)
        centred = (samples.astype(np.float32) - np.array([16, 128, 128], np.float32)) * reach
    else:
        return samples
    return np.clip(np.floor(centred @ _TO_RGB + 0.5), 0, 255).astype(np.uint8)


def from_halved_chroma(samples: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The flat samples Y Y B R … of a native 4:2:2 picture → (H, W, 3), each chroma shared by two pixels."""
    quads = samples.reshape(rows, columns // 2, 4)
    chroma = np.repeat(quads[..., 2:], 2, axis=1)
    return np.concatenate([quads[..., :2].reshape(rows, columns, 1), chroma], axis=2)
