"""What is to be said of a training of the segmenter: which epoch was kept, by what, and where its figures fall apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.training.kept_epoch import FitHistory

MONITORS = {"val_loss": "validation loss", "val_accuracy": "validation accuracy", "val_dice": "validation Dice"}
# A share of another Dice from which down one is another network's: 0.003 beside 0.537 is, 0.94 beside 0.96 is not.
COLLAPSED = 0.8


def kept_epoch(history: FitHistory, monitor: str) -> dict[str, Any]:
    """{"epoch" (from 1), "of", "monitor", "value", "dice"} of the epoch whose weights are stored; dice: None without a mask."""
    best, course = history.best_epoch, history.epochs
    dice = course["val_dice"][best]
    return {
        "epoch": best + 1, "of": len(course["loss"]), "monitor": monitor, "value": course[monitor][best],
        "dice": dice if math.isfinite(dice) else None,
    }  # fmt: skip


def kept_words(kept: Mapping[str, Any]) -> str:
    """The same as a sentence for people."""
    chosen = f"epoch {kept['epoch']} of {kept['of']} was kept, for the best {MONITORS[kept['monitor']]} ({kept['value']:.3f})"
    if kept["monitor"] == "val_dice" or kept["dice"] is None:
        return chosen
    return f"{chosen}; its validation Dice is {kept['dice']:.3f}"


def course_warning(history: FitHistory, monitor: str) -> str | None:
    """Where another epoch at the same size outlined the lungs far better than the one that was kept; None where none did."""
    kept = kept_epoch(history, monitor)
    sizes, dice = history.epochs["image_size"], history.epochs["val_dice"]
    alike = [epoch for epoch, size in enumerate(sizes) if size == sizes[history.best_epoch] and math.isfinite(dice[epoch])]
    if not alike or kept["dice"] is None:
        return None
    top = max(alike, key=lambda epoch: dice[epoch])
    if not kept["dice"] < COLLAPSED * dice[top]:
        return None
    return (
        f"{kept_words(kept)}, while epoch {top + 1} had {dice[top]:.3f}: what was kept does not outline lungs as well as the "
        "training did. Set s07.fit.monitor to val_dice."
    )


def fall_warning(validation: Mapping[str, Any], test: Mapping[str, Any]) -> str | None:
    """Where the lungs' Dice on the test part falls far below that of validation, beyond both intervals; None where not.

    validation, test: of `part_metrics`.
    """
    found = [part["segmentation"].get("dice") for part in (validation, test)]
    if any(dice is None or dice["value"] is None for dice in found):
        return None
    before, after = found
    apart = after["high"] is None or before["low"] is None or after["high"] < before["low"]
    if not (apart and after["value"] < COLLAPSED * before["value"]):
        return None
    return (
        f"Dice falls from {before['value']:.3f} on validation to {after['value']:.3f} on the test part: the network does not "
        "outline lungs there, or the two parts are of different scans. Look at sample_overlays.png of both."
    )
