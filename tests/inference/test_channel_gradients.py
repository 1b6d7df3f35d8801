"""Central differences over channels against gradients that are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from pipeline.inference.activation.channel_gradients import channel_gradients
from pipeline.inference.activation.class_activation import grad_cam
from pipeline.models import grad_cam as reference


def test_a_linear_score_by_hand():
    maps = np.random.default_rng(0).normal(size=(3, 2, 5)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(3, 2, 5))
    found = channel_gradients(lambda rows: (rows * weights).sum(axis=(1, 2, 3)), maps, batch=2)
    np.testing.assert_allclose(found, weights.sum(axis=(0, 1)), rtol=1e-4, atol=1e-5)


def test_a_quadratic_score_by_hand():
    maps = np.array([[1.0, -2.0], [3.0, 0.5]], np.float32)  # two positions, two channels
    found = channel_gradients(lambda rows: (rows.astype(np.float64) ** 2).sum(axis=(1, 2)), maps)
    np.testing.assert_allclose(found, [2 * (1 + 3), 2 * (-2 + 0.5)], rtol=1e-5)


def test_maps_of_zeros_have_gradients_too():
    found = channel_gradients(lambda rows: rows.sum(axis=(1, 2)).astype(np.float64), np.zeros((4, 3), np.float32))
    np.testing.assert_allclose(found, 4.0)


@pytest.mark.parametrize("class_index", [0, 1, 2])
def test_grad_cam_of_a_head_that_sees_positions(class_index):
    """A head with an attention-like product of positions, against TensorFlow's own gradient."""
    keras.utils.set_random_seed(5)
    image = keras.Input((12, 12, 1), name="image")
    maps = layers.Conv2D(6, 3, strides=2, activation="relu", name="feature_maps")(image)
    flat = layers.Dense(16, activation="tanh")(layers.Flatten()(maps))
    network = keras.Model(image, layers.Dense(3, name="classification")(flat))
    head_in = keras.Input(maps.shape[1:])
    x = head_in
    for layer in network.layers[2:]:
        x = layer(x)
    head = keras.Model(head_in, x)
    picture = np.random.default_rng(2).random((1, 12, 12, 1), dtype=np.float32)
    told = reference.map_gradients(network, picture, np.array([class_index]))
    expected = reference.grad_cam(told.feature_maps, told.gradients)[0]
    found = channel_gradients(lambda rows: np.asarray(head(rows), np.float64)[:, class_index], told.feature_maps[0], step=0.02)
    np.testing.assert_allclose(found, told.gradients[0].sum(axis=(0, 1)), rtol=2e-2, atol=2e-3)
    np.testing.assert_allclose(grad_cam(told.feature_maps[0], found), expected, rtol=5e-2, atol=1e-3 * expected.max() + 1e-6)
