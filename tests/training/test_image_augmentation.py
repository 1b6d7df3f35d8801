"""Augmentation of training scans: reproducible, switchable one by one, and each doing what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.classifier.augmentation_preview import (
    SINGLE,
    augmentation_figure,
    preview_scan,
    switched_on,
    write_preview,
)
from pipeline.training.image_augmentation import OFF, AugmentationSettings, augment, augment_batch

ALL = AugmentationSettings(crop_from=80, clahe=0.5, noise=0.5, blur=0.5, coarse_dropout=0.5, grid_dropout=0.5)


@pytest.fixture
def scan():
    row, column = np.mgrid[:64, :64]
    return (60 + 2 * column + row // 2).astype(np.uint8)


def drawn(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def only(**values) -> AugmentationSettings:
    return OFF.model_copy(update=values)


def test_the_same_draw_gives_the_same_scan_and_another_another(scan):
    before = scan.copy()
    first, again, other = augment(scan, ALL, drawn(1)), augment(scan, ALL, drawn(1)), augment(scan, ALL, drawn(2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and first.dtype == np.uint8 and first.shape == scan.shape
    np.testing.assert_array_equal(scan, before)


def test_a_scans_draw_depends_on_its_place_alone(scan):
    batch = np.stack([scan, scan[::-1], scan.T])
    whole = augment_batch(batch, ALL, seed=5, epoch=2, first=10)
    np.testing.assert_array_equal(augment_batch(batch[1:], ALL, 5, 2, 11), whole[1:])
    assert (augment_batch(batch, ALL, 5, 3, 10) != whole).any()


def test_nothing_happens_where_all_is_off(scan):
    for seed in range(5):
        np.testing.assert_array_equal(augment(scan, OFF, drawn(seed)), scan)


def test_switching_one_operation_off_moves_no_other(scan):
    noisy = only(noise=1.0, noise_sigma=20.0)
    with_grid_off = augment(scan, noisy.model_copy(update={"blur": 0.0, "coarse_dropout": 0.0}), drawn(3))
    np.testing.assert_array_equal(with_grid_off, augment(scan, noisy, drawn(3)))
    covered = augment(scan, noisy.model_copy(update={"coarse_dropout": 1.0}), drawn(3))
    np.testing.assert_array_equal(covered[covered > 0], augment(scan, noisy, drawn(3))[covered > 0])


def test_a_flip_is_a_mirror_image(scan):
    np.testing.assert_array_equal(augment(scan, only(flip=1.0), drawn(0)), scan[:, ::-1])


def test_rotation_stays_within_its_angle():
    """A bright spot at a known radius: its angle after the warp is the rotation's."""
    angles = []
    for seed in range(60):
        spot = np.zeros((101, 101), np.uint8)
        spot[48:53, 88:93] = 255
        turned = augment(spot, only(rotation=1.0, rotation_degrees=15.0), drawn(seed))
        y, x = np.average(np.argwhere(turned > 100), axis=0) - 50
        angles.append(np.degrees(np.arctan2(-y, x)))
    assert 10 < np.max(np.abs(angles)) < 15.5 and np.min(angles) < 0 < np.max(angles)


def test_a_crop_shows_a_part_of_the_scan_enlarged(scan):
    values = [augment(scan, only(crop_from=80), drawn(seed)) for seed in range(20)]
    slopes = [np.diff(picture[32].astype(float)).mean() for picture in values]
    np.testing.assert_allclose(slopes, 2 * 64 / 80, rtol=0.05)
    assert all((picture > 0).all() for picture in values) and len({int(picture[32, 32]) for picture in values}) > 3


def test_jitter_moves_the_mean_within_its_bounds(scan):
    flat = np.full_like(scan, 100)
    means = [augment(flat, only(jitter=1.0, gamma=0.0, brightness=0.2), drawn(seed)).mean() for seed in range(200)]
    assert 79 <= min(means) < 85 and 115 < max(means) <= 121
    spread = [augment(scan, only(jitter=1.0, gamma=0.0, brightness=0.0, contrast=0.2), drawn(s)).std() for s in range(100)]
    assert 0.75 * scan.std() < min(spread) < 0.9 * scan.std() and 1.05 * scan.std() < max(spread) < 1.25 * scan.std()


def test_noise_and_blur_and_equalisation(scan):
    noisy = augment(scan, only(noise=1.0, noise_sigma=20.0), drawn(4)).astype(float) - scan
    assert 0.5 < noisy.std() < 21 and abs(noisy.mean()) < 1
    edge = np.repeat(np.array([[0] * 32 + [200] * 32], np.uint8), 64, axis=0)
    blurred = augment(edge, only(blur=1.0, blur_sigma=2.0), drawn(1))
    assert len(np.unique(blurred)) > 2 and abs(float(blurred.mean()) - 100) < 1
    dull = (100 + scan // 20).astype(np.uint8)
    assert augment(dull, only(clahe=1.0), drawn(0)).std() > 1.5 * dull.std()


def test_dropout_blacks_out_its_share_and_touches_nothing_else(scan):
    for chosen, low, high in ((only(coarse_dropout=1.0), 0.002, 0.18), (only(grid_dropout=1.0, grid_share=0.3), 0.2, 0.42)):
        shares = []
        for seed in range(30):
            covered = augment(scan, chosen, drawn(seed))
            hidden = covered != scan
            assert (covered[hidden] == 0).all()
            shares.append(hidden.mean())
        assert low <= min(shares) and max(shares) <= high and np.ptp(shares) > 0.01


def test_the_preview_shows_each_operation_that_is_on(scan):
    assert list(switched_on(ALL)) == list(SINGLE)
    assert list(switched_on(only(flip=0.5, noise=0.1))) == ["flip", "noise"]
    figure = augmentation_figure(only(flip=0.5, noise=0.1), scan, seed=1)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert len(figure.axes) == 3 * 6 and [title for title in titles if title] == ["flip", "noise", "as in training"]
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), scan[:, ::-1])


def test_the_preview_is_written_of_a_generated_scan_or_of_ones_own(scan, tmp_path):
    import cv2

    first = write_preview(only(flip=0.5), 64, tmp_path / "made" / "a.png").read_bytes()
    assert first == write_preview(only(flip=0.5), 64, tmp_path / "b.png").read_bytes()
    cv2.imwrite(str(tmp_path / "scan.png"), scan)
    np.testing.assert_array_equal(preview_scan(64, tmp_path / "scan.png"), scan)
    assert write_preview(only(flip=0.5), 64, tmp_path / "c.png", tmp_path / "scan.png").read_bytes() != first
