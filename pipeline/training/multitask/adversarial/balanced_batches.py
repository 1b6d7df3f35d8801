"""Minibatches in which the label says nothing of the modality: half X-ray, half CT, and within each every label alike."""

from __future__ import annotations

import numpy as np

from pipeline.data.scans import CT, XRAY
from pipeline.engine.errors import DataError
from pipeline.training.multitask.stage_modalities import TITLES

MODALITY_NAMES = (TITLES[CT], TITLES[XRAY])
# The label of a scan whose diagnosis nobody knows.
UNKNOWN = -1


def cells_of(modality: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> list[list[np.ndarray]]:
    """The given rows by modality (CT 0, X-ray 1), and within it by label; a label may be UNKNOWN.

    Raises DataError where a modality has no row, or where every label that is known occurs in one modality alone and the
    label so tells the modality.
    """
    sides = [rows[modality[rows] == side] for side in (0, 1)]
    for side, name in zip(sides, MODALITY_NAMES, strict=True):
        if not len(side):
            raise DataError(
                f"There are no {name} to train on, so there is no modality to hide.", "Leave the arm out: s04.variants: [plain]."
            )
    known = [set(np.unique(labels[side])) - {UNKNOWN} for side in sides]
    if known[0] and known[1] and not known[0] & known[1]:
        raise DataError(
            f"The label tells the modality: {_shares(known[0])} are all of CT slices, {_shares(known[1])} of X-rays. "
            "Nothing can be hidden without hiding the label.",
            "Add scans of each class in both modalities, or leave the arm out: s04.variants: [plain].",
        )
    return [[side[labels[side] == label] for label in np.unique(labels[side])] for side in sides]


def balanced_batches(cells: list[list[np.ndarray]], batch_size: int, draw: np.random.Generator) -> list[np.ndarray]:
    """Minibatches of one epoch, row numbers ``(about batch_size,)`` each; as many as the rows would fill.

    Every modality gives half of a batch, and every label of it the same share; a scarce cell's scans come again, in whole
    turns freshly shuffled, so that none is used twice as often as another of its cell (up to one).
    """
    total = sum(len(cell) for side in cells for cell in side)
    batches = max(1, round(total / batch_size))
    drawn = []
    for side in cells:
        share = max(1, batch_size // (2 * len(side)))
        drawn += [_turns(cell, batches * share, draw).reshape(batches, share) for cell in side]
    return list(np.concatenate(drawn, axis=1))


def _turns(rows: np.ndarray, size: int, draw: np.random.Generator) -> np.ndarray:
    return np.concatenate([draw.permutation(rows) for _ in range(-(-size // len(rows)))])[:size]


def _shares(labels: set) -> str:
    return "labels " + ", ".join(str(label) for label in sorted(labels)) if len(labels) > 1 else f"label {min(labels)}"
