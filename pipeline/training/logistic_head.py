"""A head of one layer, fitted as what it is: multinomial logistic regression on standardized frozen features.

The penalized likelihood has one maximum, so nothing is left to seeds, schedules and early stopping; validation chooses
the penalty. On few scans and many features this beats the same layer trained by minibatches.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

from pipeline.models.classifier_networks import OUTPUT
from pipeline.training.binary_fit import FitHistory
from pipeline.training.class_sampling import class_weights
from pipeline.training.classifier_fit import ClassifierRows
from pipeline.training.classifier_scores import validation_scores

MAX_ITERATIONS = 500


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
    features = [_standardized(model, view) for view in views]
    inputs = np.concatenate([view[rows.train] for view in features])
    classes = np.tile(rows.class_index[rows.train], len(views))
    weights = class_weights(rows.class_index[rows.train], rows.class_count, weighting) or [1.0] * rows.class_count
    sample_weight = np.asarray(weights)[classes] / len(views)
    history, fitted = FitHistory(), []
    for penalty in penalties:
        regression = LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS).fit(inputs, classes, sample_weight)
        kernel, bias = _as_dense(regression, rows.class_count)
        fitted.append((kernel, bias))
        scores = validation_scores(rows.class_index[rows.valid], features[0][rows.valid] @ kernel + bias)
        loss = validation_scores(classes, inputs @ kernel + bias)["val_loss"]
        history.append({"inverse_penalty": penalty, "loss": loss, **scores})
    history.best_epoch = int(np.argmin(history.epochs["val_loss"]))
    model.get_layer(OUTPUT).set_weights(list(fitted[history.best_epoch]))
    return history


def _standardized(model: keras.Model, features: np.ndarray) -> np.ndarray:
    names = [layer.name for layer in model.layers]
    if "feature_scaling" not in names:
        return features
    layer = model.get_layer("feature_scaling")
    mean, variance = layer.get_weights()
    return (features - mean) / np.sqrt(variance + np.float32(layer.epsilon))


def _as_dense(regression: LogisticRegression, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel ``(F, K)`` and bias ``(K,)`` float32; of two classes, half of the one score for each side."""
    kernel, bias = regression.coef_.T, regression.intercept_
    if class_count == 2:
        kernel, bias = np.concatenate([-kernel, kernel], axis=1) / 2, np.concatenate([-bias, bias]) / 2
    return kernel.astype(np.float32), bias.astype(np.float32)
