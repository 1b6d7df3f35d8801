"""The rows that several arms share, in one order, and the refusal of arms that cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.engine.errors import DataError
from pipeline.evaluation.tables.rows import UNNAMED, Arms, MeasuredRows, Rows

AnyRows = Rows | MeasuredRows
FACTS = {"truth": "labels", "patients": "patient ids"}


def align_arms(tables: Mapping[str, AnyRows], where: str) -> tuple[dict[str, AnyRows], str]:
    """The same rows and classes in the same order for every arm, and a warning ("" if no row was left out).

    tables: arm -> rows of one modality; where: its name, for messages. Rows are matched by id and follow the first arm's
    order, classes the first one's that has names. Raises DataError where no id is shared, or where kind of rows, classes,
    labels or patients differ, naming what does.
    """
    alike = _of_one_kind(tables, where)
    first_name, first = next(iter(alike.items()))
    shared = set.intersection(*(set(table.ids) for table in alike.values()))
    if not shared:
        raise DataError(f"The arms {', '.join(alike)} share no {where} id.", "Compare predictions of the same scans.")
    order = [name for name in first.ids if name in shared]
    aligned = {}
    for arm, table in alike.items():
        place = {name: row for row, name in enumerate(table.ids)}
        aligned[arm] = table.select(np.array([place[name] for name in order], dtype=np.intp))
        for field, words in FACTS.items():
            expected, found = getattr(aligned[first_name], field), getattr(aligned[arm], field)
            differing = np.ones(len(order), bool) if expected.shape != found.shape else expected != found
            if np.any(differing):
                row = int(np.flatnonzero(differing.reshape(len(order), -1).any(axis=1))[0])
                raise DataError(
                    f"{where} id '{order[row]}': {words} of '{first_name}' and '{arm}' differ.",
                    "Compare predictions of the same scans with the same labels.",
                )
    most = max(table.ids.size for table in alike.values())
    if most == len(order):
        return aligned, ""
    return aligned, f"{where}: {most - len(order)} of {most} rows are not in every arm and were left out"


def _of_one_kind(tables: Mapping[str, AnyRows], where: str) -> dict[str, AnyRows]:
    """The tables with their classes in one order. Raises DataError where arms are of different kinds or classes."""
    named = next((arm for arm, table in tables.items() if table.class_names != UNNAMED), next(iter(tables)))
    model = tables[named]
    alike: dict[str, AnyRows] = {}
    for arm, table in tables.items():
        mend = "Compare arms of one system that tell the same classes apart."
        if type(table) is not type(model):
            raise DataError(f"{where}: of '{named}' and '{arm}' one has classes and the other measures.", mend)
        try:
            alike[arm] = table.in_order_of(model.class_names, model.positive_class)
        except DataError as cause:
            raise DataError(
                f"{where}: '{named}' tells {model.classes_text} apart, '{arm}' {table.classes_text}.", mend
            ) from cause
    return alike


def keep_shared_rows(arms: Arms, paired: tuple[str, ...] = ()) -> list[str]:
    """Reduce the tables, in place, to the rows that every arm has, in one order; returns a sentence on each loss.

    A modality without a shared row is dropped, and one that not every arm has is kept for those that have it. So are
    `paired` modalities that were not drawn alike: what two draws of pairs share by chance stands for neither.
    Raises DataError where nothing remains.
    """
    notes = []
    for name in dict.fromkeys(name for tables in arms.values() for name in tables):
        mine = {arm: tables[name] for arm, tables in arms.items() if name in tables}
        ids = [set(table.ids) for table in mine.values()]
        shared = set.intersection(*ids)
        if not shared or (name in paired and any(other != shared for other in ids)):
            for tables in arms.values():
                tables.pop(name, None)
            notes.append(f"{name}: left out, since the arms {'were given different pairs' if shared else 'share no row'}")
            continue
        aligned, note = align_arms(mine, name)
        notes += [note] if note else []
        for arm, table in aligned.items():
            arms[arm][name] = table
    if not any(arms.values()):
        raise DataError(f"Nothing can be compared. {'; '.join(notes)}.", "Compare predictions of the same scans.")
    return notes
