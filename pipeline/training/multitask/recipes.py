"""The multi-modal, multi-task recipe, network by network: what s02 to s05 run once and s06 repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from pydantic import model_validator

from pipeline.data.run_classes import answer_width
from pipeline.data.scans import MODALITIES
from pipeline.engine.errors import DataError
from pipeline.engine.settings import Settings
from pipeline.evaluation.comparison.variants import objective_in
from pipeline.models import respiratory_networks as networks
from pipeline.models.stored_precision import StoredPrecision
from pipeline.training.multitask.adversarial.adversaries import ModalityExamples
from pipeline.training.multitask.label_fit import (
    PREDICTION_BATCH,
    Examples,
    apply_network,
    diagnosis_logits,
    fit_labels,
    network_blocks,
    rows_of,
)
from pipeline.training.probabilities import sigmoid, softmax
from pipeline.training.settings import AdversarialSettings, FitSettings
from pipeline.training.trained_network import Workshop, train_once

TASK_EXTRACTORS = {"xray": networks.build_xray_task_extractor, "ct": networks.build_ct_task_extractor}


class Recipe(Settings):
    """How one kind of network is trained, and the precision in which it is stored."""

    fit: FitSettings
    precision: StoredPrecision = "float16"


class EmbedderRecipe(Recipe):
    """How an embedder is trained on frozen backbone features."""

    dropout: float = 0.0


class TaskRecipe(Recipe):
    """How a task-specific extractor is trained."""


class SharedRecipe(Recipe):
    """How the shared extractor is trained, without (``fit``) and with adversarial training (all).

    kept_epochs: the epoch (from 0) that fresh probes chose in s04, by variant; a training of it ends there, without probes.
    """

    adversarial: AdversarialSettings
    inverted: AdversarialSettings = AdversarialSettings(objective="inverted")
    original: AdversarialSettings = AdversarialSettings(objective="original")
    finetune: FitSettings
    kept_epochs: dict[str, int] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_former_names(cls, stored: Any) -> Any:
        section = stored.get("adversarial") if isinstance(stored, dict) else None
        if isinstance(section, dict) and section.get("objective") == "sound" and objective_in(section) != "sound":
            raise DataError(
                "s04 was made when objective 'sound' was what is now called 'inverted'.",
                "Run s04 again: --only s04 --force --set s04.adversarial.objective=inverted (or sound, which now aligns).",
            )
        return stored

    def adversarial_settings(self, variant: str) -> AdversarialSettings:
        """Those of one of ADVERSARIAL_VARIANTS."""
        return getattr(self, variant)


class HeadRecipe(Recipe):
    """How the classifier heads are trained."""


@dataclass(frozen=True)
class Labelled:
    """Labels ``(N,)`` int8 of one modality's scans, 0 to ``classes`` - 1 (the positive class of two 1), with the rows that
    train and that choose."""

    labels: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    classes: int = 2

    def examples(self, inputs: np.ndarray) -> Examples:
        return Examples(inputs, self.labels, self.train, self.valid, self.classes)

    @property
    def logits(self) -> int:
        """How many logits a network ends in that tells the classes apart."""
        return answer_width(self.classes)


@dataclass
class Tail:
    """A backbone's tail (``split_backbone``), how an embedder fine-tunes it, and the front's features ``(N, F)``."""

    network: keras.Model
    fit: FitSettings
    features: np.ndarray

    @cached_property
    def pooled(self) -> np.ndarray:
        """What the tail gives before any fine-tuning, ``(N, F')`` float32: computed once for all trainings."""
        return apply_network(self.network, self.features)


def train_embedder(
    name: str, features: np.ndarray, scans: Labelled, recipe: EmbedderRecipe, workshop: Workshop, tail: Tail | None = None
):
    """Backbone features ``(N, F)`` → embedder network and its history; standardised on the training rows.

    With a ``tail``, whose features are these, an embedder is trained on what the frozen tail gives; then both are
    trained on, and the history is of this second training.
    """
    if tail is None:
        return _train_on_frozen(name, features, scans, recipe, workshop)
    frozen, _ = _train_on_frozen(f"{name}_frozen", tail.pooled, scans, recipe, workshop)
    return train_once(
        name, workshop,
        lambda seed: networks.build_fine_tuned_embedder(tail.network, frozen, name, seed),
        lambda model, seed, state: fit_labels(model, scans.examples(features), tail.fit, seed, state).as_json(),
    )  # fmt: skip


def _train_on_frozen(name: str, features: np.ndarray, scans: Labelled, recipe: EmbedderRecipe, workshop: Workshop):
    mean, variance = _moments(features, scans.train)
    return train_once(
        name, workshop,
        lambda seed: networks.build_embedder(mean, variance, name, recipe.dropout, seed, scans.logits),
        lambda model, seed, state: fit_labels(model, scans.examples(features), recipe.fit, seed, state).as_json(),
    )  # fmt: skip


def _moments(features: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance ``(F,)`` float32 of the given rows, summed in float64 a block at a time."""
    total = squares = np.zeros(features.shape[1])
    for start in range(0, len(rows), PREDICTION_BATCH):
        block = rows_of(features, rows[start : start + PREDICTION_BATCH]).astype(np.float64)
        total, squares = total + block.sum(axis=0), squares + np.square(block).sum(axis=0)
    mean = total / len(rows)
    return mean.astype(np.float32), (np.maximum(squares / len(rows) - mean**2, 0)).astype(np.float32)


def train_task_extractor(modality: str, embedding: np.ndarray, scans: Labelled, recipe: TaskRecipe, workshop: Workshop):
    """Embedding ``(N, 1280)`` → the modality's task extractor and its history."""
    return train_once(
        f"task_extractor_{modality}", workshop,
        lambda seed: TASK_EXTRACTORS[modality](seed=seed, logits=scans.logits),
        lambda model, seed, state: fit_labels(model, scans.examples(embedding), recipe.fit, seed, state).as_json(),
    )  # fmt: skip


def both_modalities(arrays: Mapping[str, np.ndarray], scans: Mapping[str, Labelled]) -> ModalityExamples:
    """Stack X-ray rows over CT rows, or those of the one modality that there is, with the modality label (X-ray 1, CT 0)."""
    there = [modality for modality in MODALITIES if modality in arrays]
    shift = dict(zip(there, (0, len(arrays[there[0]])), strict=False))
    return ModalityExamples(
        np.concatenate([np.asarray(arrays[m], np.float32) for m in there]),
        np.concatenate([np.full(len(arrays[m]), m == "xray", np.int8) for m in there]),
        np.concatenate([scans[m].labels for m in there]),
        np.concatenate([scans[m].train + shift[m] for m in there]),
        np.concatenate([scans[m].valid + shift[m] for m in there]),
        classes=scans[there[0]].classes,
    )


def features_from(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """What enters the network's last Dense, ``(N, K)`` float32."""
    return apply_network(networks.features_of(model), inputs)


def feature_blocks(model: keras.Model, inputs: np.ndarray) -> Iterator[np.ndarray]:
    """As ``features_from``, a block of rows at a time: nothing grows with the number of scans."""
    return network_blocks(networks.features_of(model), inputs)


def train_head(name: str, features: np.ndarray, scans: Labelled, recipe: HeadRecipe, workshop: Workshop):
    """Concatenated features ``(N, F)`` → classifier head and its history."""
    return train_once(
        name, workshop,
        lambda seed: networks.build_classifier_head(features.shape[1], name, scans.logits),
        lambda model, seed, state: fit_labels(model, scans.examples(features), recipe.fit, seed, state).as_json(),
    )  # fmt: skip


def probabilities_from(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Probability of the positive class of two ``(N,)``, or of each of K ``(N, K)``, float32."""
    logits = diagnosis_logits(model, inputs)
    return sigmoid(logits) if logits.ndim == 1 else softmax(logits)
