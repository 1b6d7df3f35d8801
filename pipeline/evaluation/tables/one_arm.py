"""The rows of a table of predictions that holds one arm, with one of its further columns: what studies of groups read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.engine.errors import DataError, did_you_mean
from pipeline.evaluation.tables.csv_tables import JUDGED
from pipeline.evaluation.tables.prediction_files import read_predictions
from pipeline.evaluation.tables.rows import Rows


def read_one_arm(
    path: Path | str, column: str, table: Path | str | None = None, positive: str | None = None, threshold: float = 0.5,
    split: str | None = None,
) -> tuple[Rows, np.ndarray, Sequence[str]]:  # fmt: skip
    """The rows of one file with one arm and one modality, the texts (N,) of one of its columns, and warnings.

    table: a CSV with further columns, joined by id. split: the part that is read, the test part where not said and there is one;
    see `read_predictions`. Raises DataError as it does, and where there is no such column, more than one arm or modality, or
    measures in place of classes.
    """
    read = read_predictions([path], table, positive, threshold, labels_win=False, split=split)
    every = [(arm, modality) for arm, tables in read.arms.items() for modality, rows in tables.items() if isinstance(rows, Rows)]
    # Beside the test part of a run, the rows out of fold and the control are further judgements of scans that it may hold too.
    tested = [(arm, modality) for arm, modality in every if modality not in JUDGED.values()]
    every = tested or every
    if len(every) != 1:
        names = ", ".join("/".join(one) for one in every) or "measures alone"
        raise DataError(f"{path}: there are several arms or modalities ({names}).", "Keep the rows of one.")
    ((arm, modality),) = every
    facts: Mapping = read.facts[arm][modality]
    if column not in facts:
        source = f"{path} and {table}" if table is not None else f"{path}"
        raise DataError(
            f"{source}: there is no column {column!r}.{did_you_mean(column, list(facts))}",
            "Name a column of the predictions, or of a table given with --table.",
        )
    return read.arms[arm][modality], facts[column].to_numpy(str), read.warnings
