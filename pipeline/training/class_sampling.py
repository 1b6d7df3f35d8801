"""Which training scans an epoch sees, in which order, and what each class weighs."""

from __future__ import annotations

from typing import Literal

import numpy as np


def epoch_rows(
    class_index: np.ndarray, train: np.ndarray, sampling: Literal["shuffled", "balanced"], draw: np.random.Generator
) -> np.ndarray:
    """Rows of one epoch, ``(len(train),)`` int64, in the order in which they are seen.

    ``shuffled``: every row once. ``balanced``: every class as often as any other (the rest of the division goes to
    classes at random); a small class's rows come again only after all of them have come.

    Args:
        class_index: ``(N,)`` classes of all rows. train: the rows to draw from.
    """
    if sampling == "shuffled":
        return draw.permutation(train)
    present = np.unique(class_index[train])
    shares = np.full(len(present), len(train) // len(present))
    shares[draw.permutation(len(present))[: len(train) % len(present)]] += 1
    drawn = [_repeated(train[class_index[train] == k], count, draw) for k, count in zip(present, shares, strict=True)]
    return draw.permutation(np.concatenate(drawn))


def _repeated(rows: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    rounds = [draw.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate(rounds)[:count]


def class_weights(class_index: np.ndarray, class_count: int, rule: Literal["none", "balanced"]) -> list[float] | None:
    """Weight of each class in the loss; ``balanced`` gives every class the same total, with mean 1 over the rows."""
    if rule == "none":
        return None
    counts = np.bincount(class_index, minlength=class_count)
    return [float(len(class_index) / (class_count * max(count, 1))) for count in counts]


def row_weights(labels: np.ndarray, rule: Literal["none", "balanced"], classes: int = 2) -> np.ndarray:
    """What each row counts, ``(N,)`` float32 with mean 1: its class's weight. labels: 0 to ``classes`` - 1."""
    weights = class_weights(labels.astype(int), classes, rule) or [1.0] * classes
    return np.array(weights)[labels.astype(int)].astype(np.float32)
