"""One classifier from settings and scans: a head on cached features, or the whole network fine-tuned after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from pipeline.data.class_index import ClassIndex, class_index_of
from pipeline.engine.arrays import read_layout
from pipeline.engine.seeds import derive_seed
from pipeline.models.classifier_networks import build_classifier, copy_head, feature_extractor
from pipeline.models.stored_precision import computing_in, round_kernels
from pipeline.training.classifier.features import feature_views
from pipeline.training.classifier.head_on_features import HeadPlan, train_class_head
from pipeline.training.classifier.inputs import StoredScans
from pipeline.training.classifier.layer_groups import Thawing
from pipeline.training.classifier.minibatch_fit import ClassifierRows, FitPlan, class_logits, fit_classifier
from pipeline.training.classifier.settings import ClassifierConfig
from pipeline.training.probabilities import softmax
from pipeline.training.trained_network import Workshop, train_once

if TYPE_CHECKING:
    import pandas as pd

MIXED_POLICY = "mixed_bfloat16"
Track = Callable[[Iterable, int, str], Iterable]


@dataclass
class ClassifierTask:
    """What a classifier is trained on: ``.npy`` uint8 ``(M, S, S)``, the index of its rows, and where to work.

    ``workshop.folder`` must be given: it keeps cached features and the state against a kill.
    """

    pixels: Path
    image_size: int
    index: ClassIndex
    settings: ClassifierConfig
    workshop: Workshop
    track: Track = lambda steps, total, label: steps

    @classmethod
    def of(
        cls, pixels: Path, frame: pd.DataFrame, dataset: Mapping, settings: ClassifierConfig, workshop: Workshop, track: Track
    ) -> ClassifierTask:
        """The task on s01's artifacts: the profile's array, ``scan_index.csv`` and ``dataset.json``."""
        index = class_index_of(frame, dataset["profiles"][settings.profile]["modality"], settings.classes)
        return cls(pixels, read_layout(pixels).shape[1], index, settings, workshop, track)

    @property
    def rows(self) -> ClassifierRows:
        index = self.index
        return ClassifierRows(index.class_index, index.positions("train"), index.positions("valid"), len(index.class_names))

    @property
    def recipe(self) -> HeadPlan:
        return HeadPlan.of(self.settings.head, len(self.index.class_names))


@dataclass
class TrainedClassifier:
    """The network with its stored weights, the features ``(V, N, F)`` that its head learnt from, one history a training."""

    model: keras.Model
    views: np.ndarray | None
    histories: dict[str, dict] = field(default_factory=dict)


def train_classifier(task: ClassifierTask) -> TrainedClassifier:
    """Train as the settings say; validation chooses every epoch, the test rows are not read."""
    settings, workshop = task.settings, task.workshop
    fine = settings.mode == "finetune"
    model = build_network(task, settings.weights)
    if not fine:
        # Frozen kernels are rounded before a feature is computed: the head learns on what will be shipped.
        round_kernels(model, settings.stored_precision)
    histories: dict[str, dict] = {}
    views = None
    if not fine or settings.finetuning.warm_head or settings.validation.folds:
        views = feature_views(feature_extractor(model), task.pixels, task.index.rows, settings.views, settings.augmentation,
                              workshop.seed, workshop.folder, task.track)  # fmt: skip
    if not fine or settings.finetuning.warm_head:
        plan = FitPlan(settings.fit, settings.loss)
        head, histories["head"] = train_class_head("classifier_head", views, task.rows, task.recipe, plan, workshop)
        copy_head(head, model)
    if fine:
        model, histories["finetuning"] = _fine_tune(task, model)
    return TrainedClassifier(model, views, histories)


def build_network(task: ClassifierTask, weights: str) -> keras.Model:
    """The untrained network; its random parts follow the workshop's seed."""
    settings, seed = task.settings, derive_seed(task.workshop.seed, "classifier")
    keras.utils.set_random_seed(seed)
    return build_classifier(settings.backbone, task.image_size, task.recipe.class_count, task.recipe.head, weights,
                            settings.taps, seed)  # fmt: skip


def scan_probabilities(model: keras.Model, task: ClassifierTask, rows: np.ndarray) -> np.ndarray:
    """Probabilities ``(n, K)`` float32 of the whole network for rows of the index."""
    return softmax(class_logits(model, StoredScans(task.pixels, task.index.rows), rows))


def _fine_tune(task: ClassifierTask, warm: keras.Model) -> tuple[keras.Model, dict]:
    settings, tuning = task.settings, task.settings.finetuning
    plan = FitPlan(tuning.fit, settings.loss, Thawing(tuning.steps(), tuning.batch_norm == "trained"))
    scans = StoredScans(task.pixels, task.index.rows, settings.augmentation)

    def build(seed: int) -> keras.Model:
        if not tuning.fit.mixed_precision:
            return warm
        with computing_in(MIXED_POLICY):
            mixed = build_network(task, "none")
        mixed.set_weights(warm.get_weights())
        return mixed

    def fit(model: keras.Model, seed: int, state: Path | None) -> dict:
        return fit_classifier(model, scans, task.rows, plan, seed, state, task.track).as_json()

    model, history = train_once("classifier", task.workshop, build, fit)
    if tuning.fit.mixed_precision:
        # What is stored and judged computes in float32, whatever it was trained in.
        warm.set_weights(model.get_weights())
        model = warm
    model.trainable = True
    return model, history
