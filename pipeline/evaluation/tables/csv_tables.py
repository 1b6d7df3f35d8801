"""Tables of predictions as text: read, joined with what is known of their scans, without rows that have no answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas

from pipeline.data.patient_ids import known_patient
from pipeline.data.words import Spellings
from pipeline.engine.errors import DataError, did_you_mean
from pipeline.evaluation.metrics.names import SEGMENTATION_METRICS

IDS = ("id", "image")
LABELS = ("label", "truth", "true_label", "true_class")
OF_CLASS = ("prob_", "probability_")
PATIENTS = ("patient_id", "patient_id_ct")
# what rows without a modality are of
IMAGES, CONTROL, OUT_OF_FOLD = "images", "shuffled_pairs", "out_of_fold"
# of the parts of a split those that are judged
JUDGED = {"test": "", "shuffled": CONTROL, OUT_OF_FOLD: OUT_OF_FOLD}
PART_WORDS = {"valid": "validation", "val": "validation", "folds": OUT_OF_FOLD, "training": "train"}


def read_table(path: Path) -> pandas.DataFrame:
    """The table as text, stripped, with its ids in `id` and its labels, where it has any, in `label`."""
    if not path.is_file():
        raise DataError(f"{path} does not exist.", "Check the path.")
    try:
        frame = pandas.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig").fillna("")
    except (pandas.errors.EmptyDataError, pandas.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as CSV ({error}).", "Write it with `predict --csv`.") from error
    if frame.empty:
        raise DataError(f"{path} has no rows.", "Check what wrote it.")
    frame = frame.apply(lambda column: column.str.strip())
    for wanted, names in (("id", IDS), ("label", LABELS)):
        found = next((name for name in names if name in frame), None)
        if found is not None:
            frame[wanted] = frame[found]
        elif wanted == "id":
            raise DataError(f"{path} has neither of the columns {' and '.join(IDS)}.", "Name each scan in one of them.")
    for name in (name for name in PATIENTS if name in frame):
        frame[name] = frame[name].map(known_patient)
    return frame


def spelt_alike(frame: pandas.DataFrame, modalities: Spellings, classes: Spellings) -> pandas.DataFrame:
    """The table with one spelling of each modality and class, as they were first met: in the columns `modality`, `label` and
    `predicted`, and in the names of classes' columns unless two of these would become one."""
    of_class = [name for name in frame if name.startswith(OF_CLASS)]
    starts = {name: next(start for start in OF_CLASS if name.startswith(start)) for name in of_class}
    renamed = {name: starts[name] + classes.of(name.removeprefix(starts[name])) for name in of_class}
    words = [("modality", modalities)]
    if len(set(renamed.values())) == len(renamed):
        frame = frame.rename(columns=renamed)
        words += [("label", classes), ("predicted", classes)]
    changed = {
        name: frame[name].map(lambda word, spellings=spellings: spellings.of(word) if word else word)
        for name, spellings in words if name in frame
    }  # fmt: skip
    return frame.assign(**changed)


def joined(frame: pandas.DataFrame, facts: pandas.DataFrame, path: Path, table: Path, wins: bool) -> pandas.DataFrame:
    """Each row with the table's further columns, joined by id and, where both have it, modality."""
    keys = ["id", "modality"] if "modality" in frame and "modality" in facts else ["id"]
    twice = facts.duplicated(keys)
    if twice.any():
        raise DataError(f"{table}: {facts['id'][twice].iloc[0]} has two rows.", "Keep one row for each id.")
    places = pandas.MultiIndex.from_frame(facts[keys]).get_indexer(pandas.MultiIndex.from_frame(frame[keys]))
    if (places < 0).all():
        raise DataError(f"{table} has none of the {len(frame)} scans of {path}.", "Write their ids alike in both.")
    joined = frame.copy()
    for name in (name for name in facts if name not in keys):
        found = np.where(places >= 0, facts[name].to_numpy()[places], "")
        if name in frame and not (wins and name in ("label", *PATIENTS)):
            found = np.where(frame[name] != "", frame[name], found)
        joined[name] = found
    return joined


def answered_rows(frame: pandas.DataFrame, path: Path, warnings: list[str]) -> pandas.DataFrame:
    """Only rows with an answer; the others are counted."""
    answers = answer_columns(frame)
    if not answers:
        raise DataError(
            f"{path} lacks the column(s) probability; it has {', '.join(frame.columns)}.", "Write it with `predict --csv`."
        )
    failed = (frame[answers] == "").all(axis=1)
    if "error" in frame:
        failed |= frame["error"] != ""
    if failed.all():
        raise DataError(f"{path}: every row is an error.", "Mend the scans it names first.")
    if failed.any():
        warnings.append(f"{path.name}: {int(failed.sum())} of {len(frame)} rows have no answer and were left out")
    return frame[~failed]


def answer_columns(frame: pandas.DataFrame) -> list[str]:
    """The columns that hold answers: probabilities of classes, the positive class's, predicted classes, or measures."""
    of_classes = [name for name in frame if name.startswith(OF_CLASS)]
    one = [name for name in ("probability", "predicted") if name in frame][:1]
    return of_classes or one or [name for name in SEGMENTATION_METRICS if name in frame]


def judged_rows(frame: pandas.DataFrame, path: Path, warnings: list[str], split: str | None = None) -> pandas.DataFrame:
    """The rows of one part of a split, with a modality; parts are never pooled.

    split: which part; None: those that are judged (JUDGED), each a modality of its own, or the one part that there is, which is
    said. Raises DataError where the table does not have it, or has several parts and none that is judged.
    """
    frame = frame.assign(modality=frame.get("modality", IMAGES))
    parts = [] if "split" not in frame else list(dict.fromkeys(name for name in frame["split"] if name))
    if split is not None:
        wanted = next((name for name in parts if same_part(name, split)), None)
        if wanted is None:
            has = f"its parts are {', '.join(parts)}" if parts else "it has no column split that names one"
            mend = f"Name another --split.{did_you_mean(split, parts)}"
            raise DataError(f"{path} has no rows of the part {split!r}: {has}.", mend)
        mine = frame[frame["split"] == wanted]
        return mine.assign(modality=CONTROL) if JUDGED.get(wanted) == CONTROL else mine
    if not parts:
        return frame
    if not set(parts) & set(JUDGED):
        if len(parts) > 1:
            raise DataError(f"{path} has no test part, but {' and '.join(parts)}.", f"Choose one: --split {parts[0]}.")
        warnings.append(f"{path.name}: there is no test part: these are the rows of {parts[0]}")
        return frame[frame["split"] == parts[0]]
    frame = frame[frame["split"].isin(list(JUDGED))]
    part = frame["split"].map(JUDGED)
    return frame.assign(modality=np.where(part == "", frame["modality"], part))


def same_part(name: str, asked: str) -> bool:
    """Whether two words are of one part of a split: "valid" and "validation" are, and "folds" are the rows out of fold."""
    return PART_WORDS.get(name.casefold(), name.casefold()) == PART_WORDS.get(asked.casefold(), asked.casefold())
