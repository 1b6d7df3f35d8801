"""Cross-validation by patient of a head on cached features: every scan answered by a training that never saw its patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.data.splitting.splits import grouped_folds
from pipeline.engine.seeds import derive_seed
from pipeline.models.classifier_networks import build_head
from pipeline.models.stored_precision import round_kernels
from pipeline.training.classifier.head_on_features import HeadPlan, head_probabilities, train_class_head
from pipeline.training.classifier.logistic_solution import refit_logistic
from pipeline.training.classifier.minibatch_fit import ClassifierRows, FitPlan
from pipeline.training.trained_network import Workshop

HELD_OUT = 6


@dataclass(frozen=True)
class OutOfFold:
    """fold ``(N,)`` int64 that tests each row; probabilities ``(N, K)`` float32 of that fold's network; one history a
    fold; ``threshold`` ``(N,)`` float64, the one that the row's fold chose on rows outside it."""

    fold: np.ndarray
    probabilities: np.ndarray
    threshold: np.ndarray
    histories: list[dict]


def cross_validate(
    views: np.ndarray, class_index: np.ndarray, patients: np.ndarray, recipe: HeadPlan, plan: FitPlan, folds: int,
    workshop: Workshop, threshold_of: Callable[[np.ndarray, np.ndarray], float],
) -> OutOfFold:  # fmt: skip
    """Train one head a fold on the rows outside it; the fold itself chooses nothing.

    A head in minibatches leaves a sixth of those rows out, by patient, to choose the epoch and the threshold. A
    logistic one chooses penalty and threshold by inner folds, and then learns from all of them.

    Args:
        views: ``(V, N, F)`` float32, see ``CachedFeatures``. class_index: ``(N,)``. patients: ``(N,)`` str.
        threshold_of: (classes, probabilities ``(n, K)``) of held-out rows → threshold.

    Raises:
        DataError: a class has fewer patients than folds.
    """
    fold = grouped_folds(class_index, patients, folds, derive_seed(workshop.seed, "folds"))
    probabilities = np.zeros((len(class_index), recipe.class_count), np.float32)
    thresholds, histories = np.full(len(class_index), 0.5), []
    for number in range(folds):
        outside, tested = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        train = _logistic if recipe.inverse_penalties else _in_minibatches
        model, held, held_probabilities, history = train(views, class_index, patients, outside, recipe, plan, workshop, number)
        probabilities[tested] = head_probabilities(model, views, tested)
        thresholds[tested] = threshold_of(class_index[held], held_probabilities)
        histories.append(history)
    return OutOfFold(fold, probabilities, thresholds, histories)


def _logistic(views, class_index, patients, outside, recipe, plan, workshop, number):
    seed = derive_seed(workshop.seed, f"inner_{number}")
    model = build_head(views.shape[-1], recipe.class_count, recipe.head, seed)
    choice = refit_logistic(model, views, class_index, patients, outside, recipe.class_count, recipe.inverse_penalties,
                            plan.loss.class_weights, seed)  # fmt: skip
    round_kernels(model, workshop.precision)
    history = {"inverse_penalty": list(recipe.inverse_penalties), "inner_loss": choice.losses, "chosen": choice.penalty}
    return model, outside, choice.probabilities, history


def _in_minibatches(views, class_index, patients, outside, recipe, plan, workshop, number):
    inner = grouped_folds(class_index[outside], patients[outside], HELD_OUT, derive_seed(workshop.seed, f"inner_{number}"))
    rows = ClassifierRows(class_index, outside[inner != 0], outside[inner == 0], recipe.class_count)
    model, history = train_class_head(f"head_fold_{number}", views, rows, recipe, plan, workshop)
    return model, rows.valid, head_probabilities(model, views, rows.valid), history
