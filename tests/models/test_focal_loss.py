"""The focal loss against values worked out by hand and against Keras's own, and where Keras's loses its gradient."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.models.losses.focal import SoftmaxFocalLoss

LOGITS = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32))
ONE_HOT = np.eye(3, dtype=np.float32)[[0, 1]]


@pytest.mark.parametrize(
    ("gamma", "weights", "expected"),
    [
        (0, None, -(math.log(0.7) + math.log(0.3)) / 2),
        (2, None, -(0.3**2 * math.log(0.7) + 0.7**2 * math.log(0.3)) / 2),
        (1, [2, 0.5, 1], -(2 * 0.3 * math.log(0.7) + 0.5 * 0.7 * math.log(0.3)) / 2),
    ],
)
def test_values_by_hand(gamma, weights, expected):
    assert float(SoftmaxFocalLoss(gamma, weights)(ONE_HOT, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_keras_agrees_where_it_is_sound():
    draw = np.random.default_rng(0)
    logits, truth = draw.normal(size=(20, 4)).astype(np.float32), np.eye(4, dtype=np.float32)[draw.integers(0, 4, 20)]
    theirs = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, from_logits=True)(truth, logits)
    assert float(SoftmaxFocalLoss(2.0)(truth, logits)) == pytest.approx(float(theirs), rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_scan_that_is_wrong_with_certainty_still_teaches(gamma):
    logits = tf.Variable([[60.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = SoftmaxFocalLoss(gamma)(np.array([[0.0, 1.0]], np.float32), logits)
    gradient = tape.gradient(loss, logits).numpy()
    assert float(loss) == pytest.approx(60, rel=1e-4) and gradient[0, 1] == pytest.approx(-1, rel=1e-3)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_a_scan_that_is_right_with_certainty_costs_nothing(gamma):
    logits = tf.Variable([[200.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = SoftmaxFocalLoss(gamma)(np.array([[1.0, 0.0]], np.float32), logits)
    assert float(loss) == 0 and np.isfinite(tape.gradient(loss, logits).numpy()).all()


def test_soft_targets_share_the_loss():
    mixed = 0.25 * ONE_HOT + 0.75 * ONE_HOT[::-1]
    by_hand = -np.sum(mixed * LOGITS, axis=1).mean()
    assert float(SoftmaxFocalLoss(0.0)(mixed, LOGITS)) == pytest.approx(by_hand, rel=1e-5)


def test_it_survives_its_configuration():
    loss = SoftmaxFocalLoss(1.5, [1, 2, 3])
    again = SoftmaxFocalLoss.from_config(loss.get_config())
    assert float(again(ONE_HOT, LOGITS)) == float(loss(ONE_HOT, LOGITS))
