"""Every operation moves scan and mask alike, leaves the mask binary, and draws from its seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.segmenter.augmentation import PairAugmentation, draw_transforms
from pipeline.training.segmenter.settings import SegmentationAugmentation

SIDE = 48
OFF = {"flip": 0.0, "rotation": 0.0, "noise": 0.0}
MOVES = {
    "flip": {"flip": 1.0},
    "rotation": {"rotation": 1.0, "rotation_degrees": 30.0},
    "scale": {"scale": 0.3},
    "shift": {"shift": 0.2},
    "all": {"flip": 0.5, "rotation": 1.0, "rotation_degrees": 15.0, "scale": 0.15, "shift": 0.1},
}
TONES = {
    "noise": {"noise": 1.0},
    "brightness": {"brightness": 0.2},
    "contrast": {"contrast": 0.2},
    "gamma": {"gamma": 0.4},
}


def augmentation(**settings) -> PairAugmentation:
    return PairAugmentation(SegmentationAugmentation(**(OFF | settings)), SIDE)


@pytest.fixture(scope="module")
def pairs():
    """Eight scans of 0.2 with an asymmetric bright shape of 0.8, which is the mask."""
    masks = np.zeros((8, SIDE, SIDE), np.uint8)
    for place, mask in enumerate(masks):
        mask[14 : 26 + place, 10:22] = 1
        mask[20:30, 18:36] = 1
    return (51 + 153 * masks).astype(np.uint8), masks


@pytest.mark.parametrize("settings", MOVES.values(), ids=MOVES.keys())
def test_the_mask_goes_where_its_scan_goes(settings, pairs):
    images, masks = (np.asarray(array) for array in augmentation(**settings)(*pairs, (1, 2, 3)))
    assert images.shape == masks.shape == (8, SIDE, SIDE, 1) and images.dtype == masks.dtype == np.float32
    assert set(np.unique(masks)) == {0, 1}
    bright = images > 0.5
    shared = (bright & (masks > 0)).sum(axis=(1, 2, 3)) / (bright | (masks > 0)).sum(axis=(1, 2, 3))
    assert shared.min() > 0.93
    moved = (masks[..., 0] != pairs[1]).mean(axis=(1, 2))
    assert (moved > 0.005).sum() >= 4


@pytest.mark.parametrize("settings", TONES.values(), ids=TONES.keys())
def test_tone_and_noise_leave_the_mask_alone(settings, pairs):
    images, masks = (np.asarray(array)[..., 0] for array in augmentation(**settings)(*pairs, (1, 2, 3)))
    np.testing.assert_array_equal(masks, pairs[1])
    changed = np.abs(images - pairs[0] / 255).mean(axis=(1, 2))
    assert (changed > 0.003).sum() >= 6
    assert images.min() >= 0 and images.max() <= 1


def test_the_seed_alone_decides(pairs):
    settings = MOVES["all"] | {"noise": 0.5, "gamma": 0.3}
    first, again, other = augmentation(**settings), augmentation(**settings), augmentation(**settings)
    first(*pairs, (9, 9, 9))
    for made, repeated in zip(first(*pairs, (1, 2, 3)), again(*pairs, (1, 2, 3)), strict=True):
        np.testing.assert_array_equal(made, repeated)
    assert not np.array_equal(other(*pairs, (1, 2, 4))[0], first(*pairs, (1, 2, 3))[0])


def test_a_flip_is_exact_and_happens_half_of_the_time(pairs):
    mirrored = 0
    for step in range(16):
        masks = np.asarray(augmentation(flip=0.5)(*pairs, (0, step))[1])[..., 0].astype(np.uint8)
        for mask, given in zip(masks, pairs[1], strict=True):
            assert np.array_equal(mask, given) or np.array_equal(mask, given[:, ::-1])
            mirrored += not np.array_equal(mask, given)
        if step == 0:
            assert 0 < mirrored < 8
    assert 44 <= mirrored <= 84


def test_off_changes_nothing(pairs):
    images, masks = (np.asarray(array)[..., 0] for array in augmentation()(*pairs, (1,)))
    # At most two float32 roundings (1 / 255, and the product) of numbers up to 1.
    np.testing.assert_allclose(images, pairs[0] / 255, atol=2 * 2**-24)
    np.testing.assert_array_equal(masks, pairs[1])


def test_noise_has_the_named_sigma():
    gray = np.full((4, SIDE, SIDE), 128, np.uint8)
    made = np.asarray(augmentation(noise=1.0, noise_sigma=5.0)(gray, np.zeros_like(gray), (3,))[0])
    assert abs(made.std() * 255 - 5) < 0.2
    some = np.asarray(augmentation(noise=0.5)(np.repeat(gray, 50, 0), np.repeat(gray, 50, 0) * 0, (3,))[0])
    assert 70 < (some.std(axis=(1, 2, 3)) > 0.01).sum() < 130


def test_rotation_turns_about_the_centre_by_at_most_its_bound():
    chance = np.random.default_rng(0)
    settings = SegmentationAugmentation(rotation=0.3, rotation_degrees=10.0)
    transforms = draw_transforms(2000, SIDE, settings, chance)
    angles = np.rad2deg(np.arctan2(transforms[:, 3], transforms[:, 0]))
    assert 0.25 < (angles != 0).mean() < 0.35
    assert 9 < np.abs(angles).max() <= 10.001
    centre = (SIDE - 1) / 2
    matrices = transforms[:, :6].reshape(-1, 2, 3)
    np.testing.assert_allclose(matrices @ [centre, centre, 1], np.full((2000, 2), centre), atol=1e-3)


def test_scale_and_shift_are_of_the_output():
    chance = np.random.default_rng(0)
    transforms = draw_transforms(2000, SIDE, SegmentationAugmentation(rotation=0, scale=0.2, shift=0.1), chance)
    scales = 1 / transforms[:, 0]
    assert 0.8 <= scales.min() < 0.81 and 1.19 < scales.max() <= 1.2
    centre = (SIDE - 1) / 2
    # The input's centre appears at the output's centre plus the shift.
    shifts = (centre - transforms[:, 2]) / transforms[:, 0] - centre
    assert np.abs(shifts).max() <= 0.1 * SIDE + 1e-3 and np.abs(shifts).max() > 0.09 * SIDE
