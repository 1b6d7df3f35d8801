"""The test predictions that a finished run left, as the tables that comparisons read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.data.scan_index import TEXT_COLUMNS, ModalityIndex, modality_index
from pipeline.engine.errors import DataError
from pipeline.engine.rundir import RunDirectory
from pipeline.evaluation.tables.prediction_frame import split_tables
from pipeline.evaluation.tables.rows import Arms, Rows
from pipeline.training.multitask.scan_pairs import index_pairs, with_shuffled_control

MODALITIES = ("xray", "ct")
PAIRED = "paired"
CONTROL = "shuffled_pairs"
TEXT = ("id", "patient_id", "modality", "split", "variant")


@dataclass(frozen=True)
class RunPredictions:
    """``tables[variant][modality]`` of the test part, and the stage that they come from.

    Of ``s06`` every table holds S training seeds; of ``s05`` the one training that the run did.
    """

    tables: Arms
    source: Literal["s05", "s06"]


def read_run_predictions(runs: Sequence[RunDirectory]) -> list[RunPredictions]:
    """The test tables of runs: of all training seeds where every run has s06, else of s05's one training.

    One source for all, since s05 and s06 draw pairs of their own.

    Raises:
        MissingArtifactError: neither stage was made; the command that makes s05 is named.
        CorruptArtifactError, DataError: an artifact was edited.
    """
    if all(run.has("significance_seed_probabilities_xray") for run in runs):
        return [RunPredictions(_all_seeds(run), "s06") for run in runs]
    return [RunPredictions(_one_training(run), "s05") for run in runs]


def _one_training(run: RunDirectory) -> Arms:
    import pandas as pd

    frame = pd.read_csv(run.artifact("head_predictions"), dtype=dict.fromkeys(TEXT, str), keep_default_na=False)
    frame = frame[frame["split"].isin(["test", "shuffled"])]
    tables: Arms = {}
    for (variant, modality, split), rows in frame.groupby(["variant", "modality", "split"], sort=False):
        name = CONTROL if split == "shuffled" else str(modality)
        patients = rows["patient_id"].to_numpy(str)
        if modality == PAIRED:
            patients = np.array([patient.split("|", 1) for patient in patients])
        tables.setdefault(str(variant), {})[name] = Rows.binary(
            rows["label"].to_numpy(np.int8), rows["probability"].to_numpy(np.float64), patients, rows["id"].to_numpy(str)
        )
    if not tables:
        raise DataError(f"{run.artifact('head_predictions')} has no test rows.", "Run s05 again with --only s05 --force.")
    return tables


def _all_seeds(run: RunDirectory) -> Arms:
    # The pairs of s06 are drawn from its seed, not stored.
    indexes = _indexes(run)
    seed = next(made.seed for made in run.manifests.values() if "significance_seed_probabilities_xray" in made.outputs)
    pairs = with_shuffled_control(index_pairs(indexes, seed), seed)
    stacks = {name: np.asarray(run.load(f"significance_seed_probabilities_{name}")) for name in (*MODALITIES, PAIRED)}
    variants = run.load_json("choice")["variants"]
    return split_tables(
        indexes, pairs,
        {variant: {name: stack[place] for name, stack in stacks.items()} for place, variant in enumerate(variants)},
        "test",
    )  # fmt: skip


def _indexes(run: RunDirectory) -> dict[str, ModalityIndex]:
    import pandas as pd

    frame = pd.read_csv(run.artifact("scan_index"), dtype=dict.fromkeys(TEXT_COLUMNS, str))
    frame = frame.fillna(dict.fromkeys(TEXT_COLUMNS, ""))
    positive = run.load_json("dataset")["positive_class"]
    return {modality: modality_index(frame, modality, positive) for modality in MODALITIES}


def arms_of_runs(runs: dict[str, RunPredictions]) -> Arms:
    """``{"<run>/<variant>": tables}``, the arms of a comparison of several runs, by run name."""
    return {f"{name}/{variant}": tables for name, read in runs.items() for variant, tables in read.tables.items()}


def unique_names(paths: list[Path]) -> list[str]:
    """Short names of run folders: their last parts, as many as tell them apart."""
    resolved = [path.resolve() for path in paths]
    for depth in range(1, max(len(path.parts) for path in resolved) + 1):
        names = ["/".join(path.parts[-depth:]) for path in resolved]
        if len(set(names)) == len(names):
            return names
    raise DataError(f"The run {resolved[0].name} is named twice.", "Name different run folders.")
