"""Train a classifier's head on cached features; a killed run finds a finished one again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from pipeline.models.classifier_networks import Head, build_head, set_feature_scaling
from pipeline.training.classifier.inputs import CachedFeatures
from pipeline.training.classifier.logistic_solution import fit_logistic
from pipeline.training.classifier.minibatch_fit import ClassifierRows, FitPlan, class_logits, fit_classifier
from pipeline.training.classifier.settings import HeadSettings
from pipeline.training.probabilities import softmax
from pipeline.training.trained_network import Workshop, train_once


@dataclass(frozen=True)
class HeadPlan:
    """Which head, for how many classes; ``inverse_penalties`` where it is solved as a logistic regression."""

    head: Head
    class_count: int
    inverse_penalties: tuple[float, ...] = ()

    @classmethod
    def of(cls, settings: HeadSettings, class_count: int) -> HeadPlan:
        """The recipe that a configuration asks for."""
        penalties = settings.inverse_penalties if settings.solver == "logistic" else ()
        head = Head(settings.hidden, settings.dropout, settings.feature_dropout, settings.standardize)
        return cls(head, class_count, penalties)


def train_class_head(
    name: str, views: np.ndarray, rows: ClassifierRows, recipe: HeadPlan, plan: FitPlan, workshop: Workshop
) -> tuple[keras.Model, dict]:
    """Fit a head on features ``(V, N, F)``; returns it, rounded as it will be stored, and its history."""
    inputs = CachedFeatures(views)

    def build(seed: int) -> keras.Model:
        model = build_head(views.shape[-1], recipe.class_count, recipe.head, seed)
        if recipe.head.standardize:
            set_feature_scaling(model, views[0, rows.train])
        return model

    def fit(model: keras.Model, seed: int, state: Path | None) -> dict:
        if recipe.inverse_penalties:
            return fit_logistic(model, views, rows, recipe.inverse_penalties, plan.loss.class_weights).as_json()
        return fit_classifier(model, inputs, rows, plan, seed, state).as_json()

    return train_once(name, workshop, build, fit)


def head_probabilities(model: keras.Model, views: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Probabilities ``(n, K)`` float32 of a head for rows of cached features, the scans themselves."""
    return softmax(class_logits(model, CachedFeatures(views), rows))
