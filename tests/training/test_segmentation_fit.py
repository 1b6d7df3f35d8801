"""The UNet's training: bytes that a kill does not change, losses of what counts, rates and sizes as told."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.models.stored_precision import computing_in
from pipeline.models.unet import build_unet
from pipeline.training.determinism import make_deterministic
from pipeline.training.segmenter.fit import CHECKPOINTS, Course, fit_segmenter
from pipeline.training.segmenter.pointwise_fusion import fusing_pointwise
from pipeline.training.segmenter.rows import SegmentationRows
from pipeline.training.segmenter.settings import EarlySize, SegmentationAugmentation, SegmentationFit
from pipeline.training.segmenter.step import training_step

SIDE = 32
FAST = {"batch_size": 8, "learning_rate": 3e-3, "keep_every": 2}
ROTATED = SegmentationAugmentation(rotation=1.0, scale=0.1, shift=0.05)


@pytest.fixture(scope="module")
def scans():
    """32 scans of three classes: a bright block is the lung, its place the class; every fourth has no mask."""
    chance = np.random.default_rng(0)
    count = 32
    classes = np.arange(count) % 3
    images, masks = chance.integers(0, 60, (count, SIDE, SIDE)).astype(np.uint8), np.zeros((count, SIDE, SIDE), np.uint8)
    for place, label in enumerate(classes):
        masks[place, 4 + 6 * label : 16 + 6 * label, 6:24] = 1
    images = (images + 150 * masks).astype(np.uint8)
    has_mask = np.arange(count) % 4 != 3
    masks[~has_mask] = 0
    return SegmentationRows(images, masks, np.arange(count), classes, has_mask, np.arange(24), np.arange(24, count), 3)


def network(precision: str = "float32", seed: int = 1) -> keras.Model:
    keras.utils.set_random_seed(seed)
    with computing_in(precision):
        return build_unet(3, (4, 8), (2,), 4, seed=seed)


def trained(scans, folder, **settings):
    fit = SegmentationFit(**(FAST | settings))
    model = network(fit.precision)
    return model, fit_segmenter(model, scans, fit, 7, folder)


def values(model) -> list[np.ndarray]:
    return [np.array(variable.value) for variable in model.variables]


SIZES = {"early_sizes": (EarlySize(image_size=16, epochs=2),), "epochs": 2, "augmentation": ROTATED, "plateau_patience": 1}


@contextmanager
def eagerly(chosen: bool = True):
    """Tiny networks take longer to compile than to train."""
    tf.config.run_functions_eagerly(chosen)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture(autouse=True)
def eager(request):
    """Nothing is compiled but for the tests that ask for ``compiled``."""
    with eagerly("compiled" not in request.fixturenames):
        yield


@pytest.fixture
def compiled():
    """Graphs, as users train."""


@pytest.fixture(scope="module")
def undisturbed(scans, tmp_path_factory):
    """Two epochs at 16 px and two at 32 px: network, history, folder."""
    make_deterministic(0)
    folder = tmp_path_factory.mktemp("undisturbed")
    with eagerly():
        return *trained(scans, folder, **SIZES), folder


@pytest.mark.parametrize("killed_after", [0, 1, 2])
def test_a_killed_training_ends_with_the_bytes_of_an_undisturbed_one(killed_after, undisturbed, scans, kill_after, tmp_path):
    model, history, folder = undisturbed
    with pytest.raises(kill_after(killed_after)):
        trained(scans, tmp_path, **SIZES)
    kill_after(None)
    resumed, told = trained(scans, tmp_path, **SIZES)
    assert told.as_json() == history.as_json()
    for mine, theirs in zip(values(resumed), values(model), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for kept in ("best", "last", "epoch_0002", "epoch_0004"):
        files = [run / CHECKPOINTS / f"{kept}.weights.h5" for run in (folder, tmp_path)]
        assert files[0].read_bytes() == files[1].read_bytes()


def gradient(scans, precision: str, fused: bool = False) -> np.ndarray:
    """Of the loss of all training scans at the first weights: what one step of plain descent at rate 1 takes off them."""
    drawn, chosen = network().get_weights(), scans.train
    with computing_in(precision):
        model = build_unet(3, (4, 8), (2,), 4, seed=1)
    model.set_weights(drawn)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # what is drawn depends on the precision
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(model.trainable_variables)
    before = [np.array(variable.value, np.float64) for variable in model.trainable_variables]
    step = training_step(model, optimizer, {"segmentation": 1.0, "classification": 2.0}, SIDE)
    images, masks = (pixels[chosen][..., None].astype(np.float32) for pixels in (scans.images, scans.masks))
    with fusing_pointwise(fused):
        step(images / 255, masks, tf.constant(scans.class_index[chosen], tf.int32),
             tf.constant(scans.has_mask[chosen], tf.float32), tf.ones(len(chosen)))  # fmt: skip
    after = [np.array(variable.value, np.float64) for variable in model.trainable_variables]
    return np.concatenate([(old - new).ravel() for old, new in zip(before, after, strict=True)])


@pytest.mark.slow
def test_fused_elementwise_operations_change_rounding_alone(scans, compiled):
    exact = gradient(scans, "float64")
    error = {fused: np.linalg.norm(gradient(scans, "float32", fused) - exact) for fused in (False, True)}
    # Derived here and now: float32 unfused is some 3e-5 of the gradient away from float64, whatever the processor. Another
    # order of the same sums errs as much, never tenfold; bfloat16, the next coarser arithmetic, errs 65536 times as much.
    assert 0 < error[False] < 1e-3 * np.linalg.norm(exact)
    assert error[True] < 10 * error[False]


@pytest.mark.parametrize("fused", [pytest.param(False, id="plain"), pytest.param(True, id="fused", marks=pytest.mark.slow)])
def test_graphs_traced_anew_after_a_kill_give_the_same_bytes(fused, scans, kill_after, tmp_path, compiled):
    fit = SegmentationFit(**(FAST | {"epochs": 2, "augmentation": ROTATED, "fuse_pointwise": fused}))
    kill_after(None)

    def keep_as_a_kill_would(epoch, scores):
        if epoch == 1:  # the state is still that of the first epoch
            shutil.copytree(tmp_path / "whole", tmp_path / "killed")

    whole, resumed, trained_anew = network(), network(), []
    fit_segmenter(whole, scans, fit, 7, tmp_path / "whole", on_epoch=keep_as_a_kill_would)
    fit_segmenter(resumed, scans, fit, 7, tmp_path / "killed", on_epoch=lambda epoch, scores: trained_anew.append(epoch))
    assert trained_anew == [1]
    for mine, theirs in zip(values(resumed), values(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_sizes_follow_each_other_and_the_last_one_chooses(undisturbed):
    model, history, folder = undisturbed
    assert history.epochs["image_size"] == [16, 16, 32, 32]
    assert history.best_epoch in (2, 3)
    assert history.epochs["val_dice"][history.best_epoch] == max(history.epochs["val_dice"][2:])
    best = network()
    best.load_weights(folder / CHECKPOINTS / "best.weights.h5")
    for mine, theirs in zip(best.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_scans_without_masks_teach_the_diagnosis_alone(scans, tmp_path):
    blind = replace(scans, has_mask=np.zeros(32, bool), masks=np.zeros_like(scans.masks))
    model, history = trained(blind, tmp_path, epochs=1, weight_decay=0.0, augmentation=None)
    start = network()
    for name, moves in (("segmentation_head_logit", False), ("segmentation_head_conv", False), ("classification", True)):
        before, after = (m.get_layer(name).kernel.numpy() for m in (start, model))
        assert np.array_equal(before, after) != moves
    assert history.epochs["seg_loss"] == [0.0] and history.epochs["val_seg_loss"] == [0.0]
    assert history.epochs["loss"][0] == pytest.approx(2 * history.epochs["cls_loss"][0], rel=1e-5)
    # no Dice chooses where there is none: the joint loss does
    assert history.best_epoch == 0 and np.isnan(history.epochs["val_dice"][0])


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_it_learns_in_every_precision(precision, scans, tmp_path, compiled):
    model, history = trained(scans, tmp_path, precision=precision, epochs=12, augmentation=None, monitor="val_loss")
    assert history.epochs["dice"][-1] > history.epochs["dice"][0] + 0.1
    assert history.epochs["val_loss"][history.best_epoch] < history.epochs["val_loss"][0]
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_validation_scores_are_those_of_the_losses(scans, tmp_path):
    """val_loss against the Keras losses on the whole validation part at once."""
    from pipeline.models.losses.segmentation import multi_head_loss, scan_weights

    model, history = trained(scans, tmp_path, epochs=1)
    images = np.repeat(scans.images[scans.valid][..., None].astype(np.float32) / 255, 3, -1)
    outputs = model(images, training=False)
    classes, has_mask = scans.class_index[scans.valid], scans.has_mask[scans.valid]
    expected = multi_head_loss(
        {"segmentation": scans.masks[scans.valid][..., None], "classification": classes}, outputs,
        scan_weights(has_mask, classes, scans.class_weights("balanced")),
    )  # fmt: skip
    for name, mine in (("loss", "val_loss"), ("segmentation_loss", "val_seg_loss"), ("classification_loss", "val_cls_loss")):
        assert history.epochs[mine][0] == pytest.approx(float(expected[name]), rel=1e-4)
    said = np.asarray(outputs["classification"]).argmax(axis=1)
    assert history.epochs["val_accuracy"][0] == pytest.approx((said == classes).mean())


def test_plateau_lowers_the_rate_as_keras_does():
    fit = SegmentationFit(plateau_patience=2, plateau_factor=0.5, learning_rate=0.4, minimum_rate=0.15)
    course, rates = Course(rate=0.4), []
    for loss in (5.0, 4.0, 4.5, 4.2, 3.0, 3.1, 3.2, 3.3, 3.4):
        course.follow_plateau(loss, fit)
        rates.append(course.rate)
    assert rates == [0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.15, 0.15, 0.15]


def test_cosine_rises_then_falls_over_all_epochs(scans, tmp_path):
    settings = {"schedule": "cosine", "warmup_epochs": 1, "epochs": 5, "learning_rate": 1e-2, "minimum_rate": 1e-4}
    _, history = trained(scans, tmp_path, batch_size=24, **settings)
    rates = history.epochs["learning_rate"]
    assert rates[0] == pytest.approx(1e-4) and rates[1] == pytest.approx(1e-2)
    assert rates[1] > rates[2] > rates[3] > rates[4] > 1e-4
    assert rates[3] == pytest.approx(1e-4 + (1e-2 - 1e-4) * 0.5)


@pytest.mark.parametrize("monitor", ["val_accuracy", "val_dice"])
def test_another_score_can_choose_the_epoch(scans, tmp_path, monitor):
    _, history = trained(scans, tmp_path, epochs=4, monitor=monitor, learning_rate=1e-2)
    scores = history.epochs[monitor]
    assert history.best_epoch == int(np.argmax(scores))


def test_smaller_scans_are_averaged_and_their_masks_stay_binary(scans):
    half = scans.at_size(16)
    first = scans.images[0].astype(float)
    expected = (first[0::2, 0::2] + first[1::2, 0::2] + first[0::2, 1::2] + first[1::2, 1::2]) / 4
    np.testing.assert_allclose(half.images[0], expected, atol=0.51)
    assert set(np.unique(half.masks)) == {0, 1} and half.image_size == 16
    assert scans.at_size(32) is scans


def test_rows_are_taken_from_where_they_stand(scans):
    few = replace(scans, rows=np.array([5, 9, 2]), class_index=np.array([2, 0, 2]))
    np.testing.assert_array_equal(few.pixels(np.array([2, 0]))[0], scans.images[[2, 5]])
    np.testing.assert_array_equal(few.at_size(16).pixels(np.array([1]))[1], scans.at_size(16).masks[[9]])
