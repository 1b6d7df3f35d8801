"""Labelled cases to judge a bundle on, from folders or a table, whatever system the bundle is of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pipeline.data.csv_rows import read_rows, require_columns
from pipeline.data.layouts.case_folders import read_labelled_folder
from pipeline.data.layouts.pair_table import PairRow, copied_cells, find_scan, read_pairs, refuse_repeated_ids
from pipeline.data.layouts.source_images import SourceImage
from pipeline.data.scans import CT, MODALITIES, PAIRED, XRAY, Warn
from pipeline.data.words import same_word
from pipeline.engine.errors import DataError, UsageError, did_you_mean


@dataclass(frozen=True, slots=True)
class LabelledCase(PairRow):
    """A row with what is known of it. mask: of the lungs. note: what the case comes with. None where there is none."""

    mask: Path | None = None
    note: str | None = None

    @property
    def label(self) -> str:
        """The true class."""
        return self.copied["label"]

    @property
    def patient_id(self) -> str:
        """Whose it is; of a pair, whose X-ray. "" where unknown."""
        return self.copied.get("patient_id", "")

    @property
    def patient_id_ct(self) -> str:
        """Whose CT it is; "" where the data does not tell it apart."""
        return self.copied.get("patient_id_ct", "")

    @property
    def source(self) -> SourceImage:
        """The first scan that the row names, and where its outputs lie."""
        return SourceImage(self.scans[0], PurePosixPath(os.path.normpath(self.id)), self.label)


def read_labelled_cases(
    data: Path,
    class_names: Sequence[str],
    warn: Warn,
    *,
    modalities: Sequence[str] = (XRAY,),
    modality: str | None = None,
    masks: bool = False,
) -> list[LabelledCase]:
    """Cases with a class name each, to be answered and compared.

    Args:
        data: a folder (see `read_labelled_folder`), or a CSV with image, label or with id, xray, ct, label. It may tell
            modality, patient_id, patient_id_ct, mask and note too; a path is looked up beside the table, then in the
            working folder.
        class_names: of the bundle. modalities: what it reads; the data tells them apart where there are two.
        modality: of class folders, for a bundle that reads both.
        masks: whether lungs are compared too: then folders are `{class}/images`, a table has a column mask, and one class is
            enough.
        warn: told of what is left out, classes without an image, images without a mask or a patient.

    Raises:
        DataError: nothing there, an unknown class or modality (did-you-mean), a missing column or cell, an image or id
            twice, or one class only.
        UsageError: `modality` is missing, or given where the data says it.
    """
    if data.is_dir():
        scans = read_labelled_folder(data, class_names, warn, modalities, modality, masks)
        cases = [
            _case(scan.id, scan.modality, scan.path, {"label": scan.label, "patient_id": scan.patient_id}, scan.mask)
            for scan in scans
        ]
    elif modality is not None:
        raise UsageError("--modality is for a folder of class folders.", "Leave it out: the table says what is what.")
    else:
        cases = _of_modalities(_read_table(data, modalities, masks), data, modalities, warn)
    cases = [replace(case, copied={**case.copied, "label": same_word(case.label, class_names)}) for case in cases]
    _refuse_other_classes(data, cases, class_names)
    if not masks:
        refuse_one_sided(data, cases, class_names, modalities)
    _tell_what_is_missing(data, cases, class_names, masks, warn)
    return cases


def refuse_one_sided(
    data: Path, cases: Iterable[PairRow], class_names: Sequence[str], modalities: Sequence[str] = MODALITIES
) -> None:
    """Raise DataError where a modality (`paired` too) has cases of one class only: nothing can be judged on them."""
    found: dict[str, set[str]] = {}
    for case in cases:
        for name in case.modalities + ([PAIRED] if len(case.modalities) == 2 else []):
            found.setdefault(name, set()).add(case.copied["label"])
    for name, labels in found.items():
        if len(labels) == 1:
            (only,) = labels
            raise DataError(
                f"{data}: only the class {only!r}: every {f'{name} row' if len(modalities) > 1 else 'image'} is {only}, "
                f"{'both' if len(class_names) == 2 else 'two or more'} classes are needed.",
                f"Add {'scans' if len(modalities) > 1 else 'images'} of {' or '.join(n for n in class_names if n != only)}.",
            )


def _refuse_other_classes(data: Path, cases: Sequence[LabelledCase], class_names: Sequence[str]) -> None:
    present = {case.label: case for case in reversed(cases)}
    unknown = sorted(set(present) - set(class_names))
    if not unknown:
        return
    its = f"Its classes: {', '.join(class_names)}. Move the others away, or use a bundle that has them."
    if len(present) > len(class_names):
        raise DataError(
            f"{data}: {len(present)} classes, this bundle tells {len(class_names)} apart: "
            f"{', '.join(map(repr, unknown))} {'is' if len(unknown) == 1 else 'are'} none of its.",
            its,
        )
    near = did_you_mean(unknown[0], class_names)
    raise DataError(f"{data}: {present[unknown[0]].id}: class {unknown[0]!r} is not one of this bundle's.{near}", its)


def _tell_what_is_missing(data: Path, cases: Sequence[LabelledCase], class_names: Sequence[str], masks: bool, warn: Warn) -> None:
    present = {case.label for case in cases}
    if absent := [name for name in class_names if name not in present]:
        warn(f"no image of class {', '.join(absent)}: its metrics are undefined, and means over classes leave it out")
    bare = sum(case.mask is None for case in cases)
    if masks and bare:
        warn(f"{bare} of {len(cases)} images have no mask: they count for the classes, not for the lungs")
    unknown = sum(not case.patient_id for case in cases)
    if unknown:
        warn(f"{data}: {unknown} of {len(cases)} images have no patient_id; each counts as a patient")


def _read_table(table: Path, modalities: Sequence[str], masks: bool) -> list[LabelledCase]:
    rows = read_rows(table)
    is_pairs, several = "id" in rows[0] and not {XRAY, CT}.isdisjoint(rows[0]), len(modalities) > 1
    wanted = [*(() if is_pairs else ("image", "modality") if several else ("image",)), "label", *(("mask",) if masks else ())]
    needed = "Needed are image, modality, label, or id, xray, ct, label" if several else f"Needed are {', '.join(wanted)}"
    require_columns(table, rows, *wanted, needed=f"{needed}; patient_id where known.")
    asked = read_pairs(table) if is_pairs else _read_images(table, rows, modalities[0])
    for number, row in enumerate(asked, start=1):
        if not row.copied["label"]:
            raise DataError(f"{table}: row {number} has no label.", "Fill it, or take the row out.")
    lungs = [find_scan(row.get("mask", ""), table.parent) for row in rows]
    return [
        LabelledCase(case.id, case.xray, case.ct, case.copied, mask, row.get("note") or None)
        for case, mask, row in zip(asked, lungs, rows, strict=True)
    ]


def _read_images(table: Path, rows: Sequence[dict[str, str]], modality: str) -> list[LabelledCase]:
    cases = []
    for number, row in enumerate(rows, start=1):
        path = find_scan(row["image"], table.parent)
        told = same_word(row.get("modality", modality), MODALITIES)
        if path is None:
            raise DataError(f"{table}: row {number} names no image.", "Fill its cell, or take the row out.")
        if told not in MODALITIES:
            near = did_you_mean(told, MODALITIES)
            raise DataError(f"{table}: row {number}: modality {told!r} is unknown.{near}", "Use xray or ct.")
        cases.append(_case(row["image"], told, path, copied_cells(row)))
    refuse_repeated_ids((os.path.normpath(case.id) for case in cases), table)
    return cases


def _of_modalities(cases: list[LabelledCase], table: Path, modalities: Sequence[str], warn: Warn) -> list[LabelledCase]:
    """The cases as a bundle sees them that reads these modalities alone."""
    if len(modalities) > 1:
        return cases
    (only,) = modalities
    mine = [
        _case(case.id, only, case.xray if only == XRAY else case.ct, case.copied, case.mask, case.note)
        for case in cases
        if only in case.modalities
    ]
    if not mine:
        raise DataError(f"{table}: names no {only} image.", f"This bundle reads {only} images.")
    if len(mine) < len(cases):
        warn(f"{table}: {len(cases) - len(mine)} of {len(cases)} rows name no {only} image and are left out")
    return mine


def _case(
    key: str, modality: str, path: Path | None, copied: Mapping[str, str], mask: Path | None = None, note: str | None = None
) -> LabelledCase:
    return LabelledCase(key, path if modality == XRAY else None, path if modality == CT else None, copied, mask, note)
