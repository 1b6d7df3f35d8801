"""Retrain the whole chain from frozen features: once a seed, or once a resplit."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from pipeline.engine.files import atomic_write_bytes
from pipeline.training.multitask.recipes import (
    MODALITIES,
    EmbedderRecipe,
    HeadRecipe,
    Labelled,
    SharedRecipe,
    Tail,
    TaskRecipe,
    features_from,
    train_embedder,
    train_shared,
    train_task_extractor,
)
from pipeline.training.multitask.scan_pairs import Pairs
from pipeline.training.multitask.three_heads import train_heads
from pipeline.training.trained_network import Workshop

Probabilities = dict[str, dict[str, np.ndarray]]


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
    pairs: Pairs,
    recipe: ChainRecipe,
    workshop: Workshop,
) -> Probabilities:
    """Backbone features ``{(modality, role): (N, F)}`` → ``{variant: {"xray" | "ct" | "paired": (N,) or (P,)}}``.

    Everything that learns from labels is trained anew on ``scans[...].train``: the embedding layers with the tails
    that they fine-tune, the task extractors, the shared extractor of each variant and the three heads.
    """
    embeddings = {}
    for (modality, role), given in features.items():
        name, tail = f"embedder_{modality}_{role}", recipe.tails.get((modality, role))
        model, _ = train_embedder(name, given, scans[modality], recipe.embedder, workshop, tail)
        embeddings[modality, role] = features_from(model, given)
    task = {}
    for modality in MODALITIES:
        embedding = embeddings[modality, "task"]
        model, _ = train_task_extractor(modality, embedding, scans[modality], recipe.task, workshop)
        task[modality] = features_from(model, embedding)
    shared_embeddings = {modality: embeddings[modality, "shared"] for modality in MODALITIES}
    answers: Probabilities = {}
    for variant in recipe.variants:
        extractor = train_shared(variant, shared_embeddings, scans, recipe.shared, workshop).extractor
        joined = {m: np.concatenate([task[m], features_from(extractor, shared_embeddings[m])], axis=1) for m in MODALITIES}
        answers[variant] = train_heads(joined, scans, pairs, recipe.head, workshop.apart(f"heads_{variant}")).probabilities
    return answers


def train_chain_once(
    name: str,
    features: Mapping[tuple[str, str], np.ndarray],
    scans: Mapping[str, Labelled],
    pairs: Pairs,
    recipe: ChainRecipe,
    workshop: Workshop,
) -> Probabilities:
    """``train_chain`` in a workshop of its own; a finished repetition is read back after a kill."""
    own = workshop.apart(name)
    if own.folder is None:
        return train_chain(features, scans, pairs, recipe, own)
    finished = own.folder.with_suffix(".npz")
    if not finished.exists():
        keras.backend.clear_session()
        answers = train_chain(features, scans, pairs, recipe, own)
        buffer = io.BytesIO()
        np.savez(buffer, **{f"{variant}/{m}": p for variant, by in answers.items() for m, p in by.items()})
        atomic_write_bytes(finished, buffer.getvalue())
        shutil.rmtree(own.folder, ignore_errors=True)
    stored: Probabilities = {}
    with np.load(finished, allow_pickle=False) as archive:
        for key in archive.files:
            variant, modality = key.split("/")
            stored.setdefault(variant, {})[modality] = archive[key]
    return stored
