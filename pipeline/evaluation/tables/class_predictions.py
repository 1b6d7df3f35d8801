"""Labelled class predictions of one classifier from CSV, with any further column of the patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.csv_rows import read_rows
from pipeline.engine.errors import DataError, did_you_mean

PROBABILITY = "prob_"
IDS = ("id", "image")
LABELS = ("label", "truth", "true_label")

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class ClassPredictions:
    """N rows of K classes: `true_index`, `predicted` (N,); `probabilities` (N, K) or None; `column` (N,) texts of the
    column asked for; `patient_ids` (N,) ("": unknown); `warnings`: sentences on rows that were left out."""

    ids: NDArray[np.str_]
    true_index: NDArray[np.intp]
    predicted: NDArray[np.intp]
    probabilities: NDArray[np.float64] | None
    class_names: tuple[str, ...]
    positive_class: str | None
    patient_ids: NDArray[np.str_]
    column: NDArray[np.str_]
    warnings: tuple[str, ...] = ()


def read_class_predictions(
    path: Path | str, column: str, table: Path | str | None = None, positive: str | None = None, threshold: float = 0.5
) -> ClassPredictions:
    """Reads `predictions.csv` of `classify`, `evaluate` or `predict --csv`, with labels.

    Rows: id (or image); label (or truth, true_label), a class name; prob_<class> columns, or probability of the positive
    class, or predicted alone; optional patient_id, error. `column`, label and patient_id may stand in `table` instead,
    joined by id or image and, where both have it, modality. `predicted` decides where it is filled; else the most
    probable class, for two classes with `positive` at `threshold`. Rows with an error are left out, with a warning.
    Labels of 0/1 have the classes "0" and "1", positive "1". Raises DataError naming the file.
    """
    path = Path(path)
    rows, warnings = _answered(_joined(read_rows(path), path, None if table is None else Path(table)), path)
    key = _key(rows, path)
    source = f"{path} and {table}" if table is not None else f"{path}"
    _refuse_twice(rows, key, path)
    _refuse_unknown_column(rows, column, source)
    labels = _labels(rows, key, source)
    names, positive = _classes(rows, labels, positive, path)
    probabilities = _probabilities(rows, names, positive, path)
    predicted = _predicted(rows, names, positive, probabilities, threshold, path)
    place = {name: number for number, name in enumerate(names)}
    return ClassPredictions(
        ids=np.array([row[key] for row in rows]),
        true_index=np.array([place[label] for label in labels], dtype=np.intp),
        predicted=predicted,
        probabilities=probabilities,
        class_names=names,
        positive_class=positive,
        patient_ids=np.array([row.get("patient_id", "") for row in rows]),
        column=np.array([row.get(column, "") for row in rows]),
        warnings=tuple(warnings),
    )


def _joined(rows: Rows, path: Path, table: Path | None) -> Rows:
    """Each row with the table's further columns; the predictions' own are kept where they are filled."""
    if table is None:
        return rows
    facts = read_rows(table)
    shared = ["modality"] if "modality" in rows[0] and "modality" in facts[0] else []
    # one file's id may be the other's image: both name the scan
    keys, table_keys = [_key(rows, path), *shared], [_key(facts, table), *shared]
    by_key: dict[tuple[str, ...], dict[str, str]] = {}
    for row in facts:
        name = tuple(row[key] for key in table_keys)
        if by_key.setdefault(name, row) is not row:
            raise DataError(f"{table}: {'/'.join(name)} has two rows.", "Keep one row for each id.")
    if not any(tuple(row[key] for key in keys) in by_key for row in rows):
        raise DataError(f"{table} has none of the {len(rows)} scans of {path}.", "Write their ids alike in both.")
    joined = []
    for row in rows:
        more = by_key.get(tuple(row[key] for key in keys), {})
        joined.append({**more, **{name: text or more.get(name, "") for name, text in row.items()}})
    return joined


def _answered(rows: Rows, path: Path) -> tuple[Rows, list[str]]:
    kept = [row for row in rows if not row.get("error")]
    if not kept:
        raise DataError(f"{path}: every row is an error.", "Mend the scans it names first.")
    failed = len(rows) - len(kept)
    return kept, [f"{path.name}: {failed} of {len(rows)} rows have no answer and were left out"] if failed else []


def _key(rows: Rows, path: Path) -> str:
    for name in IDS:
        if name in rows[0]:
            return name
    raise DataError(f"{path} has neither of the columns {' and '.join(IDS)}.", "Name each scan in one of them.")


def _refuse_twice(rows: Rows, key: str, path: Path) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        modality = row.get("modality", "")
        if seen.setdefault(row[key], modality) != modality:
            raise DataError(f"{path}: {row[key]!r} has several modalities.", "Keep the rows of one modality.")
    if len(seen) < len(rows):
        twice = next(name for name in seen if sum(row[key] == name for row in rows) > 1)
        raise DataError(f"{path}: {twice!r} is predicted twice.", "Keep one row for each id.")


def _refuse_unknown_column(rows: Rows, column: str, source: str) -> None:
    names = sorted({name for row in rows for name in row})
    if column not in names:
        raise DataError(
            f"{source}: there is no column {column!r}.{did_you_mean(column, names)}",
            "Name a column of the predictions, or of a table given with --table.",
        )


def _labels(rows: Rows, key: str, source: str) -> list[str]:
    name = next((name for name in LABELS if any(name in row for row in rows)), None)
    if name is None:
        raise DataError(
            f"{source}: there is no column {', '.join(LABELS)}.", "Add the true class of each row, or a --table with it."
        )
    labels = [row.get(name, "") for row in rows]
    if "" in labels:
        raise DataError(
            f"{source}: {rows[labels.index('')][key]!r} has no {name} ({labels.count('')} such row(s)).", "Label every row."
        )
    return labels


def _classes(rows: Rows, labels: Sequence[str], positive: str | None, path: Path) -> tuple[tuple[str, ...], str | None]:
    """Class names, in the order of the prob_ columns or sorted with the positive class last, and the positive one."""
    found = sorted(set(labels))
    names = [name.removeprefix(PROBABILITY) for name in rows[0] if name.startswith(PROBABILITY)]
    if not names:
        chosen = {row["predicted"] for row in rows if row.get("predicted")} if "probability" not in rows[0] else set()
        if set(found) <= {"0", "1"} and positive is None:
            found, positive = ["0", "1"], "1"
        names = sorted(set(found) | chosen)
        if "probability" in rows[0] and (positive not in names or len(names) != 2):
            raise DataError(
                f"{path}: labels are {', '.join(found[:6])}; a probability needs the positive class and one other.",
                "Name it with --positive.",
            )
        names.sort(key=lambda name: name == positive)
    unknown = [label for label in found if label not in names]
    if unknown:
        raise DataError(
            f"{path}: label {unknown[0]!r} is none of the classes {', '.join(names)}.{did_you_mean(unknown[0], names)}",
            "Name labels as the classifier does.",
        )
    if positive is not None and positive not in names:
        raise DataError(f"{path}: there is no class {positive!r} among {', '.join(names)}.", "Name one of them with --positive.")
    if len(names) < 2:
        raise DataError(f"{path}: every row is labelled and predicted {names[0]!r}.", "Evaluate rows of two classes or more.")
    return tuple(names), positive


def _probabilities(rows: Rows, names: Sequence[str], positive: str | None, path: Path) -> NDArray[np.float64] | None:
    if any(name.startswith(PROBABILITY) for name in rows[0]):
        return np.array([[_number(row[PROBABILITY + name], path) for name in names] for row in rows])
    if "probability" not in rows[0]:
        return None
    of_positive = np.array([_number(row["probability"], path) for row in rows])
    columns = [of_positive if name == positive else 1 - of_positive for name in names]
    return np.stack(columns, axis=1)


def _predicted(
    rows: Rows,
    names: Sequence[str],
    positive: str | None,
    probabilities: NDArray[np.float64] | None,
    threshold: float,
    path: Path,
) -> NDArray[np.intp]:
    place = {name: number for number, name in enumerate(names)}
    chosen = [row.get("predicted", "") for row in rows]
    if all(name in place for name in chosen):
        return np.array([place[name] for name in chosen], dtype=np.intp)
    if probabilities is None:
        wrong = next(name for name in chosen if name not in place)
        raise DataError(
            f"{path}: predicted {wrong!r} is none of the classes {', '.join(names)}.", "Fill it in, or add probabilities."
        )
    if len(names) == 2 and positive is not None:
        column = place[positive]
        return np.where(probabilities[:, column] >= threshold, column, 1 - column).astype(np.intp)
    return probabilities.argmax(axis=1)


def _number(text: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 <= value <= 1:
        raise DataError(f"{path}: probability {text!r} is not in 0 .. 1.", "Give a number from 0 to 1 in every row.")
    return value
