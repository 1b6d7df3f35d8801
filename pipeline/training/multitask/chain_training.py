"""Retrain the whole chain from frozen features: once a seed, or once a resplit."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from pipeline.engine.files import atomic_write_bytes
from pipeline.training.multitask.adversarial.probed_features import ModalityAnswers, ModalityReadings
from pipeline.training.multitask.adversarial.shared_extractors import SharedExtractors
from pipeline.training.multitask.heads import train_heads
from pipeline.training.multitask.recipes import (
    EmbedderRecipe,
    HeadRecipe,
    Labelled,
    SharedRecipe,
    Tail,
    TaskRecipe,
    features_from,
    probabilities_from,
    train_embedder,
    train_task_extractor,
)
from pipeline.training.multitask.scan_pairs import Pairs
from pipeline.training.trained_network import Workshop

Probabilities = dict[str, dict[str, np.ndarray]]
TOLD, EXTRACTOR = "told", "extractor"


@dataclass(frozen=True)
class ChainAnswers:
    """``probabilities[variant]["xray" | "ct" | "paired"]`` ``(N,)`` or ``(P,)``, with an axis of classes where there are more
    than two; ``told[variant]``: what fresh probes said of each held row's modality, and ``extractors[variant]["xray" | "ct"]``
    what the shared extractor itself says of each scan, where the probes were asked."""

    probabilities: Probabilities
    told: dict[str, ModalityAnswers] = field(default_factory=dict)
    extractors: Probabilities = field(default_factory=dict)


@dataclass(frozen=True)
class ChainRecipe:
    """The recipes of s02 to s05, and the variants that are compared; ``tails`` of the embedders that are fine-tuned."""

    embedder: EmbedderRecipe
    task: TaskRecipe
    shared: SharedRecipe
    head: HeadRecipe
    variants: tuple[str, ...]
    tails: Mapping[tuple[str, str], Tail] = field(default_factory=dict)


def train_chain(
    features: Mapping[tuple[str, str], np.ndarray],
    scans: Mapping[str, Labelled],
    pairs: Pairs | None,
    recipe: ChainRecipe,
    workshop: Workshop,
    readings: ModalityReadings | None = None,
) -> ChainAnswers:
    """Backbone features ``{(modality, role): (N, F)}`` → the answers of every variant, and of ``readings`` to its features.

    Everything that learns from labels is trained anew on ``scans[...].train``: the embedding layers with the tails
    that they fine-tune, the task extractors, the shared extractor of each variant and the heads.
    """
    embeddings = {}
    for (modality, role), given in features.items():
        name, tail = f"embedder_{modality}_{role}", recipe.tails.get((modality, role))
        model, _ = train_embedder(name, given, scans[modality], recipe.embedder, workshop, tail)
        embeddings[modality, role] = features_from(model, given)
    task: dict[str, np.ndarray] = {}
    for modality in scans:
        embedding = embeddings[modality, "task"]
        model, _ = train_task_extractor(modality, embedding, scans[modality], recipe.task, workshop)
        task[modality] = features_from(model, embedding)
    shared_embeddings = {modality: embeddings[modality, "shared"] for modality in scans}
    answers = ChainAnswers({})
    extractors = SharedExtractors(shared_embeddings, scans, recipe.shared, workshop)
    for variant in recipe.variants:
        extractor = extractors.train(variant).extractor
        shared = {m: features_from(extractor, shared_embeddings[m]) for m in scans}
        joined = {m: np.concatenate([task[m], shared[m]], axis=1) for m in scans}
        heads = train_heads(joined, scans, pairs, recipe.head, workshop.apart(f"heads_{variant}"))
        answers.probabilities[variant] = heads.probabilities
        if readings is not None:
            answers.told[variant] = readings.ask(shared)
            answers.extractors[variant] = {m: probabilities_from(extractor, shared_embeddings[m]) for m in scans}
    return answers


def train_chain_once(
    name: str,
    features: Mapping[tuple[str, str], np.ndarray],
    scans: Mapping[str, Labelled],
    pairs: Pairs | None,
    recipe: ChainRecipe,
    workshop: Workshop,
    readings: ModalityReadings | None = None,
) -> ChainAnswers:
    """``train_chain`` in a workshop of its own; a finished repetition is read back after a kill."""
    own = workshop.apart(name)
    if own.folder is None:
        return train_chain(features, scans, pairs, recipe, own, readings)
    finished = own.folder.with_suffix(".npz")
    if not finished.exists():
        keras.backend.clear_session()
        made = train_chain(features, scans, pairs, recipe, own, readings)
        buffer = io.BytesIO()
        kinds = {"": made.probabilities, f"{TOLD}/": made.told, f"{EXTRACTOR}/": made.extractors}
        np.savez(buffer, **{
            f"{variant}/{kind}{name}": array
            for kind, every in kinds.items() for variant, by_name in every.items() for name, array in by_name.items()
        })  # fmt: skip
        atomic_write_bytes(finished, buffer.getvalue())
        shutil.rmtree(own.folder, ignore_errors=True)
    stored = ChainAnswers({})
    places = {(): stored.probabilities, (TOLD,): stored.told, (EXTRACTOR,): stored.extractors}
    with np.load(finished, allow_pickle=False) as archive:
        for key in archive.files:
            variant, *kind, name = key.split("/")
            places[tuple(kind)].setdefault(variant, {})[name] = archive[key]
    return stored
