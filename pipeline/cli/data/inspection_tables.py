"""The tables of `data inspect`."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from pipeline.cli.tables import show, titled_table

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


def leakage_sentences(leakage: dict) -> list[str]:
    """What a reader should know before trusting a score on this data, one line each."""
    across, pixels = leakage["patients_across_splits"], leakage["identical_pixels_across_splits"]
    found = [
        f"leakage: {len(across)} patients are on several sides of the split"
        + (f" (first: {next(iter(across))})" if across else ""),
        f"leakage: {len(pixels)} pictures are on several sides with identical pixels"
        + (f" (first: {' = '.join(pixels[0])})" if pixels else ""),
        f"copies: {len(leakage['identical_pixels'])} pictures occur more than once, "
        f"{len(leakage['identical_pixels_with_different_labels'])} with different labels",
    ]
    told = leakage["labels_told_by_origin"]
    if told:
        names = ", ".join(f"{row['origin']} (always {row['label']})" for row in told)
        found.append(f"shortcut: where a scan was made gives its label away: {names}")
    return found


def _counts(rows: list[dict]) -> Table:
    words, numbers = ("source", "modality", "label", "split"), ("scans", "patients")
    table = titled_table("Scans", words, numbers)
    for row in rows:
        table.add_row(*(row[name] or "-" for name in words), *(str(row[name]) for name in numbers))
    return table


def _pixels(sizes: list[dict], intensities: list[dict]) -> Table:
    levels = ("mean", "sd", "p1", "p50", "p99")
    table = titled_table(
        "Sizes, median (least-most) px, and gray levels, 0-255", ["source, modality, label"], ["width", "height", *levels],
        no_wrap=True,
    )  # fmt: skip
    for size, level in zip(sizes, intensities, strict=True):
        spans = (
            f"{size[f'{side}_median_px']} ({size[f'{side}_least_px']}-{size[f'{side}_most_px']})"
            for side in ("width", "height")
        )
        table.add_row(
            ", ".join(size[name] for name in ("source", "modality", "label") if size[name]),
            *spans,
            *(f"{level[name]:.0f}" for name in levels),
        )
    return table


def _unreadable(rows: list[dict]) -> list[str]:
    heading = [f"{len(rows)} files cannot be read:"] if rows else []
    more = [f"  … and {len(rows) - LISTED} more"] if len(rows) > LISTED else []
    return [*heading, *(f"  {row['error']}" for row in rows[:LISTED]), *more]
