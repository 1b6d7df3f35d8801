"""The tables of `data inspect`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.engine.listing import listed

LISTED = 10


def show_inspection(document: dict, out: Path | None) -> None:
    """Prints an inspection's document (see `Inspection.document`) as tables and sentences."""
    console = Console(highlight=False)
    console.print(
        f"{document['scans']} scans, {document['patients']} patients "
        f"({document['scans_without_patient_id']} scans without a patient id)"
    )
    for notice in document["notices"]:
        console.print(f"note: {escape(notice)}")
    console.print(_counts(document["counts"]))
    console.print(_pixels(document["sizes"], document["intensity"]))
    _show_unreadable(console, document["unreadable"])
    for sentence in leakage_sentences(document["leakage"]):
        console.print(escape(sentence))
    if out is not None:
        console.print(f"inspection.json, counts.png, sizes.png, intensity.png in {escape(str(out))}")


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
    for what, key in (
        ("leakage: {} pairs are nearly one picture on two sides of the split", "near_duplicates_across_splits"),
        ("copies: {} pairs are nearly one picture with different labels", "near_duplicates_with_different_labels"),
    ):
        pairs = leakage[key]
        named = listed([" = ".join((pair["first"], pair["second"])) for pair in pairs])
        found.append(what.format(len(pairs)) + (f": {named}" if pairs else ""))
    told = leakage["labels_told_by_origin"]
    if told:
        names = ", ".join(f"{row['origin']} (always {row['label']})" for row in told)
        found.append(f"shortcut: where a scan was made gives its label away: {names}")
    return found


def _counts(rows: list[dict]) -> Table:
    table = Table(title="Scans", title_justify="left")
    for name in ("source", "modality", "label", "split"):
        table.add_column(name)
    for name in ("scans", "patients"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            *(escape(row[name]) or "-" for name in ("source", "modality", "label", "split")),
            str(row["scans"]),
            str(row["patients"]),
        )
    return table


def _pixels(sizes: list[dict], intensities: list[dict]) -> Table:
    table = Table(title="Sizes, median (least-most) px, and gray levels, 0-255", title_justify="left")
    table.add_column("source, modality, label")
    for name in ("width", "height", "mean", "sd", "p1", "p50", "p99"):
        table.add_column(name, justify="right", no_wrap=True)
    for size, level in zip(sizes, intensities, strict=True):
        spans = (
            f"{size[f'{side}_median_px']} ({size[f'{side}_least_px']}-{size[f'{side}_most_px']})"
            for side in ("width", "height")
        )
        table.add_row(
            escape(", ".join(size[name] for name in ("source", "modality", "label") if size[name])),
            *spans,
            *(f"{level[name]:.0f}" for name in ("mean", "sd", "p1", "p50", "p99")),
        )
    return table


def _show_unreadable(console: Console, unreadable: list[dict]) -> None:
    if not unreadable:
        return
    console.print(f"{len(unreadable)} files cannot be read:")
    for row in unreadable[:LISTED]:
        console.print(f"  {escape(row['error'])}")
    if len(unreadable) > LISTED:
        console.print(f"  … and {len(unreadable) - LISTED} more")
