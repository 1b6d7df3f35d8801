"""Perceptual hashes of pictures: the signs of low frequencies of the discrete cosine transform (Zauner 2010, pHash).

Each frequency is held against its middle over a set of pictures, so that chest pictures, which are all alike, still spread
over all hashes. The frequencies of a mirror image are the same ones, the odd ones negated.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.data.preprocessing import resize_square
from pipeline.engine.arrays import Array

# Of a picture that is compared by itself with many: 255 bits, where 63 leave real chests of different patients 5 apart.
SIDE, FREQUENCIES = 64, 16
BITS = FREQUENCIES * FREQUENCIES - 1
BLOCK = 4096
# (across, down) by how a picture lies to another.
FLIPS = {"": (0, 0), "mirrored": (1, 0), "upside down": (0, 1), "turned by 180°": (1, 1)}


def low_waves(pictures: Array, frequencies: int = FREQUENCIES) -> Array:
    """uint8 (N, S, S) → float32 (N, frequencies² - 1): the lowest frequencies but the mean, down by across, each picture's of
    length 1."""
    side = pictures.shape[1]
    basis = np.cos(np.pi / side * (np.arange(side) + 0.5) * np.arange(frequencies)[:, None]).astype(np.float32)
    waves = np.empty((len(pictures), frequencies * frequencies - 1), np.float32)
    for start in range(0, len(pictures), BLOCK):
        part = pictures[start : start + BLOCK].astype(np.float32)
        waves[start : start + BLOCK] = (basis @ part @ basis.T).reshape(len(part), -1)[:, 1:]
    return waves / np.maximum(np.linalg.norm(waves, axis=1, keepdims=True), 1e-9)


def flip_signs(flip: str, frequencies: int = FREQUENCIES) -> Array:
    """int (frequencies² - 1,), 1 or -1: what turns the frequencies of a picture into those of its image by a word of FLIPS."""
    across, down = FLIPS[flip]
    odd = np.arange(frequencies) % 2
    return np.where((odd * down)[:, None] ^ (odd * across), -1, 1).ravel()[1:]


def picture_waves(gray: Array) -> Array:
    """uint8 (H, W) → float32 (BITS,): what a picture's hash is made of."""
    height, width = gray.shape
    if height >= SIDE and width >= SIDE:
        thumbnail = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    else:
        thumbnail = resize_square(gray, SIDE)
    return np.asarray(low_waves(np.asarray(thumbnail)[None])[0])


def middles(waves: Array) -> Array:
    """(N, B) → float32 (B,): half of the pictures lie beyond it. Between two of them, never on one: a copy's would fall to
    either side of it. 0 for a single picture."""
    if len(waves) < 2:
        return np.zeros(waves.shape[1], np.float32)
    ordered = np.sort(waves, axis=0)
    half = len(waves) // 2
    return ((ordered[half - 1] + ordered[half]) / 2).astype(np.float32)


def hashes_of(waves: Array, middle: Array) -> Array:
    """(N, B) → uint8 (N, ceil(B / 8)): the bits."""
    return np.packbits(waves > middle, axis=1)


def bits_apart(hashes: Array, asked: Array) -> Array:
    """(N,) int: in how many bits each of uint8 (N, n) differs from (n,)."""
    return np.bitwise_count(hashes ^ asked).sum(axis=1, dtype=np.int64)
