"""The test predictions that a finished run of the multi-task system left, as the arms that comparisons read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.data.run_classes import RunClasses
from pipeline.data.scan_index import TEXT_COLUMNS, ModalityIndex, labelled_index
from pipeline.data.scans import MODALITIES, PAIRED
from pipeline.engine.rundir import RunDirectory
from pipeline.evaluation.comparison.words import choice_words
from pipeline.evaluation.tables.csv_tables import CONTROL
from pipeline.evaluation.tables.prediction_files import read_predictions
from pipeline.evaluation.tables.rows import Arms, Rows
from pipeline.evaluation.tables.run_arms import RunArms, made_artifacts
from pipeline.training.multitask.reports.prediction_frame import split_tables
from pipeline.training.multitask.scan_pairs import run_pairs

ONE_TRAINING = "the one training of s05, since s06 was not made: no spread over seeds, no resplits"


def run_arms(run: RunDirectory) -> RunArms:
    """The variants on the test part: of all training seeds where the run has s06, and of s05's one training.

    Several runs are read from one of the two, since s05 and s06 draw pairs of their own.
    """
    dataset, choice = run.load_json("dataset"), run.load_json("choice")
    chosen = choice["chosen"]
    classes = RunClasses.of(dataset)
    levels = {"s05": lambda: _one_training(run, classes)}
    heading = f"{run.path}: {choice_words(choice['variants'], chosen)}"
    shared = {"controls": (CONTROL,), "drawn": (PAIRED, CONTROL)}
    if not run.has("significance_comparison"):
        heading += ". One training (s05), since s06 was not made."
        return RunArms(levels, {"s05": ONE_TRAINING}, heading, dataset["leakage"], chosen=chosen, **shared)
    return RunArms(
        {"s06": lambda: _all_seeds(run, classes), **levels}, {"s05": ONE_TRAINING}, f"{heading}; the test part was read once.",
        dataset["leakage"], document="significance_comparison",
        files=made_artifacts(run, "significance_report", "significance_figure_"), chosen=chosen, **shared,
    )  # fmt: skip


def _one_training(run: RunDirectory, classes: RunClasses) -> Arms:
    read, order = read_predictions([run.artifact("head_predictions")]), (classes.names, classes.positive)
    return {
        variant: {name: rows.in_order_of(*order) for name, rows in tables.items() if isinstance(rows, Rows)}
        for variant, tables in read.arms.items()
    }


def _all_seeds(run: RunDirectory, classes: RunClasses) -> Arms:
    # The pairs of s06 are drawn from its seed, not stored.
    answered = [name for name in (*MODALITIES, PAIRED) if run.has(f"significance_seed_probabilities_{name}")]
    indexes = _indexes(run, classes, [name for name in answered if name != PAIRED])
    seed = next(made.seed for made in run.manifests.values() if "significance_comparison" in made.outputs)
    pairs = run_pairs(indexes, seed)
    stacks = {name: np.asarray(run.load(f"significance_seed_probabilities_{name}")) for name in answered}
    variants = run.load_json("choice")["variants"]
    by_variant = {variant: {name: stack[place] for name, stack in stacks.items()} for place, variant in enumerate(variants)}
    return split_tables(indexes, pairs, by_variant, "test")


def _indexes(run: RunDirectory, classes: RunClasses, modalities: Sequence[str]) -> dict[str, ModalityIndex]:
    import pandas as pd

    frame = pd.read_csv(run.artifact("scan_index"), dtype=dict.fromkeys(TEXT_COLUMNS, str))
    frame = frame.fillna(dict.fromkeys(TEXT_COLUMNS, ""))
    return {modality: labelled_index(frame, modality, classes) for modality in modalities}
