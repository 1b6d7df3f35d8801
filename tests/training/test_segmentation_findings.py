"""What is said of the epoch that was kept, and of a Dice that falls apart."""

from __future__ import annotations

import pytest

from pipeline.training.kept_epoch import FitHistory
from pipeline.training.segmenter.findings import course_warning, fall_warning, kept_epoch, kept_words
from pipeline.training.segmenter.settings import SegmentationFit


def course(dice, loss, best, sizes=None):
    sizes = sizes or [128] * len(dice)
    return FitHistory({"loss": loss, "val_loss": loss, "val_dice": dice, "image_size": sizes}, best)


# As a stranger's small training went: the joint loss is least before any lung is outlined.
CLIMBING = [0.003, 0.21, 0.4, 0.537]
RISING_LOSS = [1.9, 2.4, 2.2, 2.1]


def test_the_kept_epoch_is_said():
    kept = kept_epoch(course(CLIMBING, RISING_LOSS, 0), "val_loss")
    assert kept == {"epoch": 1, "of": 4, "monitor": "val_loss", "value": 1.9, "dice": 0.003}
    said = "epoch 1 of 4 was kept, for the best validation loss (1.900); its validation Dice is 0.003"
    assert kept_words(kept) == said
    of_dice = kept_epoch(course(CLIMBING, RISING_LOSS, 3), "val_dice")
    assert kept_words(of_dice) == "epoch 4 of 4 was kept, for the best validation Dice (0.537)"


def test_without_masks_there_is_no_dice_to_say():
    kept = kept_epoch(course([float("nan")] * 2, [1.0, 0.9], 1), "val_loss")
    assert kept["dice"] is None and kept_words(kept) == "epoch 2 of 2 was kept, for the best validation loss (0.900)"


def test_an_epoch_kept_far_below_the_best_dice_is_warned_of():
    said = course_warning(course(CLIMBING, RISING_LOSS, 0), "val_loss")
    assert said is not None and "epoch 1 of 4 was kept" in said and "while epoch 4 had 0.537" in said
    assert "Set s07.fit.monitor to val_dice" in said


@pytest.mark.parametrize(
    "history",
    [
        course(CLIMBING, RISING_LOSS, 3),
        course([0.94, 0.96, 0.95], [1.0, 0.9, 0.8], 2),
        # Dice at another size is another thing, and no Dice is no reason
        course([0.9, 0.2, 0.22], [1.0, 0.9, 0.8], 1, [96, 128, 128]),
        course([float("nan")] * 2, [1.0, 0.9], 1),
    ],
)
def test_a_sound_course_is_not(history):
    assert course_warning(history, "val_loss") is None


def part(value, low, high):
    return {"segmentation": {"dice": {"value": value, "low": low, "high": high}}}


def test_a_fall_on_the_test_part_is_warned_of():
    said = fall_warning(part(0.5, 0.45, 0.55), part(0.003, 0.001, 0.006))
    assert said is not None and "Dice falls from 0.500 on validation to 0.003 on the test part" in said


@pytest.mark.parametrize(
    ("validation", "test"),
    [
        (part(0.957, 0.95, 0.96), part(0.944, 0.93, 0.95)),
        # beyond the intervals, yet no other network
        (part(0.96, 0.955, 0.965), part(0.90, 0.89, 0.91)),
        # far, and few scans: the intervals overlap
        (part(0.6, 0.2, 0.9), part(0.3, 0.1, 0.7)),
        ({"segmentation": {"masked_scans": 0}}, part(0.3, 0.1, 0.7)),
    ],
)
def test_what_chance_or_little_explains_is_not(validation, test):
    assert fall_warning(validation, test) is None


def test_dice_chooses_by_default_where_there_are_masks():
    assert SegmentationFit().monitored(True) == "val_dice" and SegmentationFit().monitored(False) == "val_loss"
    assert SegmentationFit(monitor="val_accuracy").monitored(False) == "val_accuracy"
