"""The tables of `data inspect`."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.telling.tables import TitledTable, show
from pipeline.data.inspection.survey import leakage_sentences

LISTED = 10


def show_inspection(document: dict, out: Path | None) -> None:
    """Prints an inspection's document (see `Inspection.document`) as tables and sentences."""
    show(
        f"{document['scans']} scans, {document['patients']} patients "
        f"({document['scans_without_patient_id']} scans without a patient id)",
        *(f"note: {notice}" for notice in document["notices"]),
        _counts(document["counts"]),
        _pixels(document["sizes"], document["intensity"]),
        *_unreadable(document["unreadable"]),
        *leakage_sentences(document["leakage"]),
        *([f"inspection.json, counts.png, sizes.png, intensity.png in {out}"] if out is not None else []),
    )


def _counts(rows: list[dict]) -> TitledTable:
    words, numbers = ("source", "modality", "label", "split"), ("scans", "patients")
    cells = [[*(row[name] or "-" for name in words), *(str(row[name]) for name in numbers)] for row in rows]
    return TitledTable("Scans", words, numbers, cells)


def _pixels(sizes: list[dict], intensities: list[dict]) -> TitledTable:
    group, sides, levels = ("source", "modality", "label"), ("width", "height"), ("mean", "sd", "p1", "p50", "p99")
    rows = [
        [
            ", ".join(size[name] for name in group if size[name]),
            *(f"{size[f'{side}_median_px']} ({size[f'{side}_least_px']}-{size[f'{side}_most_px']})" for side in sides),
            *(f"{level[name]:.0f}" for name in levels),
        ]
        for size, level in zip(sizes, intensities, strict=True)
    ]
    title = "Sizes, median (least-most) px, and gray levels, 0-255"
    return TitledTable(title, [", ".join(group)], [*sides, *levels], rows)


def _unreadable(rows: list[dict]) -> list[str]:
    heading = [f"{len(rows)} files cannot be read:"] if rows else []
    more = [f"  … and {len(rows) - LISTED} more"] if len(rows) > LISTED else []
    return [*heading, *(f"  {row['error']}" for row in rows[:LISTED]), *more]
