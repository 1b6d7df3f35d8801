"""Train every arm over seeds, and ask of the test part what it knows of the lesion and what tells the modality."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np

from pipeline.data.scan_index import ModalityIndex
from pipeline.data.scans import MODALITIES
from pipeline.evaluation.comparison.variants import ADVERSARIAL_VARIANTS, generator_name
from pipeline.training.alignment_study.phantom_scans import StudyScans
from pipeline.training.alignment_study.settings import StudySettings
from pipeline.training.multitask.adversarial.balanced_batches import UNKNOWN
from pipeline.training.multitask.adversarial.modality_probes import Answers, ProbedRows, held_out_answers
from pipeline.training.multitask.adversarial.probed_features import fresh_probes, probed_rows, stacked
from pipeline.training.multitask.adversarial.shared_extractors import SharedExtractors
from pipeline.training.multitask.recipes import Labelled, SharedRecipe, features_from, probabilities_from
from pipeline.training.multitask.scan_labels import labelled
from pipeline.training.trained_network import Workshop

Track = Callable[[Iterable[int], int, str], Iterable[int]]


@dataclass(frozen=True)
class ArmAnswers:
    """What S trainings of an arm say of the test part.

    probabilities: ``{modality: (S, n)}`` of the lesion. told: ``{probe: (S, n of both)}``, a fresh probe's of "X-ray".
    """

    probabilities: Mapping[str, np.ndarray]
    told: Answers


@dataclass(frozen=True)
class Trained:
    """The answers of every arm, of fresh probes to the embeddings, and the epoch kept of each generator (from 1)."""

    arms: Mapping[str, ArmAnswers]
    raw: Answers
    kept_epochs: Mapping[str, int]


def train_arms(
    scans: StudyScans, settings: StudySettings, study: str, taught: tuple[str, ...] = MODALITIES, track: Track | None = None
) -> Trained:
    """Each arm over ``settings.seeds`` trainings, arms of one seed beside each other.

    As in s04 and s06, the epoch of a generator is chosen once, by fresh probes of validation, in a training of its own; those
    whose answers are told end at that epoch. study: its name, from which seeds derive. taught: the modalities whose labels
    are learnt from; of the others, only fresh probes of the test part know labels, for cells of modality × label to weigh alike.
    """
    known = {name: _known(index, name in taught) for name, index in scans.indexes.items()}
    recipe = _recipe(known, settings)
    workshop = Workshop(settings.seed, recipe.precision).apart(study)
    recipe = recipe.model_copy(update={"kept_epochs": _kept_epochs(scans, known, recipe, settings, workshop)})
    held = probed_rows(scans.indexes, "test")
    given: dict[str, list[tuple[dict, Answers]]] = {arm: [] for arm in settings.arms}
    numbers = range(settings.seeds)
    for number in numbers if track is None else track(numbers, settings.seeds, study):
        keras.backend.clear_session()
        extractors = SharedExtractors(scans.embeddings, _labels(known), recipe, workshop.apart(f"seed_{number:02d}"))
        for arm in settings.arms:
            model = extractors.train(arm).extractor
            features = stacked({name: features_from(model, scans.embeddings[name]) for name in MODALITIES})
            asked = {name: scans.embeddings[name][index.rows("test")] for name, index in scans.indexes.items()}
            answers = {name: probabilities_from(model, inputs) for name, inputs in asked.items()}
            given[arm].append((answers, held_out_answers(features, held, settings.seed)))
    raw = held_out_answers(stacked(scans.embeddings), held, settings.seed)
    arms = {arm: ArmAnswers(*map(_over_trainings, zip(*made, strict=True))) for arm, made in given.items()}
    return Trained(arms, raw, {arm: epoch + 1 for arm, epoch in recipe.kept_epochs.items()})


def _recipe(known: Mapping[str, ModalityIndex], settings: StudySettings) -> SharedRecipe:
    labels = np.concatenate([index.labels[index.rows("train")] for index in known.values()])
    fit = settings.fit.model_copy(update={"batch_size": settings.batch_size(int(np.sum(labels != UNKNOWN)))})
    adversarial = settings.adversarial.model_copy(update={"batch_size": settings.batch_size(len(labels))})
    return SharedRecipe(fit=fit, adversarial=adversarial, finetune=fit)


def _kept_epochs(
    scans: StudyScans, known: Mapping[str, ModalityIndex], recipe: SharedRecipe, settings: StudySettings, workshop: Workshop
) -> dict[str, int]:
    probe = fresh_probes(_chosen_by(known), settings.seed)
    extractors = SharedExtractors(scans.embeddings, _labels(known), recipe, workshop.apart("choice"), probe)
    chosen = [arm for arm in settings.arms if arm in ADVERSARIAL_VARIANTS]
    return {arm: extractors.train(arm).histories[generator_name(arm)]["best_epoch"] for arm in chosen}


def _chosen_by(known: Mapping[str, ModalityIndex]) -> ProbedRows:
    """Rows of which fresh probes are asked; where a label is not known, modality alone weighs: a label that one modality
    alone has would itself tell the modality."""
    rows = probed_rows(known)
    return replace(rows, labels=np.zeros_like(rows.labels)) if UNKNOWN in rows.labels else rows


def _known(index: ModalityIndex, taught: bool) -> ModalityIndex:
    return index if taught else replace(index, labels=np.full_like(index.labels, UNKNOWN))


def _labels(known: Mapping[str, ModalityIndex]) -> dict[str, Labelled]:
    return {name: labelled(index) for name, index in known.items()}


def _over_trainings(made: tuple[Mapping[str, np.ndarray], ...]) -> dict[str, np.ndarray]:
    return {name: np.stack([one[name] for one in made]) for name in made[0]}
