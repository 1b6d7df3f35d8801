"""What a study shows, in sentences. Importable without TensorFlow or scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from pipeline.data.scans import CT
from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.alignment_words import CHANCE, alignment_sentence, strongest_probe
from pipeline.evaluation.comparison.variants import PLAIN
from pipeline.training.alignment_study.studies import HIDDEN, NOTHING, STUDIES, UNLABELLED

# The largest loss of AUC at which a lesion counts as kept.
TOLERATED_LOSS = 0.02


def verdicts(study: str, document: Mapping, severity: float = 1.0) -> list[str]:
    """Sentences on one study's ``raw``, ``arms`` and ``sides``, as the document has them.

    severity: of the planted lesion; at 0 there is none to keep or to know, and what is asked is whether one is invented.
    """
    asked = _nothing if study == NOTHING else partial(_hidden, study), _ON_LESION[study] if severity else _invented
    return [sentence for arm in document["arms"] for ask in asked for sentence in ask(arm, document)]


def _hidden(study: str, arm: str, document: Mapping) -> list[str]:
    scores = {"raw": document["raw"], **{name: told["probes"] for name, told in document["arms"].items()}}
    return [alignment_sentence(scores, arm, *STUDIES[study].hides)]


def _kept(arm: str, document: Mapping) -> list[str]:
    differences = document["arms"][arm].get("difference", {})
    sentences = []
    for side, told in differences.items():
        kept = told["value"] is not None and told["value"] >= -TOLERATED_LOSS
        sure = kept and told["low"] is not None and told["low"] >= -TOLERATED_LOSS
        said = f"AUC of {arm} minus {PLAIN} {interval_text(told, signed=True)} in {document['sides'][side]}"
        chance = not kept and told["high"] is not None and told["high"] >= -TOLERATED_LOSS
        end = "; at this sample size a larger loss is not ruled out" if kept and not sure else ""
        end = "; at this sample size that may be chance" if chance else end
        sentences.append(f"The lesion is {'kept' if kept else 'not kept'} within {TOLERATED_LOSS:g}: {said}{end}.")
    return sentences


def _nothing(arm: str, document: Mapping) -> list[str]:
    scores = document["arms"][arm]["probes"]
    at_chance = all(_holds(told[metric], CHANCE) for told in scores["probes"].values() for metric in ("balanced_accuracy", "auc"))
    found = "every fresh probe is at chance" if at_chance else "a fresh probe is not at chance"
    area = interval_text(scores["probes"][scores["strongest"]]["auc"])
    return [f"{arm}: {found}, the strongest at {interval_text(strongest_probe(scores))}, AUC {area}."]


def _unchanged(arm: str, document: Mapping) -> list[str]:
    sentences = []
    for side, told in document["arms"][arm].get("difference", {}).items():
        change = "not shown to change" if _holds(told, 0.0) else "shown to change"
        sentences.append(f"{arm}: the lesion's AUC is {change} in {document['sides'][side]}, {interval_text(told, signed=True)}.")
    return sentences


def _invented(arm: str, document: Mapping) -> list[str]:
    sentences = []
    for side, told in document["arms"][arm]["auc"].items():
        found = "none is invented" if _holds(told, CHANCE) else "yet the label is not at chance"
        sentences.append(f"{arm}: no lesion was planted, and {found} in {document['sides'][side]}: AUC {interval_text(told)}.")
    return sentences


def _unlabelled(arm: str, document: Mapping) -> list[str]:
    made = document["arms"][arm]
    side = document["sides"][CT]
    if arm == PLAIN:
        return [f"Taught on X-rays alone, {PLAIN} knows the lesion in {side} with AUC {interval_text(made['auc'][CT])}."]
    told = made.get("difference", {}).get(CT)
    if told is None:
        return []
    by_chance = _of_trainings(made, document["arms"][PLAIN])
    shown = told["low"] is not None and not _holds(told, 0.0) and abs(told["value"]) > by_chance
    verdict = ("shown to help" if told["value"] > 0 else "shown to harm") if shown else "not shown to help or to harm"
    values = f"AUC {interval_text(made['auc'][CT])}, {interval_text(told, signed=True)} to {PLAIN}"
    noise = made["training_noise"][CT]
    spread = f"; its single trainings reach from {noise['min']:.3f} to {noise['max']:.3f}" if noise["seeds"] > 1 else ""
    return [f"{arm} is {verdict} in {side}: {values}{spread}."]


def _of_trainings(made: Mapping, plain: Mapping) -> float:
    """Twice the standard error by which two means over trainings differ from training to training; intervals by patient take
    the trainings for given. Infinite where there is but one."""
    noises = [told["training_noise"][CT] for told in (made, plain)]
    if min(noise["seeds"] for noise in noises) < 2:
        return math.inf
    return 2 * math.sqrt(sum(noise["sd"] ** 2 / noise["seeds"] for noise in noises))


def _holds(interval: Mapping, value: float) -> bool:
    """Whether the interval, where there is one, has the value within it."""
    return interval["low"] is None or interval["low"] <= value <= interval["high"]


_ON_LESION: dict[str, Callable[[str, Mapping], list[str]]] = {HIDDEN: _kept, NOTHING: _unchanged, UNLABELLED: _unlabelled}
