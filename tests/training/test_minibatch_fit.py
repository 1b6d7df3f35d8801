"""The classifiers' fit: bytes that a kill does not change, layers that thaw on time, rates, clipping and accumulation as told."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.training.classifier.inputs import CachedFeatures, StoredScans
from pipeline.training.classifier.layer_groups import Thawing, build_optimizers, free_last_layers, variable_groups
from pipeline.training.classifier.minibatch_fit import ClassifierRows, FitPlan, class_logits, fit_classifier
from pipeline.training.classifier.scores import validation_scores
from pipeline.training.classifier.settings import ClassifierFit, FineTuning, LossSettings, UnfreezeStep
from pipeline.training.image_augmentation import AugmentationSettings
from pipeline.training.probabilities import softmax

ROWS, CLASSES = 90, 3


@pytest.fixture
def rows():
    chance = np.random.default_rng(0)
    return ClassifierRows(chance.integers(0, CLASSES, ROWS), np.arange(60), np.arange(60, ROWS), CLASSES)


@pytest.fixture
def features(rows):
    drawn = np.random.default_rng(1).normal(size=(2, ROWS, 6)).astype(np.float32)
    drawn[:, np.arange(ROWS), rows.class_index] += 1.5
    return CachedFeatures(drawn)


@pytest.fixture
def scans(rows, tmp_path):
    """Scans whose class is where they are bright, stored in another order than the rows'."""
    pixels = np.random.default_rng(2).integers(0, 80, (ROWS, 16, 16)).astype(np.uint8)
    for row, place in enumerate(rows.class_index):
        pixels[row, :, place * 5 : place * 5 + 5] += 120
    order = np.random.default_rng(3).permutation(ROWS)
    np.save(tmp_path / "pixels.npy", pixels[order])
    return StoredScans(tmp_path / "pixels.npy", np.argsort(order), AugmentationSettings(flip=0.0, rotation=0.0), block=16)


def head(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6,), name="features")
    x = layers.Dropout(0.3, seed=seed, name="dropout_1")(layers.Dense(8, activation="relu", name="dense_1")(inputs))
    return keras.Model(inputs, layers.Dense(CLASSES, name="classification")(x), name="head")


def whole(seed: int) -> keras.Model:
    """A body of convolution, batch normalisation and convolution, and a head."""
    keras.utils.set_random_seed(seed)
    picture = keras.Input((16, 16, 1), name="picture")
    x = layers.Conv2D(4, 3, strides=2, name="first_conv")(picture)
    x = layers.ReLU(name="first_relu")(layers.BatchNormalization(momentum=0.5, name="first_bn")(x))
    body = keras.Model(picture, layers.Conv2D(6, 3, strides=2, name="last_conv")(x), name="body")
    image = keras.Input((16, 16, 1), name="image")
    x = layers.Flatten(name="flat")(body(image))
    return keras.Model(image, layers.Dense(CLASSES, name="classification")(x), name="whole")


def fit_settings(**changed) -> ClassifierFit:
    return ClassifierFit(**{"epochs": 4, "batch_size": 16, "learning_rate": 1e-2, "backbone_learning_rate": 1e-3,
                            "monitor": "val_loss", "patience": 9} | changed)  # fmt: skip


def stored(model: keras.Model, path) -> bytes:
    model.save_weights(path)
    return path.read_bytes()


THAWING = Thawing((UnfreezeStep(epoch=1, last=1), UnfreezeStep(epoch=2, last="all")), batch_norm_learns=True)
NOISY = FitPlan(fit_settings(mixup=0.4, sampling="balanced", accumulation_steps=3, warmup_epochs=1),
                LossSettings(focal_gamma=2.0, class_weights="balanced", label_smoothing=0.1), THAWING)  # fmt: skip


@pytest.fixture(autouse=True)
def eager():
    """Tiny networks take longer to compile than to train."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("killed_after", [1])
def test_a_killed_training_ends_with_the_bytes_of_an_undisturbed_one(killed_after, rows, scans, kill_after, tmp_path):
    undisturbed, state = whole(1), tmp_path / "state.npz"
    expected = fit_classifier(undisturbed, scans, rows, NOISY, seed=5).as_json()
    with pytest.raises(kill_after(killed_after)):
        fit_classifier(whole(1), scans, rows, NOISY, 5, state)
    kill_after(None)
    resumed = whole(77)
    assert fit_classifier(resumed, scans, rows, NOISY, 5, state).as_json() == expected
    assert stored(resumed, tmp_path / "r.weights.h5") == stored(undisturbed, tmp_path / "u.weights.h5")


def test_it_learns_and_the_seed_decides(rows, features, tmp_path):
    plan = FitPlan(fit_settings(epochs=8, learning_rate=3e-2))
    first, again, other = head(1), head(1), head(1)
    history = fit_classifier(first, features, rows, plan, seed=5)
    fit_classifier(again, features, rows, plan, seed=5)
    fit_classifier(other, features, rows, plan, seed=6)
    bytes_of = [stored(model, tmp_path / f"{place}.weights.h5") for place, model in enumerate((first, again, other))]
    assert bytes_of[0] == bytes_of[1] != bytes_of[2]
    assert history.epochs["val_accuracy"][history.best_epoch] > 0.5
    assert history.epochs["val_loss"][history.best_epoch] < 0.95 * history.epochs["val_loss"][0]
    scores = validation_scores(rows.class_index[rows.valid], class_logits(first, features, rows.valid))
    assert scores["val_loss"] == pytest.approx(min(history.epochs["val_loss"]), rel=1e-5)


@pytest.mark.parametrize("monitor", ["val_macro_f1", "val_auc"])
def test_the_named_metric_chooses_the_epoch_and_ends_the_waiting(monitor, rows, features):
    turned = rows.class_index.copy()
    turned[rows.valid] = (turned[rows.valid] + 1) % CLASSES  # what is learnt can only harm validation
    history = fit_classifier(head(1), features, ClassifierRows(turned, rows.train, rows.valid, CLASSES),
                             FitPlan(fit_settings(epochs=40, monitor=monitor, patience=2)), seed=5)  # fmt: skip
    assert history.best_epoch == int(np.argmax(history.epochs[monitor]))
    assert len(history.epochs["loss"]) == history.best_epoch + 3 < 40


def test_layers_learn_from_the_epoch_that_frees_them(rows, scans):
    def changed(epochs: int) -> set[str]:
        model = whole(1)
        before = {layer.name: layer.get_weights() for layer in [*model.get_layer("body").layers, *model.layers]}
        fit_classifier(model, scans, rows, FitPlan(fit_settings(epochs=epochs, schedule="constant"), thawing=THAWING), seed=5)
        after = {layer.name: layer.get_weights() for layer in [*model.get_layer("body").layers, *model.layers]}
        return {name for name in before if any((a != b).any() for a, b in zip(before[name], after[name], strict=True))}

    assert changed(1) == {"classification"}
    assert changed(2) == {"classification", "last_conv", "body"}
    assert changed(3) == {"classification", "last_conv", "body", "first_conv", "first_bn"}


def test_frozen_batch_normalisation_keeps_its_statistics():
    model = whole(1)
    free_last_layers(model, "all", batch_norm_learns=False)
    assert {v.path.split("/")[-2] for v in variable_groups(model)["backbone"]} == {"first_conv", "last_conv"}
    before = [np.array(w) for w in model.get_layer("body").get_layer("first_bn").get_weights()]
    model(np.random.default_rng(0).random((8, 16, 16, 1), dtype=np.float32), training=True)
    for mine, kept in zip(model.get_layer("body").get_layer("first_bn").get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, kept)


def test_each_group_has_its_own_rate_and_its_own_rise():
    model = whole(1)
    fit = fit_settings(epochs=10, warmup_epochs=2, learning_rate=1e-4, backbone_learning_rate=1e-5)
    optimizers = build_optimizers(variable_groups(model), fit, steps_an_epoch=5, backbone_from=4)
    rates = {name: [float(o._learning_rate(step)) for step in (0, 10, 30, 50)] for name, o in optimizers.items()}
    assert rates["head"] == pytest.approx([0, 1e-4, 5e-5, 0], abs=1e-9)
    # The backbone's own schedule: 6 epochs, so 30 steps of which 10 rise.
    assert rates["backbone"] == pytest.approx([0, 1e-5, 0, 0], abs=1e-10)
    assert {name: o.global_clipnorm for name, o in optimizers.items()} == {"backbone": 1.0, "head": 1.0}


def test_accumulation_steps_once_in_so_many_batches(rows, features):
    """Two accumulated batches of one epoch are one step; with a rate so small that Adam's step is the rate itself."""
    model = head(1)
    plan = FitPlan(fit_settings(epochs=1, batch_size=30, accumulation_steps=2, schedule="constant", learning_rate=1e-3))
    before = [np.array(w) for w in model.get_weights()]
    fit_classifier(model, features, rows, plan, seed=5)
    moved = np.concatenate([np.abs(a - b).ravel() for a, b in zip(model.get_weights(), before, strict=True)])
    assert moved.max() == pytest.approx(1e-3, rel=1e-2)  # Adam's first step is the rate; two steps would be up to twice it


@pytest.mark.parametrize("weighting", ["none", "balanced"])
def test_the_first_loss_is_the_networks_own(weighting, rows, features):
    keras.utils.set_random_seed(4)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(CLASSES)(inputs))
    single = CachedFeatures(features.views[:1])
    probabilities = softmax(class_logits(model, single, rows.train)).astype(np.float64)
    truth = rows.class_index[rows.train]
    weights = np.ones(CLASSES) if weighting == "none" else len(truth) / (CLASSES * np.bincount(truth))
    expected = np.mean(-weights[truth] * np.log(probabilities[np.arange(len(truth)), truth]))
    plan = FitPlan(fit_settings(epochs=1, schedule="constant", learning_rate=1e-12), LossSettings(class_weights=weighting))
    assert fit_classifier(model, single, rows, plan, seed=5).epochs["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_stored_scans_are_read_by_their_row_in_the_file(rows, scans):
    batch = scans.evaluation(np.array([7, 3]))
    assert batch.shape == (2, 16, 16, 1) and batch.dtype == np.float32 and batch.min() >= 0 and batch.max() <= 1
    for picture, row in zip(batch, (7, 3), strict=True):
        place = rows.class_index[row]
        assert picture[:, place * 5 : place * 5 + 5].min() >= 120 / 255 > picture[:, 15].max()


def test_diverged_networks_score_worst():
    scores = validation_scores(np.array([0, 1]), np.array([[np.nan, 0], [0, 1]]))
    assert scores == {"val_loss": float("inf"), "val_accuracy": 0.0, "val_macro_f1": 0.0, "val_auc": 0.0}


def test_an_unfreezing_schedule_in_words():
    tuning = FineTuning(unfreeze=({"epoch": 0, "last": 2}, {"epoch": 3, "last": "all"}))
    thawing = Thawing(tuning.steps())
    assert [thawing.last_at(epoch) for epoch in range(5)] == [2, 2, 2, "all", "all"]
    assert [thawing.changes_at(epoch) for epoch in range(5)] == [True, False, False, True, False]
    assert Thawing(FineTuning(unfreeze_last=0).steps()).first_epoch() is None
