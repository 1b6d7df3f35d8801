"""A head of one layer, fitted as what it is: multinomial logistic regression on standardized frozen features.

The penalized likelihood has one maximum, so nothing is left to seeds, schedules and early stopping; held-out rows choose
the penalty. On few scans and many features this beats the same layer trained by minibatches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

from pipeline.data.splitting.splits import grouped_folds
from pipeline.models.classifier_networks import OUTPUT, set_feature_scaling
from pipeline.training.class_sampling import class_weights
from pipeline.training.classifier.minibatch_fit import ClassifierRows
from pipeline.training.classifier.scores import validation_scores
from pipeline.training.kept_epoch import FitHistory
from pipeline.training.probabilities import softmax

MAX_ITERATIONS = 500
INNER_FOLDS = 5


@dataclass(frozen=True)
class InnerChoice:
    """The penalty with the least loss out of inner folds, and the inner folds' probabilities ``(n, K)`` under it."""

    penalty: float
    losses: list[float]
    probabilities: np.ndarray


def fit_logistic(
    model: keras.Model, views: np.ndarray, rows: ClassifierRows, penalties: Sequence[float], weighting: str
) -> FitHistory:
    """Give a head without hidden layers the weights of the penalty with the least validation loss.

    Args:
        model: a head of ``build_head``; its ``feature_scaling``, where it has one, already holds the training rows' moments.
        views: ``(V, N, F)`` float32; every view of a training row is learnt from, with 1/V of its weight.
        penalties: C of scikit-learn, the inverse of the L2 penalty, tried one after another.
        weighting: ``none`` or ``balanced`` classes.

    Returns:
        One number a penalty instead of an epoch; ``inverse_penalty`` names them.
    """
    history, fitted = FitHistory(), []
    valid = _standardized(model, views[0, rows.valid])
    solved = _solutions(model, views, rows.class_index, rows.train, rows.class_count, penalties, weighting)
    for penalty, kernel, bias, loss in solved:
        fitted.append([kernel, bias])
        scores = validation_scores(rows.class_index[rows.valid], valid @ kernel + bias)
        history.append({"inverse_penalty": penalty, "loss": loss, **scores})
    history.best_epoch = int(np.argmin(history.epochs["val_loss"]))
    model.get_layer(OUTPUT).set_weights(fitted[history.best_epoch])
    return history


def refit_logistic(
    model: keras.Model, views: np.ndarray, class_index: np.ndarray, patients: np.ndarray, chosen: np.ndarray, class_count: int,
    penalties: Sequence[float], weighting: str, seed: int,
) -> InnerChoice:  # fmt: skip
    """Choose the penalty by inner folds by patient, then learn from all the ``chosen`` rows.

    Args:
        model: a head of ``build_head``; its scaling is set here.
        chosen: the rows to learn from; the inner folds are cut of them, and no other row is read.
    """
    inner = grouped_folds(class_index[chosen], patients[chosen], INNER_FOLDS, seed)
    held = {penalty: np.zeros((len(chosen), class_count), np.float32) for penalty in penalties}
    for number in range(INNER_FOLDS):
        train, tested = chosen[inner != number], chosen[inner == number]
        _scale(model, views, train)
        features = _standardized(model, views[0, tested])
        for penalty, kernel, bias, _ in _solutions(model, views, class_index, train, class_count, penalties, weighting):
            held[penalty][inner == number] = softmax(features @ kernel + bias)
    losses = [_log_loss(class_index[chosen], held[penalty]) for penalty in penalties]
    best = penalties[int(np.argmin(losses))]
    _scale(model, views, chosen)
    ((_, kernel, bias, _),) = _solutions(model, views, class_index, chosen, class_count, (best,), weighting)
    model.get_layer(OUTPUT).set_weights([kernel, bias])
    return InnerChoice(best, losses, held[best])


def _solutions(model, views, class_index, train, class_count, penalties, weighting):
    """(penalty, kernel ``(F, K)``, bias ``(K,)``, training loss) of each penalty."""
    inputs = np.concatenate([_standardized(model, view[train]) for view in views])
    classes = np.tile(class_index[train], len(views))
    weights = class_weights(class_index[train], class_count, weighting) or [1.0] * class_count
    coordinates, back = _row_space(inputs)
    for penalty in penalties:
        regression = LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS)
        regression.fit(coordinates, classes, np.asarray(weights)[classes] / len(views))
        kernel, bias = _as_dense(back @ regression.coef_.T, regression.intercept_, class_count)
        yield penalty, kernel, bias, validation_scores(classes, inputs @ kernel + bias)["val_loss"]


def _row_space(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates ``(n, r)`` of the rows in the space that they span, and the way back ``(F, r)``, orthonormal.

    With more features than rows the penalized solution lies in that space, so it is found there in less time.
    """
    if inputs.shape[1] <= inputs.shape[0]:
        return inputs, np.eye(inputs.shape[1])
    wide = inputs.astype(np.float64)
    squares, left = np.linalg.eigh(wide @ wide.T)
    kept = squares > squares[-1] * 1e-10
    lengths = np.sqrt(squares[kept])
    return left[:, kept] * lengths, wide.T @ (left[:, kept] / lengths)


def _scale(model: keras.Model, views: np.ndarray, rows: np.ndarray) -> None:
    if any(layer.name == "feature_scaling" for layer in model.layers):
        set_feature_scaling(model, views[0, rows])


def _standardized(model: keras.Model, features: np.ndarray) -> np.ndarray:
    if all(layer.name != "feature_scaling" for layer in model.layers):
        return features
    layer = model.get_layer("feature_scaling")
    mean, variance = layer.get_weights()
    return (features - mean) / np.sqrt(variance + np.float32(layer.epsilon))


def _as_dense(kernel: np.ndarray, bias: np.ndarray, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel ``(F, K)`` and bias ``(K,)`` float32; of two classes, half of the one score for each side."""
    if class_count == 2:
        kernel, bias = np.concatenate([-kernel, kernel], axis=1) / 2, np.concatenate([-bias, bias]) / 2
    return kernel.astype(np.float32), bias.astype(np.float32)


def _log_loss(class_index: np.ndarray, probabilities: np.ndarray) -> float:
    given = probabilities[np.arange(len(class_index)), class_index]
    return float(-np.log(np.maximum(given, 1e-12)).mean())
