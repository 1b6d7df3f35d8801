"""Train a classifier's head on cached features; a killed run finds a finished one again."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from pipeline.models.classifier_networks import Head, build_head, set_feature_scaling
from pipeline.training.classifier_fit import ClassifierRows, FitPlan, fit_classifier, predict_logits
from pipeline.training.classifier_inputs import CachedFeatures
from pipeline.training.classifier_scores import softmax
from pipeline.training.trained_network import Workshop, train_once


@dataclass(frozen=True)
class HeadRecipe:
    """Which head, for how many classes."""

    head: Head
    class_count: int


def train_head(
    name: str, views: np.ndarray, rows: ClassifierRows, recipe: HeadRecipe, plan: FitPlan, workshop: Workshop
) -> tuple[keras.Model, dict]:
    """Fit a head on features ``(V, N, F)``; returns it, rounded as it will be stored, and its history."""
    inputs = CachedFeatures(views)

    def build(seed: int) -> keras.Model:
        model = build_head(views.shape[-1], recipe.class_count, recipe.head, seed)
        if recipe.head.standardize:
            set_feature_scaling(model, views[0, rows.train])
        return model

    return train_once(
        name, workshop, build, lambda model, seed, state: fit_classifier(model, inputs, rows, plan, seed, state).as_json()
    )


def head_probabilities(model: keras.Model, views: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Probabilities ``(n, K)`` float32 of a head for rows of cached features, the scans themselves."""
    return softmax(predict_logits(model, CachedFeatures(views), rows))
