"""The readings of fresh probes that a run takes of its shared features: of validation, and once of the test part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data.scan_index import ModalityIndex
from pipeline.training.multitask.adversarial.modality_probes import (
    Answers,
    ProbedRows,
    Weighting,
    held_out_answers,
    probe_modality,
    probe_scores,
)

ModalityAnswers = dict[str, np.ndarray]
MODALITIES = ("xray", "ct")


def probed_rows(indexes: Mapping[str, ModalityIndex], held: str = "valid") -> ProbedRows:
    """The rows of the modalities, X-rays first: training rows to learn from, those of split ``held`` to answer."""
    there = [modality for modality in MODALITIES if modality in indexes]
    shift = dict(zip(there, (0, len(indexes[there[0]].labels)), strict=False))

    def rows(split: str) -> np.ndarray:
        return np.concatenate([indexes[m].rows(split) + shift[m] for m in there])

    return ProbedRows(
        np.concatenate([np.full(len(indexes[m].labels), m == "xray", np.int8) for m in there]),
        np.concatenate([indexes[m].labels for m in there]),
        np.concatenate([indexes[m].patients for m in there]),
        rows("train"),
        rows(held),
    )


def fresh_probes(rows: ProbedRows, seed: int) -> Callable[[np.ndarray], dict[str, float]]:
    """Features ``(N, K)`` → balanced accuracy of each probe at the held rows: what ``fit_alignment`` asks."""

    def read(hidden: np.ndarray) -> dict[str, float]:
        scores = probe_modality(hidden, rows, seed)["probes"]
        return {name: told["balanced_accuracy"]["value"] for name, told in scores.items()}

    return read


def stacked(features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Features ``(N_xray + N_ct, K)``, X-rays first."""
    return np.concatenate([np.asarray(features[m]) for m in MODALITIES if m in features])


@dataclass(frozen=True)
class Reading:
    """One question: of which rows, and what weighs alike."""

    rows: ProbedRows
    weighting: Weighting = "cells"


class ModalityReadings:
    """Readings by name, asked of every training's features with one seed, so that trainings can be compared."""

    def __init__(self, indexes: Mapping[str, ModalityIndex], seed: int) -> None:
        valid = probed_rows(indexes)
        self._seed = seed
        self._readings = {
            "valid": Reading(valid), "valid_by_modality": Reading(valid, "modality"),
            "test": Reading(probed_rows(indexes, "test")),
        }  # fmt: skip

    def ask(self, features: Mapping[str, np.ndarray]) -> ModalityAnswers:
        """``{"reading:probe": (n_held,) probability of X-ray}``."""
        joined = stacked(features)
        return {
            f"{name}:{probe}": told
            for name, reading in self._readings.items()
            for probe, told in held_out_answers(joined, reading.rows, self._seed, reading.weighting).items()
        }

    def scores(self, trainings: list[ModalityAnswers]) -> dict[str, dict]:
        """``{reading: probe_scores}`` over trainings."""
        scores = {}
        for name, reading in self._readings.items():
            probes = [key.partition(":")[2] for key in trainings[0] if key.startswith(f"{name}:")]
            answers: Answers = {probe: np.stack([told[f"{name}:{probe}"] for told in trainings]) for probe in probes}
            scores[name] = probe_scores(answers, reading.rows, self._seed, reading.weighting)
        return scores
