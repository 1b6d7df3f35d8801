"""The UNet's losses against values worked out by hand, and against MONAI's and PyTorch's on a drawn batch."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.engine.errors import DataError
from pipeline.models.losses.segmentation import (
    LOSS_WEIGHTS,
    SegmentationLoss,
    balanced_class_weights,
    dice_loss,
    multi_head_loss,
    multi_head_losses,
    pixel_crossentropy,
    scan_weights,
)
from pipeline.models.unet import build_unet

REFERENCE = Path(__file__).with_name("reference") / "unet_reduced.npz"
LN2, LN3 = math.log(2), math.log(3)


def picture(*pixels):
    """``(1, 2, 2, 1)`` float32."""
    return np.array(pixels, np.float32).reshape(1, 2, 2, 1)


@pytest.mark.parametrize(
    ("mask", "probs", "dice", "crossentropy"),
    [
        # 1 - 2 · 1 / (2 + 4 · 0.25)
        (picture(1, 1, 0, 0), picture(0.5, 0.5, 0.5, 0.5), 1 / 3, LN2),
        # 1 - 2 · 1.5 / (2 + 2 · 0.75²)
        (picture(1, 1, 0, 0), picture(0.75, 0.75, 0, 0), 1 - 3 / 3.125, math.log(4 / 3) / 2),
        # 1 - 2 · 0.25 / (1 + 0.25² + 0.5²)
        (picture(1, 0, 0, 0), picture(0.25, 0.5, 0, 0), 1 - 0.5 / 1.3125, (math.log(4) + LN2) / 4),
        (picture(1, 1, 1, 0), picture(1, 1, 1, 0), 0, 0),
        (picture(0, 0, 0, 0), picture(0, 0, 0, 0), 0, 0),
        (picture(0, 0, 0, 0), picture(1, 1, 0, 0), 1, -math.log(1e-7) / 2),
        # Smoothing decides where next to nothing is predicted: 1 - 1e-5 / (1e-5 + 1e-5).
        (picture(0, 0, 0, 0), picture(math.sqrt(1e-5), 0, 0, 0), 0.5, -math.log1p(-math.sqrt(1e-5)) / 4),
    ],
)
def test_dice_and_crossentropy_by_hand(mask, probs, dice, crossentropy):
    assert float(dice_loss(mask, probs)[0]) == pytest.approx(dice, abs=1e-5)
    # float32 knows 1 - 1e-7 as 1 - 1.19e-7, so a saturated pixel is a little off.
    assert float(pixel_crossentropy(mask, probs)[0]) == pytest.approx(crossentropy, rel=0.012, abs=2e-6)


def test_each_sample_has_its_own_dice():
    masks = np.concatenate([picture(1, 1, 1, 1), picture(1, 0, 0, 0)])
    probs = np.concatenate([picture(1, 1, 1, 1), picture(0, 0, 0, 1)])
    np.testing.assert_allclose(dice_loss(masks, probs), [0, 1], atol=1e-5)


def test_classification_by_hand():
    loss = multi_head_losses()["classification"]
    logits = np.array([[0, 0], [LN3, 0]], np.float32)
    weighted = loss(np.array([0, 1]), logits, sample_weight=np.array([1, 3], np.float32))
    assert float(weighted) == pytest.approx((1 * LN2 + 3 * math.log(4)) / (1 + 3), rel=1e-5)
    assert float(loss(np.array([0, 1]), logits)) == pytest.approx((LN2 + math.log(4)) / 2, rel=1e-5)


def batch():
    """Three scans, the middle one without a mask but with numbers in its place."""
    targets = {
        "segmentation": np.concatenate([picture(1, 1, 0, 0), picture(1, 1, 1, 1), picture(1, 0, 0, 0)]),
        "classification": np.array([0, 1, 1]),
    }
    outputs = {
        "segmentation": np.concatenate([picture(*[0.5] * 4), picture(*[1e-9] * 4), picture(0.25, 0.5, 0, 0)]),
        "classification": np.array([[0, 0], [LN3, 0], [0, LN3]], np.float32),
    }
    return targets, outputs


def test_the_weighted_sum_by_hand():
    targets, outputs = batch()
    weights = scan_weights(np.array([True, False, True]), targets["classification"], class_weights=(2.0, 1.0))
    scalars = {name: float(value) for name, value in multi_head_loss(targets, outputs, weights).items()}
    segmentation = ((1 / 3 + LN2) + (1 - 0.5 / 1.3125 + (math.log(4) + LN2) / 4)) / 2
    classification = (2 * LN2 + math.log(4) + math.log(4 / 3)) / 4
    assert scalars["segmentation_loss"] == pytest.approx(segmentation, rel=1e-4)
    assert scalars["classification_loss"] == pytest.approx(classification, rel=1e-5)
    assert scalars["loss"] == pytest.approx(1.0 * segmentation + 2.0 * classification, rel=1e-4)


def test_a_batch_without_masks_has_no_segmentation_loss():
    targets, outputs = batch()
    scalars = multi_head_loss(targets, outputs, scan_weights(np.zeros(3, bool), targets["classification"]))
    assert float(scalars["segmentation_loss"]) == 0
    assert float(scalars["loss"]) == pytest.approx(2 * float(scalars["classification_loss"]))


def test_a_scan_without_mask_pulls_at_nothing():
    targets, outputs = batch()
    probs = tf.constant(outputs["segmentation"])
    with tf.GradientTape() as tape:
        tape.watch(probs)
        loss = SegmentationLoss()(targets["segmentation"], probs, sample_weight=np.array([1, 0, 1], np.float32))
    gradient = tape.gradient(loss, probs).numpy()
    assert not gradient[1].any() and gradient[0].all() and gradient[2].any()


@pytest.mark.parametrize("logit", [-60.0, 60.0])
def test_a_saturated_pixel_has_a_finite_gradient(logit):
    logits = tf.fill((1, 2, 2, 1), logit)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = SegmentationLoss()(picture(1, 0, 1, 0), tf.sigmoid(logits))
    assert np.isfinite(float(loss)) and np.isfinite(tape.gradient(loss, logits).numpy()).all()


def test_monai_and_pytorch_agree():
    with np.load(REFERENCE, allow_pickle=False) as stored:
        reference = dict(stored)
    masks, probs = reference["masks"], reference["segmentation"]
    assert float(keras.ops.mean(dice_loss(masks, probs))) == pytest.approx(float(reference["dice_loss"]), abs=1e-6)
    assert float(keras.ops.mean(pixel_crossentropy(masks, probs))) == pytest.approx(float(reference["bce_loss"]), abs=1e-5)
    weights = scan_weights(np.ones(2, bool), reference["class_index"], reference["class_weights"])
    targets = {"segmentation": masks, "classification": reference["class_index"]}
    outputs = {name: reference[name] for name in targets}
    loss = float(multi_head_loss(targets, outputs, weights)["loss"])
    original = reference["dice_loss"] + reference["bce_loss"] + 2 * reference["classification_loss"]
    assert loss == pytest.approx(float(original), abs=2e-5)


def test_compiled_into_a_model_it_is_the_same_sum():
    draw = np.random.default_rng(2)
    model = build_unet(class_count=3, channels=(4, 8), strides=(2,), decoded_channels=4)
    images = draw.uniform(0, 1, (5, 8, 8, 3)).astype(np.float32)
    targets = {
        "segmentation": (draw.uniform(size=(5, 8, 8, 1)) < 0.4).astype(np.float32),
        "classification": np.array([0, 1, 2, 2, 2]),
    }
    weights = scan_weights(np.array([1, 0, 1, 1, 0]), targets["classification"], balanced_class_weights([0, 1, 2, 2, 2], 3))
    model.compile(loss=multi_head_losses(), loss_weights=LOSS_WEIGHTS)
    evaluated = model.evaluate(images, targets, sample_weight=weights, batch_size=5, verbose=0, return_dict=True)
    expected = multi_head_loss(targets, model(images, training=False), weights)
    for name, value in expected.items():
        assert evaluated[name] == pytest.approx(float(value), rel=1e-5)


def test_a_stored_loss_comes_back():
    loss = keras.losses.deserialize(keras.losses.serialize(SegmentationLoss(name="lungs")))
    assert isinstance(loss, SegmentationLoss) and loss.name == "lungs" and loss.reduction == "mean_with_sample_weight"


def test_class_weights_let_each_class_carry_the_same():
    class_index = np.array([0] * 6 + [1] * 3 + [2])
    weights = balanced_class_weights(class_index, 3)
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    assert weights[class_index].sum() == pytest.approx(10)


@pytest.mark.parametrize(("class_index", "counted"), [([0, 2], r"\[1, 0, 1\]"), ([0, 1, 2, 3], r"\[1, 1, 1, 1\]")])
def test_a_class_that_cannot_be_balanced(class_index, counted):
    with pytest.raises(DataError, match=counted):
        balanced_class_weights(np.array(class_index), 3)
