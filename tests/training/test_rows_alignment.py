"""Row i of what s02 computes belongs to row i of what it reads, in whatever order the scans come."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from pipeline.training.frozen_features import BATCH, frozen_features, scaled

ROWS = 2 * BATCH + 5  # the last batch is short


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 1), name="image")
    x = layers.Conv2D(6, 3, activation="relu", name="conv")(image)
    return keras.Model(image, layers.GlobalAveragePooling2D(name="features")(x), name="backbone")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (ROWS, 16, 16), dtype=np.uint8)


def features_of(backbone, pixels, folder, **options) -> np.ndarray:
    path = folder / "pixels.npy"
    np.save(path, pixels)
    return np.concatenate(list(frozen_features(backbone, path, lambda steps, total: steps, **options)))


def test_each_row_is_its_own_images(backbone, pixels, tmp_path):
    features = features_of(backbone, pixels, tmp_path)
    one_by_one = np.concatenate([np.asarray(backbone(scaled(pixels[row : row + 1]))) for row in range(ROWS)])
    assert features.shape == (ROWS, 6) and features.dtype == np.float32
    np.testing.assert_allclose(features, one_by_one, atol=1e-6)
    assert len(np.unique(features.round(6), axis=0)) == ROWS


def test_another_order_of_the_scans_is_the_same_order_of_the_features(backbone, pixels, tmp_path):
    order = np.random.default_rng(7).permutation(ROWS)
    features = features_of(backbone, pixels, tmp_path)
    np.testing.assert_allclose(features_of(backbone, pixels[order], tmp_path), features[order], atol=1e-6)


@pytest.mark.parametrize("batch", [1, 7, ROWS, 4 * ROWS])
def test_the_batch_size_moves_no_row(batch, backbone, pixels, tmp_path):
    expected = features_of(backbone, pixels, tmp_path)
    np.testing.assert_allclose(features_of(backbone, pixels, tmp_path, batch=batch), expected, atol=1e-6)


def test_no_scan_gives_no_block(backbone, tmp_path):
    np.save(tmp_path / "pixels.npy", np.empty((0, 16, 16), np.uint8))
    assert list(frozen_features(backbone, tmp_path / "pixels.npy", lambda steps, total: steps)) == []
