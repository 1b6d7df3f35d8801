"""The fit loop: the same bytes each time, a kill included; the best epoch kept; weights as told."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.engine.errors import DataError
from pipeline.training.class_sampling import row_weights
from pipeline.training.multitask.label_fit import (
    Examples,
    apply_network,
    fit_labels,
    one_logit,
    rows_of,
)
from pipeline.training.probabilities import sigmoid
from pipeline.training.settings import FitSettings

ROWS = 120
NOISY = {"input_dropout": 0.2, "mixup": 0.4}


@pytest.fixture
def examples():
    chance = np.random.default_rng(0)
    labels = (chance.random(ROWS) < 0.4).astype(np.int8)
    inputs = chance.normal(size=(ROWS, 6)).astype(np.float32)
    inputs[:, 0] += labels
    return Examples(inputs, labels, np.arange(80), np.arange(80, ROWS))


def settings(**changed) -> FitSettings:
    return FitSettings(**{"epochs": 6, "batch_size": 16, "learning_rate": 1e-2, "patience": 6} | changed)


def stored(model, folder, name) -> bytes:
    path = folder / f"{name}.weights.h5"
    model.save_weights(path)
    return path.read_bytes()


@pytest.mark.parametrize("noise", [{}, NOISY], ids=["plain", "noisy"])
def test_one_seed_gives_one_set_of_bytes(noise, examples, dense_network, tmp_path):
    answers = []
    for turn in ("first", "second"):
        model = dense_network(1, dropout=0.3)
        history = fit_labels(model, examples, settings(**noise), seed=5)
        answers.append((stored(model, tmp_path, turn), history.as_json()))
    assert answers[0] == answers[1]
    other = dense_network(1, dropout=0.3)
    fit_labels(other, examples, settings(**noise), seed=6)
    assert stored(other, tmp_path, "other") != answers[0][0]


@pytest.mark.parametrize("noise", [{}, NOISY], ids=["plain", "noisy"])
def test_a_killed_training_ends_with_the_bytes_of_an_undisturbed_one(noise, examples, dense_network, kill_after, tmp_path):
    undisturbed = dense_network(1, dropout=0.3)
    expected = fit_labels(undisturbed, examples, settings(**noise), seed=5).as_json()
    state = tmp_path / "state.npz"
    with pytest.raises(kill_after(2)):
        fit_labels(dense_network(1, dropout=0.3), examples, settings(**noise), 5, state)
    kill_after(None)
    resumed = dense_network(99, dropout=0.3)
    assert fit_labels(resumed, examples, settings(**noise), 5, state).as_json() == expected
    assert stored(resumed, tmp_path, "resumed") == stored(undisturbed, tmp_path, "undisturbed")


def test_the_best_validation_epoch_is_kept_and_waiting_ends(examples, dense_network):
    labels = examples.labels.copy()
    labels[examples.valid] = 1 - labels[examples.valid]  # what is learnt can only harm validation
    turned = Examples(examples.inputs, labels, examples.train, examples.valid)
    model, one_epoch = dense_network(1), dense_network(1)
    history = fit_labels(model, turned, settings(epochs=30, patience=3), seed=5)
    assert history.best_epoch == 0 and len(history.epochs["loss"]) == 4
    fit_labels(one_epoch, turned, settings(epochs=1), seed=5)
    for kept, expected in zip(model.get_weights(), one_epoch.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_the_monitored_number_decides(examples, dense_network):
    history = fit_labels(dense_network(1), examples, settings(epochs=8, monitor="val_auc", patience=8), seed=5)
    assert history.best_epoch == int(np.argmax(history.epochs["val_auc"]))


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_loss_is_the_weighted_cross_entropy(class_weights, examples, dense_network):
    model = dense_network(1)
    logits = one_logit(model, examples.inputs[examples.train]).astype(np.float64)
    labels = examples.labels[examples.train]
    positive, weights = labels.mean(), np.ones(len(labels))
    if class_weights == "balanced":
        weights = np.where(labels == 1, 0.5 / positive, 0.5 / (1 - positive))
    probability = 1 / (1 + np.exp(-logits))
    by_hand = -np.mean(weights * (labels * np.log(probability) + (1 - labels) * np.log(1 - probability)))
    still = settings(epochs=1, learning_rate=1e-12, class_weights=class_weights)
    assert fit_labels(model, examples, still, seed=5).epochs["loss"][0] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_loss_of_three_classes_is_the_weighted_cross_entropy_of_their_softmax(class_weights, examples, dense_network):
    labels = (np.arange(ROWS) % 4 % 3).astype(np.int8)
    three = Examples(examples.inputs, labels, examples.train, examples.valid, classes=3)
    model = dense_network(1, logits=three.logits)
    logits = apply_network(model, three.inputs).astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    losses = -np.log(shares[np.arange(ROWS), labels])
    weights = np.ones(ROWS)
    if class_weights == "balanced":
        for rows in (three.train, three.valid):
            weights[rows] = len(rows) / (3 * np.bincount(labels[rows])[labels[rows]])
    still = settings(epochs=1, learning_rate=1e-12, class_weights=class_weights)
    told = fit_labels(model, three, still, seed=5).epochs
    assert told["loss"][0] == pytest.approx(np.mean((weights * losses)[three.train]), rel=1e-5)
    held = three.valid
    assert told["val_loss"][0] == pytest.approx(np.average(losses[held], weights=weights[held]), rel=1e-5)
    assert told["val_accuracy"][0] == pytest.approx(np.mean(shares[held].argmax(axis=1) == labels[held]))
    against_rest = [roc_auc_score(labels[held] == number, shares[held, number]) for number in range(3)]
    assert told["val_auc"][0] == pytest.approx(np.mean(against_rest))


def test_three_classes_are_learnt(examples, dense_network):
    labels = (np.arange(ROWS) % 3).astype(np.int8)
    inputs = examples.inputs + 3 * np.eye(6, dtype=np.float32)[labels]
    history = fit_labels(dense_network(1, logits=3), Examples(inputs, labels, examples.train, examples.valid, 3),
                         settings(epochs=20, patience=20), seed=5)  # fmt: skip
    assert max(history.epochs["val_accuracy"]) > 0.8


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.filterwarnings("ignore:Only one class:sklearn.exceptions.UndefinedMetricWarning")
def test_where_validation_lacks_a_class_no_untrained_network_is_passed_off_as_the_best(classes, examples, dense_network):
    labels = (np.arange(ROWS) % classes).astype(np.int8)
    labels[examples.valid] %= classes - 1
    lacking = Examples(examples.inputs, labels, examples.train, examples.valid, classes)
    with pytest.raises(DataError, match="val_auc was never a number"):
        fit_labels(dense_network(1, logits=lacking.logits), lacking, settings(epochs=2, monitor="val_auc"), seed=5)
    assert fit_labels(dense_network(1, logits=lacking.logits), lacking, settings(epochs=2, monitor="val_loss"), seed=5).epochs


def test_balanced_weights_give_each_class_half():
    labels = np.array([0, 0, 0, 1], np.int8)
    np.testing.assert_allclose(row_weights(labels, "balanced"), [2 / 3, 2 / 3, 2 / 3, 2])
    np.testing.assert_array_equal(row_weights(labels, "none"), np.ones(4))


def test_rows_of_a_stored_array_are_those_of_the_array(tmp_path, dense_network):
    inputs = np.random.default_rng(3).normal(size=(2500, 6)).astype(np.float32)
    np.save(tmp_path / "inputs.npy", inputs)
    stored_inputs = np.load(tmp_path / "inputs.npy", mmap_mode="r")
    rows = np.array([2400, 3, 3, 1700])
    np.testing.assert_array_equal(rows_of(stored_inputs, rows), inputs[rows])
    model = dense_network(1)
    np.testing.assert_allclose(apply_network(model, stored_inputs), np.asarray(model(inputs)), atol=1e-6)
    np.testing.assert_allclose(one_logit(model, stored_inputs, rows), np.asarray(model(inputs[rows]))[:, 0], atol=1e-6)


def test_sigmoid_at_both_ends():
    np.testing.assert_allclose(sigmoid(np.array([-1000.0, 0.0, 1000.0, np.log(3)])), [0, 0.5, 1, 0.75], atol=1e-7)
