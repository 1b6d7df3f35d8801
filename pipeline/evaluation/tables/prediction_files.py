"""The one reader of prediction tables, as `predict --csv`, `classify`, `segment`, `evaluate` and the stages write them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas

from pipeline.data.scans import MODALITIES, PAIRED
from pipeline.data.words import Spellings
from pipeline.engine.errors import DataError, did_you_mean
from pipeline.evaluation.metrics.names import SEGMENTATION_METRICS
from pipeline.evaluation.tables.csv_tables import (
    CONTROL,
    IMAGES,
    LABELS,
    OF_CLASS,
    PATIENTS,
    answer_columns,
    answered_rows,
    joined,
    judged_rows,
    read_table,
    spelt_alike,
)
from pipeline.evaluation.tables.rows import UNNAMED, Arms, MeasuredRows, Rows

ARMS = ("arm", "variant")
LUNGS = "lungs"
PREDICTIONS, SEGMENTATION, METRICS = "predictions.csv", "segmentation.csv", "metrics.json"
DEFAULT_POSITIVE = "COVID"


@dataclass
class ReadArms:
    """What tables of predictions hold: `arms`; `facts[arm][modality]`, the tables' further columns, a row for each of the
    arm's rows; sentences on rows that were left out; and the systems of the arms, as far as they are known."""

    arms: Arms = field(default_factory=dict)
    facts: dict[str, dict[str, pandas.DataFrame]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    systems: dict[str, str] = field(default_factory=dict)

    @property
    def controls(self) -> tuple[str, ...]:
        """The modalities that are reported and not tested."""
        return (CONTROL,) if any(CONTROL in tables for tables in self.arms.values()) else ()


def read_predictions(
    paths: Sequence[Path | str],
    labels: Path | str | None = None,
    positive: str | None = None,
    threshold: float = 0.5,
    labels_win: bool = True,
    split: str | None = None,
) -> ReadArms:
    """Arms -> modality -> rows of CSV files, or of the folders that `evaluate --out` wrote.

    Columns: id (or image); label (or truth, true_label, true_class): a class name, or 0/1, unless `labels` names a CSV with
    id, label and optionally modality and patient_id, whose columns win over the predictions' own where `labels_win`, and
    else fill their gaps; prob_<class> (or probability_<class>) columns, or probability of the positive class, or predicted
    alone; or measures of masks (dice, iou, …). Optional: modality; patient_id (of pairs the X-ray patient, with
    patient_id_ct beside it, or both as "x|ct"); seed (one row for each training); arm (or variant; else each file is an arm,
    named by its stem); split (test, shuffled and out_of_fold rows are read where there are any, each as a modality); error.

    split: read the rows of this part alone, see `judged_rows`.
    positive: the positive class of two, DEFAULT_POSITIVE where a probability needs one; labels of 0 and 1 have the classes "0"
    and "1", positive "1". `predicted` decides where it is filled and there is one training; else the threshold of the
    positive class of two, or the most probable class. Rows with an error or without an answer are left out, counted in a
    warning; so are rows that not every seed has. Raises DataError naming the file.
    """
    if not paths:
        raise DataError("No prediction file was given.", "Name at least one CSV.")
    read = ReadArms()
    modalities, classes = Spellings([*MODALITIES, PAIRED, IMAGES, CONTROL]), Spellings()
    truth = None if labels is None else read_table(Path(labels))
    frames: dict[str, list[_Part]] = {}
    for path in map(Path, paths):
        folder = _Folder.of(path, positive, threshold)
        for file in folder.files:
            frame = read_table(file)
            frame = joined(frame, truth, file, Path(str(labels)), labels_win) if truth is not None else frame
            frame = spelt_alike(frame, modalities, classes)
            column = next((name for name in ARMS if name in frame), None)
            arms = frame[column] if column is not None else pandas.Series(folder.arm(file), index=frame.index)
            for arm, rows in _judged(frame, file, read.warnings, split).groupby(arms, sort=False):
                if column is None and any(part.folder.path != path for part in frames.get(str(arm), ())):
                    raise DataError(f"Two files are both named {path.name}.", "Rename one: the name is the arm's.")
                frames.setdefault(str(arm), []).append(_Part(rows, file, folder))
                read.systems[str(arm)] = folder.system
    for arm, parts in frames.items():
        for modality, rows, facts in _tables(arm, parts, read.warnings):
            read.arms.setdefault(arm, {})[modality] = rows
            read.facts.setdefault(arm, {})[modality] = facts
    return read


def _judged(frame: pandas.DataFrame, file: Path, warnings: list[str], split: str | None) -> pandas.DataFrame:
    return judged_rows(answered_rows(frame, file, warnings), file, warnings, split)


@dataclass(frozen=True)
class _Folder:
    """A source: a file, or a folder of `evaluate` with what its document says of the bundle."""

    path: Path
    files: tuple[Path, ...]
    positive: str | None
    threshold: float
    system: str = ""

    @classmethod
    def of(cls, path: Path, positive: str | None, threshold: float) -> _Folder:
        if not path.is_dir():
            return cls(path, (path,), positive, threshold)
        files = tuple(path / name for name in (PREDICTIONS, SEGMENTATION) if (path / name).is_file())
        if not files:
            raise DataError(f"{path} has neither {PREDICTIONS} nor {SEGMENTATION}.", "Name a folder that `evaluate` wrote.")
        try:
            said = json.loads((path / METRICS).read_text(encoding="utf-8")) if (path / METRICS).is_file() else {}
        except ValueError as cause:
            raise DataError(f"{path / METRICS} is not JSON ({cause}).", "Evaluate again.") from cause
        told = said.get("positive_class") or positive
        decided = said.get("threshold", threshold)
        return cls(path, files, told, threshold if decided is None else float(decided), said.get("system", ""))

    def arm(self, file: Path) -> str:
        return file.stem if file == self.path else self.path.resolve().name


@dataclass(frozen=True)
class _Part:
    """Rows of one arm in one file."""

    rows: pandas.DataFrame
    file: Path
    folder: _Folder


def _tables(
    arm: str, parts: Sequence[_Part], warnings: list[str]
) -> Iterator[tuple[str, Rows | MeasuredRows, pandas.DataFrame]]:
    """The rows of one arm by modality."""
    folder, path = parts[0].folder, parts[0].file
    scored = [part.rows for part in parts if any(name not in SEGMENTATION_METRICS for name in answer_columns(part.rows))]
    for modality, rows in pandas.concat(scored).groupby("modality", sort=False) if scored else ():
        facts, places = _once(rows, f"{arm}, {modality}", warnings)
        _refuse_unlabelled(facts, path)
        yield str(modality), _rows(facts, rows, places, str(modality), folder, path), facts
    for part in parts:
        measures = [name for name in SEGMENTATION_METRICS if name in part.rows]
        if measures:
            facts = part.rows[(part.rows[measures] != "").all(axis=1) & (part.rows["modality"] == IMAGES)]
            if facts.empty:
                continue
            _refuse_unlabelled(facts, part.file)
            names = sorted(set(facts["label"]))
            values = {name: _numbers(facts[name], part.file, name, np.inf) for name in measures}
            truth = [names.index(label) for label in facts["label"]]
            yield LUNGS, MeasuredRows(values, truth, tuple(names), _patients(facts, LUNGS), facts["id"].to_numpy(str)), facts


def _once(rows: pandas.DataFrame, where: str, warnings: list[str]) -> tuple[pandas.DataFrame, np.ndarray]:
    """One row of facts an id, in the order of the table, and the place of each training's answer (S, N) in `rows`."""
    seeds = rows["seed"] if "seed" in rows else pandas.Series("0", index=rows.index)
    facts = rows.drop_duplicates("id")
    place = {name: number for number, name in enumerate(facts["id"])}
    names, numbers = np.unique(seeds.to_numpy(str), return_inverse=True)
    places = np.full((names.size, len(facts)), -1)
    columns = rows["id"].map(place).to_numpy()
    for row, (seed, column) in enumerate(zip(numbers, columns, strict=True)):
        if places[seed, column] >= 0:
            raise DataError(f"{where}: '{facts['id'].iloc[column]}' is predicted twice.", "Make ids unique.")
        places[seed, column] = row
    if "label" in rows and (rows["label"].to_numpy() != facts["label"].to_numpy()[columns]).any():
        raise DataError(f"{where}: an id has two labels.", "Give one label for each id.")
    whole = (places >= 0).all(axis=0)
    if not whole.any():
        raise DataError(f"{where}: no id has an answer of every seed.", "Predict the same scans with every seed.")
    if not whole.all():
        warnings.append(f"{where}: {int((~whole).sum())} rows lack an answer of some seed and were left out")
    return facts[whole], places[:, whole]


def _refuse_unlabelled(facts: pandas.DataFrame, path: Path) -> None:
    if "label" not in facts:
        raise DataError(
            f"{path}: there is no column {', '.join(LABELS)}.",
            "Add the true class of each row, or a table with it (--labels, --table).",
        )
    blank = facts["label"] == ""
    if blank.any():
        first = facts["id"][blank].iloc[0]
        raise DataError(f"{path}: {first!r} has no label ({int(blank.sum())} such rows).", "Label every row.")


def _rows(
    facts: pandas.DataFrame, rows: pandas.DataFrame, places: np.ndarray, modality: str, folder: _Folder, path: Path
) -> Rows:
    columns = {name: name.removeprefix(prefix) for prefix in OF_CLASS for name in rows if name.startswith(prefix)}
    labels = facts["label"].replace({"0.0": "0", "1.0": "1"})
    names, positive = _classes(rows, set(labels), list(columns.values()), folder.positive, path)
    if columns:
        probabilities = np.stack([_numbers(rows[name], path) for name in columns], axis=1)
    elif "probability" in rows:
        of_positive = _numbers(rows["probability"], path)
        probabilities = np.stack([of_positive if name == positive else 1 - of_positive for name in names], axis=1)
    else:
        probabilities = np.eye(len(names))[_places(rows["predicted"], names, path, "predicted")]
    alone = places.shape[0] == 1 and "predicted" in rows and rows["predicted"].isin(names).all()
    return Rows(
        _places(labels, names, path, "label"), probabilities[places], names, _patients(facts, modality),
        facts["id"].to_numpy(str), positive if len(names) == 2 else None, folder.threshold,
        _places(rows["predicted"], names, path, "predicted")[places] if alone else None,
        scored=bool(columns) or "probability" in rows,
    )  # fmt: skip


def _classes(
    rows: pandas.DataFrame, labels: set[str], named: Sequence[str], positive: str | None, path: Path
) -> tuple[tuple[str, ...], str | None]:
    """Class names, as the prob_ columns go, or sorted with the positive class last, and the positive one."""
    if named:
        if positive is not None and positive not in named:
            raise _no_class(positive, named, path)
        return tuple(named), positive if positive is not None else DEFAULT_POSITIVE if DEFAULT_POSITIVE in named else None
    if labels <= set(UNNAMED):
        return UNNAMED, UNNAMED[1]
    found = sorted(labels | ({*rows["predicted"]} - {""} if "probability" not in rows else set()))
    if "probability" in rows:
        positive = DEFAULT_POSITIVE if positive is None and DEFAULT_POSITIVE in found else positive
        if positive not in found or len(found) > 2:
            raise DataError(
                f"{path}: labels are {', '.join(found[:6])}; a probability needs the positive class"
                f"{'' if positive is None else f' ({positive})'} and one other.",
                f"Name it with --positive.{did_you_mean(positive or '', found)}",
            )
        found = found if len(found) == 2 else [f"not {positive}", str(positive)]
    if positive is not None and positive not in found:
        raise _no_class(positive, found, path)
    if len(found) < 2:
        raise DataError(f"{path}: every row is labelled and predicted {found[0]!r}.", "Evaluate rows of two classes or more.")
    return tuple(sorted(found, key=lambda name: (name == positive, name))), positive


def _no_class(positive: str, names: Sequence[str], path: Path) -> DataError:
    mend = f"Name one of them with --positive.{did_you_mean(positive, names)}"
    return DataError(f"{path}: there is no class {positive!r} among {', '.join(names)}.", mend)


def _places(texts: pandas.Series, names: Sequence[str], path: Path, what: str) -> np.ndarray:
    place = {name: number for number, name in enumerate(names)}
    wrong = next((text for text in texts if text not in place), None)
    if wrong is not None:
        raise DataError(
            f"{path}: {what} {wrong!r} is none of the classes {', '.join(names)}.{did_you_mean(wrong, names)}",
            "Name classes as the classifier does.",
        )
    return np.array([place[text] for text in texts], dtype=np.intp)


def _patients(facts: pandas.DataFrame, modality: str) -> np.ndarray:
    """Patient ids (N,), or (N, 2) of pairs: of two columns, or of one that holds both."""
    columns = [name for name in PATIENTS if name in facts]
    if columns == list(PATIENTS) and (facts[PATIENTS[1]] != "").any():
        return facts[columns].to_numpy(dtype=str)
    if not columns or "patient_id" not in facts:
        return np.full(len(facts), "")
    patients = facts["patient_id"].to_numpy(dtype=str)
    if modality in (PAIRED, CONTROL) and all(patient.count("|") == 1 for patient in patients):
        return np.array([patient.split("|") for patient in patients])
    return patients


def _numbers(texts: pandas.Series, path: Path, what: str = "probability", highest: float = 1.0) -> np.ndarray:
    numbers = pandas.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    for wrong, said in ((np.isnan(numbers), "not a number"), ((numbers < 0) | (numbers > highest), f"outside 0 .. {highest:g}")):
        if wrong.any():
            text = texts.to_numpy()[wrong][0]
            raise DataError(f"{path}: {what} {text!r} is {said}.", "Give numbers in every row that has an answer.")
    return numbers
