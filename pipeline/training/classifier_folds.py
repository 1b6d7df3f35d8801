"""Cross-validation by patient of a head on cached features: every scan answered by a training that never saw its patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.data.splits import grouped_folds
from pipeline.engine.seeds import derive_seed
from pipeline.training.classifier_fit import ClassifierRows, FitPlan
from pipeline.training.classifier_heads import HeadRecipe, head_probabilities, train_head
from pipeline.training.trained_network import Workshop

INNER_FOLDS = 6


@dataclass(frozen=True)
class OutOfFold:
    """fold ``(N,)`` int64 that tests each row; probabilities ``(N, K)`` float32 of that fold's network; one history a
    fold; ``threshold`` ``(N,)`` float64, the one that the row's fold chose on its own validation rows."""

    fold: np.ndarray
    probabilities: np.ndarray
    threshold: np.ndarray
    histories: list[dict]


def cross_validate(
    views: np.ndarray, class_index: np.ndarray, patients: np.ndarray, recipe: HeadRecipe, plan: FitPlan, folds: int,
    workshop: Workshop, threshold_of: Callable[[np.ndarray, np.ndarray], float],
) -> OutOfFold:  # fmt: skip
    """Train one head a fold; of the rows outside the fold a sixth, by patient, chooses the epoch and the threshold.

    Args:
        views: ``(V, N, F)`` float32, see ``CachedFeatures``. class_index: ``(N,)``. patients: ``(N,)`` str.
        threshold_of: (classes, probabilities ``(n, K)``) of validation rows → threshold.

    Raises:
        DataError: a class has fewer patients than folds.
    """
    fold = grouped_folds(class_index, patients, folds, derive_seed(workshop.seed, "folds"))
    probabilities = np.zeros((len(class_index), recipe.class_count), np.float32)
    thresholds, histories = np.full(len(class_index), 0.5), []
    for number in range(folds):
        outside, tested = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        inner = grouped_folds(class_index[outside], patients[outside], INNER_FOLDS, derive_seed(workshop.seed, f"inner_{number}"))
        rows = ClassifierRows(class_index, outside[inner != 0], outside[inner == 0], recipe.class_count)
        model, history = train_head(f"head_fold_{number}", views, rows, recipe, plan, workshop)
        probabilities[tested] = head_probabilities(model, views, tested)
        thresholds[tested] = threshold_of(class_index[rows.valid], head_probabilities(model, views, rows.valid))
        histories.append(history)
    return OutOfFold(fold, probabilities, thresholds, histories)
