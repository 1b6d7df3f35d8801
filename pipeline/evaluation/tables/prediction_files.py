"""Reads prediction tables from CSV files, as `predict --csv` writes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas

from pipeline.engine.errors import DataError
from pipeline.evaluation.tables.prediction_table import PredictionTable

REQUIRED = ("id", "modality", "probability")


def read_predictions(
    paths: Sequence[Path | str], labels: Path | str | None = None, positive: str = "COVID"
) -> tuple[dict[str, dict[str, PredictionTable]], list[str]]:
    """Prediction tables (arm -> modality -> table) and warnings from CSV files.

    Columns: id, modality, probability; label (0/1, or class names of which `positive` is the positive one)
    unless `labels` names a CSV with id, label and optionally modality and patient_id; optional patient_id
    (for pairs the X-ray patient, with patient_id_ct beside it), seed (one row for each training seed), arm
    (else each file is an arm, named by its stem), error. Rows with an error or without a probability are left
    out, counted in a warning; so are rows that not every seed has. Raises DataError naming the file.
    """
    if not paths:
        raise DataError("No prediction file was given.", "Name at least one CSV.")
    truth = None if labels is None else _labels(Path(labels))
    frames: dict[str, list[pandas.DataFrame]] = {}
    warnings: list[str] = []
    for path in map(Path, paths):
        frame = _frame(path, REQUIRED)
        frame = _answered(frame, path, warnings)
        frame = _labelled(frame, truth, path)
        frame["label"] = _binary(frame["label"], positive, path)
        arms = frame.pop("arm") if "arm" in frame else pandas.Series(path.stem, index=frame.index)
        for arm, rows in frame.groupby(arms, sort=False):
            if arm in frames and "arm" not in _header(path):
                raise DataError(
                    f"Two files are both named {path.name}.", "Rename one: the name is the arm's."
                )
            frames.setdefault(str(arm), []).append(rows)
    predictions: dict[str, dict[str, PredictionTable]] = {}
    for arm, parts in frames.items():
        whole = pandas.concat(parts)
        for modality, rows in whole.groupby("modality", sort=False):
            predictions.setdefault(arm, {})[str(modality)] = _table(rows, f"{arm}, {modality}", warnings)
    return predictions, warnings


def _header(path: Path) -> list[str]:
    return list(pandas.read_csv(path, nrows=0).columns)


def _frame(path: Path, required: Sequence[str]) -> pandas.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} does not exist.", "Check the path.")
    try:
        frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    except (pandas.errors.EmptyDataError, pandas.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as CSV ({error}).", "Write it with `predict --csv`."
        ) from error
    missing = [name for name in required if name not in frame]
    if missing:
        raise DataError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has {', '.join(frame.columns)}.",
            "Write it with `predict --csv`.",
        )
    if frame.empty:
        raise DataError(f"{path} has no rows.", "Check what wrote it.")
    return frame


def _answered(frame: pandas.DataFrame, path: Path, warnings: list[str]) -> pandas.DataFrame:
    """Only rows with a probability, as float64; rows with an error are counted."""
    failed = frame["probability"].str.strip() == ""
    if "error" in frame:
        failed |= frame["error"].str.strip() != ""
    if failed.all():
        raise DataError(f"{path}: every row is an error.", "Mend the scans it names first.")
    if failed.any():
        warnings.append(
            f"{path.name}: {int(failed.sum())} of {len(frame)} rows have no answer and were left out"
        )
    kept = frame[~failed].copy()
    numbers = pandas.to_numeric(kept["probability"], errors="coerce")
    if numbers.isna().any():
        wrong = kept["probability"][numbers.isna()].iloc[0]
        raise DataError(f"{path}: probability '{wrong}' is not a number.", "Give numbers from 0 to 1.")
    kept["probability"] = numbers.astype(np.float64)
    return kept


def _labels(path: Path) -> pandas.DataFrame:
    frame = _frame(path, ("id", "label"))
    keys = ["id", "modality"] if "modality" in frame else ["id"]
    columns = [*keys, *(name for name in ("label", "patient_id", "patient_id_ct") if name in frame)]
    twice = frame.duplicated(keys)
    if twice.any():
        raise DataError(
            f"{path}: id '{frame['id'][twice].iloc[0]}' is labelled twice.", "Keep one row for each id."
        )
    return frame[columns]


def _labelled(frame: pandas.DataFrame, truth: pandas.DataFrame | None, path: Path) -> pandas.DataFrame:
    if truth is not None:
        keys = ["id", "modality"] if "modality" in truth else ["id"]
        frame = frame.drop(columns=[name for name in truth.columns if name in frame and name not in keys])
        frame = frame.merge(truth, on=keys, how="left")
    if "label" not in frame:
        raise DataError(f"{path} has no label column.", "Add one, or pass --labels CSV with id and label.")
    blank = frame["label"].isna() | (frame["label"].astype(str).str.strip() == "")
    if blank.any():
        raise DataError(
            f"{path}: id '{frame['id'][blank].iloc[0]}' has no label ({int(blank.sum())} such rows).",
            "Label every predicted scan.",
        )
    return frame


def _binary(labels: pandas.Series, positive: str, path: Path) -> pandas.Series:
    """Labels as 0/1 from 0/1 text or from at most two class names, one of them `positive`."""
    names = labels.astype(str).str.strip()
    found = sorted(set(names))
    if set(found) <= {"0", "1", "0.0", "1.0"}:
        return names.astype(float).astype(np.int8)
    others = [name for name in found if name != positive]
    if positive not in found or len(others) > 1:
        raise DataError(
            f"{path}: labels are {', '.join(found[:6])}; expected 0 and 1, "
            f"or '{positive}' and one other class.",
            "Name the positive class.",
        )
    return (names == positive).astype(np.int8)


def _table(rows: pandas.DataFrame, where: str, warnings: list[str]) -> PredictionTable:
    """Rows of one arm and modality, spread to one column for each seed."""
    rows = rows.assign(seed=rows.get("seed", "0"))
    twice = rows.duplicated(["id", "seed"])
    if twice.any():
        raise DataError(f"{where}: id '{rows['id'][twice].iloc[0]}' is predicted twice.", "Make ids unique.")
    constant = rows.groupby("id")["label"].nunique()
    if (constant > 1).any():
        raise DataError(f"{where}: id '{constant.idxmax()}' has two labels.", "Give one label for each id.")
    spread = rows.pivot(index="id", columns="seed", values="probability")
    spread = spread.reindex(rows["id"].drop_duplicates())
    whole = spread.notna().all(axis=1)
    if not whole.all():
        warnings.append(f"{where}: {int((~whole).sum())} rows lack an answer of some seed and were left out")
    spread = spread[whole]
    if spread.empty:
        raise DataError(
            f"{where}: no id has an answer of every seed.", "Predict the same scans with every seed."
        )
    facts = rows.drop_duplicates("id").set_index("id").loc[spread.index]
    columns = [name for name in ("patient_id", "patient_id_ct") if name in facts]
    if "patient_id_ct" in columns and (facts["patient_id_ct"].fillna("") == "").all():
        columns.remove("patient_id_ct")
    patients = facts[columns].fillna("").to_numpy(dtype=str) if columns else np.full((len(facts), 1), "")
    return PredictionTable(
        ids=spread.index.to_numpy(dtype=str),
        patient_ids=patients[:, 0] if patients.shape[1] == 1 else patients,
        labels=facts["label"].to_numpy(dtype=np.int8),
        probabilities=spread.to_numpy(dtype=np.float64).T,
    )
