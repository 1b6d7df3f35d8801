"""The segmenter's cosine: rise, fall, its own end, and the restart at the full size."""

from __future__ import annotations

import pytest

from pipeline.training.segmenter.schedule import cosine_rate
from pipeline.training.segmenter.settings import SegmentationFit

SETTINGS = {"schedule": "cosine", "learning_rate": 1e-3, "minimum_rate": 1e-5, "warmup_epochs": 2.0, "epochs": 4,
            "early_sizes": ({"image_size": 96, "epochs": 6},)}  # fmt: skip


def test_it_rises_and_falls_over_all_epochs():
    fit = SegmentationFit(**SETTINGS)
    rates = [cosine_rate(fit, now, 10) for now in (0, 1, 2, 6, 10, 12)]
    assert rates == pytest.approx([1e-5, 5.05e-4, 1e-3, (1e-3 + 1e-5) / 2, 1e-5, 1e-5])


def test_decay_epochs_stretches_the_fall():
    fit = SegmentationFit(**SETTINGS, decay_epochs=18)
    assert cosine_rate(fit, 10, 10) == pytest.approx((1e-3 + 1e-5) / 2)


def test_the_full_size_has_a_cosine_of_its_own():
    fit = SegmentationFit(**SETTINGS, full_size_rate=3e-4)
    plain = SegmentationFit(**SETTINGS)
    assert [cosine_rate(fit, now, 10) for now in (0, 3, 5.9)] == [cosine_rate(plain, now, 10) for now in (0, 3, 5.9)]
    assert [cosine_rate(fit, now, 10) for now in (6, 8, 10)] == pytest.approx([3e-4, (3e-4 + 1e-5) / 2, 1e-5])
