"""The shared extractor of every variant: plain, erased, or behind a generator that hides the modality."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.variants import ADVERSARIAL_VARIANTS, PLAIN, generator_name
from pipeline.models import respiratory_networks as networks
from pipeline.training.multitask.adversarial.adversaries import Adversaries
from pipeline.training.multitask.adversarial.alignment_fit import Probe, fit_alignment
from pipeline.training.multitask.adversarial.balanced_batches import UNKNOWN
from pipeline.training.multitask.adversarial.concept_erasure import modality_erasure
from pipeline.training.multitask.adversarial.inverted_fit import fit_inverted
from pipeline.training.multitask.label_fit import Examples, fit_labels
from pipeline.training.multitask.recipes import Labelled, SharedRecipe, both_modalities, features_from
from pipeline.training.trained_network import Workshop, train_once


@dataclass(frozen=True)
class SharedTraining:
    """A shared extractor with the networks that made it and the history of each."""

    extractor: keras.Model
    histories: dict[str, dict]
    parts: dict[str, keras.Model]


class SharedExtractors:
    """Embeddings of both modalities → shared extractors, variant by variant; what several rest on is trained once.

    A scan whose label is -1 takes part in hiding the modality, and in nothing that learns or judges the diagnosis.
    probe: what ``fit_alignment`` asks to choose an epoch; None where the recipe names the epochs.
    """

    def __init__(
        self, embeddings: Mapping[str, np.ndarray], scans: Mapping[str, Labelled], recipe: SharedRecipe, workshop: Workshop,
        probe: Probe | None = None,
    ) -> None:  # fmt: skip
        self._pooled, self._recipe, self._workshop, self._probe = both_modalities(embeddings, scans), recipe, workshop, probe
        pooled = self._pooled
        train, valid = (rows[pooled.labels[rows] != UNKNOWN] for rows in (pooled.train, pooled.valid))
        self._labelled = Examples(pooled.embeddings, pooled.labels, train, valid, pooled.classes)
        self._plain: SharedTraining | None = None

    def train(self, variant: str) -> SharedTraining:
        """The extractor of one of VARIANTS. Raises DataError as ``fit_alignment`` and ``modality_erasure``, and where labels
        are unknown under another objective than sound."""
        if variant in ADVERSARIAL_VARIANTS:
            return self._train_adversarial(variant)
        if self._plain is None:
            self._plain = self._train_plain()
        return self._plain if variant == PLAIN else self._erase(self._plain.extractor)

    def _train_plain(self) -> SharedTraining:
        model, history = train_once(
            "shared_plain", self._workshop,
            lambda seed: networks.build_shared_plain(seed=seed, logits=self._labelled.logits),
            lambda model, seed, state: fit_labels(model, self._labelled, self._recipe.fit, seed, state).as_json(),
        )  # fmt: skip
        return SharedTraining(model, {"shared_plain": history}, {"shared_plain": model})

    def _erase(self, plain: keras.Model) -> SharedTraining:
        found: dict[str, keras.Model] = {}

        def build(seed: int) -> keras.Model:
            features = features_from(plain, self._pooled.embeddings)
            erasure = modality_erasure(features, self._pooled.modality, self._pooled.labels, self._pooled.train)
            return networks.build_shared_erased(plain, erasure.matrix, erasure.offset)

        found["shared_erased"], history = train_once("shared_erased", self._workshop, build, lambda *_: {})
        return SharedTraining(found["shared_erased"], {"shared_erased": history}, found)

    def _train_adversarial(self, variant: str) -> SharedTraining:
        settings, name = self._recipe.adversarial_settings(variant), generator_name(variant)
        used = np.concatenate([self._pooled.train, self._pooled.valid])
        if settings.objective != "sound" and UNKNOWN in self._pooled.labels[used]:
            raise DataError(
                f"Objective {settings.objective!r} would take unknown labels (-1) for a class.",
                "Train it on labelled scans alone, or take objective sound.",
            )

        def fit_generator(generator: keras.Model, seed: int, state) -> dict:
            # in this order: both draw their initial weights from one course of random numbers
            discriminator, probe = networks.build_discriminator(), networks.build_label_probe(logits=self._labelled.logits)
            players = Adversaries(generator, discriminator, probe)
            if settings.objective != "sound":
                return fit_inverted(players, self._pooled, settings, seed, state).as_json()
            kept = self._recipe.kept_epochs.get(variant)
            course = fit_alignment(
                players, self._pooled, settings, seed, state,
                probe=self._probe if kept is None else None, stop_after=None if kept is None else kept + 1,
            )  # fmt: skip
            return without_nan(course.as_json())

        generator, duel = train_once(name, self._workshop, lambda seed: networks.build_generator(name), fit_generator)
        target = self._labelled
        if settings.objective == "original":
            target = Examples(self._pooled.embeddings, self._pooled.modality, self._pooled.train, self._pooled.valid)
        extractor = f"shared_{variant}"
        model, history = train_once(
            extractor, self._workshop,
            lambda seed: networks.build_shared_adversarial(generator, extractor, target.logits),
            lambda model, seed, state: fit_labels(model, target, self._recipe.finetune, seed, state).as_json(),
        )  # fmt: skip
        histories = {name: duel, extractor: history}
        return SharedTraining(model, histories, {name: generator, extractor: model})


def without_nan(history: dict) -> dict:
    """A history as JSON knows it: None where an epoch has no number."""
    return {
        name: [None if math.isnan(number) else number for number in course] if isinstance(course, list) else course
        for name, course in history.items()
    }
