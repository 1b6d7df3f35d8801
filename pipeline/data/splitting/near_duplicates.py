"""Pictures that are nearly one: JPEG copies, other sizes, mirror images.

A perceptual hash first, of 63 frequencies of a thumbnail (`picture_hash`). Pictures whose hashes agree in a band of 16 bits up
to one bit are then compared by the pixels of their thumbnails. Time and memory grow with the number of pictures, not with its
square (1 KB a picture); up to FEW are all compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.data.splitting.picture_hash import FLIPS, flip_signs, low_waves

SIDE = 32
# Of the zigzag of frequencies 8x8, without the mean.
FREQUENCIES = 8
BANDS, BAND_BITS = 4, 16
# Correlation of blurred thumbnails from which on two pictures are nearly one. Of 2,678 real scans all pairs of different
# patients beyond 0.984 are one picture, looked at one by one; the first pair that is not has 0.980.
ALIKE = 0.985
# Of 63 bits of the hash, how many may differ before the pixels are not asked.
MOST_BITS = 12
BLOCK, PIXEL_BLOCK = 1 << 20, 1 << 12
# So few are all compared with each other: their medians would fall between copies.
FEW = 1000


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two pictures by their places, first < second. flip: how the second lies to the first, a word of FLIPS."""

    first: int
    second: int
    correlation: float
    flip: str


def thumbnail(gray: np.ndarray) -> np.ndarray:
    """uint8 (H, W) → uint8 (32, 32), by area averaging: what two pictures are compared by."""
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def find_near_duplicates(thumbnails: Sequence[np.ndarray] | np.ndarray, alike: float = ALIKE) -> list[NearDuplicate]:
    """Pairs of pictures whose thumbnails, uint8 (N, 32, 32), correlate with `alike` or more, as they are or flipped; sorted.

    Of pictures with equal thumbnails one stands for all: the others are paired with it alone. Flat pictures are like no
    other.
    """
    pictures = np.asarray(thumbnails, np.uint8).reshape(len(thumbnails), SIDE, SIDE)
    if len(pictures) < 2:
        return []
    _, first, of = np.unique(pictures.reshape(len(pictures), -1), axis=0, return_index=True, return_inverse=True)
    flat = pictures.reshape(len(pictures), -1).std(axis=1) == 0
    equal = [NearDuplicate(int(first[group]), place, 1.0, "") for place, group in enumerate(of) if first[group] < place]
    kept = np.sort(first[~flat[first]])
    found = {} if len(kept) < 2 else _near(pictures[kept], alike)
    near = [
        NearDuplicate(int(kept[one]), int(kept[other]), correlation, flip) for (one, other), (correlation, flip) in found.items()
    ]
    return sorted([*(pair for pair in equal if not flat[pair.first]), *near], key=lambda pair: (pair.first, pair.second))


def _near(pictures: np.ndarray, alike: float) -> dict[tuple[int, int], tuple[float, str]]:
    """{(first, second): (correlation, flip)} of different pictures, none of them flat."""
    few = len(pictures) <= FEW
    waves = low_waves(pictures, FREQUENCIES)
    # The median of the set for each: half of the pictures have each bit, whatever chests have in common.
    middle = np.median(waves, axis=0)
    hashes = _bands(waves > middle)
    found: dict[tuple[int, int], tuple[float, str]] = {}
    for flip, (across, down) in FLIPS.items():
        turned = hashes if few or not flip else _bands(waves * flip_signs(flip, FREQUENCIES) > middle)
        flipped = pictures[:, :: -1 if down else 1, :: -1 if across else 1]
        pairs = _all_pairs(pictures, flipped, alike) if few else _candidates(hashes, turned)
        for one, other in pairs:
            correlations = _correlations(pictures, flipped, one, other)
            for place in np.flatnonzero(correlations >= alike):
                pair = int(one[place]), int(other[place])
                if correlations[place] > found.get(pair, (-1.0, ""))[0]:
                    found[pair] = float(min(correlations[place], 1.0)), flip
    return found


def _correlations(pictures: np.ndarray, flipped: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,) of pairs of thumbnails, in blocks that bound the memory."""
    spans = (slice(start, start + PIXEL_BLOCK) for start in range(0, len(one), PIXEL_BLOCK))
    parts = [np.einsum("np,np->n", _normed(pictures[one[span]]), _normed(flipped[other[span]])) for span in spans]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _bands(bits: np.ndarray) -> np.ndarray:
    """bool (N, 63) → uint16 (N, BANDS): neighbours among the frequencies go to different bands."""
    padded = np.zeros((len(bits), BANDS * BAND_BITS), bool)
    padded[:, : bits.shape[1]] = bits
    return np.stack([np.packbits(padded[:, band::BANDS], axis=1).view(np.uint16)[:, 0] for band in range(BANDS)], axis=1)


def _normed(pictures: np.ndarray) -> np.ndarray:
    """Thumbnails (n, 32, 32) as vectors (n, 1024) of mean 0 and length 1, so that a product is a correlation.

    Blurred by 3x3 pixels: where a picture was scaled, its thumbnail's pixels lie a fraction aside.
    """
    padded = np.pad(pictures.astype(np.float32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    flat = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]).reshape(len(pictures), SIDE * SIDE)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)


def _candidates(hashes: np.ndarray, turned: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of (first, second), first < second, whose hashes agree in a band up to one bit: by sorting, not by comparing."""
    masks = [0, *(1 << bit for bit in range(BAND_BITS))]
    whole, other = (np.ascontiguousarray(each).view(np.uint64)[:, 0] for each in (hashes, turned))
    for band in range(BANDS):
        order = np.argsort(hashes[:, band], kind="stable")
        ordered = hashes[order, band]
        for mask in masks:
            asked = turned[:, band] ^ np.uint16(mask)
            low, high = np.searchsorted(ordered, asked, "left"), np.searchsorted(ordered, asked, "right")
            for start, stop in _blocks(high - low):
                sizes = (high - low)[start:stop]
                second = np.repeat(np.arange(start, stop), sizes)
                within = np.arange(len(second)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
                first = order[np.repeat(low[start:stop], sizes) + within]
                mine = first < second
                first, second = first[mine], second[mine]
                apart = np.bitwise_count(whole[first] ^ other[second])
                near = apart <= MOST_BITS
                if near.any():
                    yield first[near], second[near]


def _all_pairs(pictures: np.ndarray, flipped: np.ndarray, alike: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(first, second), first < second, of all that correlate."""
    first, second = np.nonzero(np.triu(_normed(pictures) @ _normed(flipped).T >= alike - 1e-4, 1))
    yield first, second


def _blocks(sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Spans of pictures that have about BLOCK candidates together."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + BLOCK, "right")))
        yield start, stop
        start = stop
