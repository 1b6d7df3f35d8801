"""`compare`: arms of any system side by side, with intervals and paired tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline import comparing
from pipeline.cli.asking.untouched_data import refuse_inside_data
from pipeline.cli.telling.document import AsJson, tell
from pipeline.comparing import DOCUMENT, Comparison
from pipeline.evaluation.output_folder import refuse_taken_folder


def compare(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[MORE]...", help="Further runs, or further tables of predictions.")
    ] = None,
    run: Annotated[list[Path] | None, typer.Option("--run", help="Run folder; may be repeated.")] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option("--predictions", help="CSV of predictions, or a folder that `evaluate` wrote; may be repeated."),
    ] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="CSV with id and label, for --predictions.")] = None,
    positive: Annotated[
        str | None, typer.Option("--positive", help="The positive class of two; COVID where a probability needs one.")
    ] = None,
    modality: Annotated[
        list[str] | None, typer.Option("--modality", help="Only these (xray, images, lungs, …); may be repeated.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Of --predictions: one part alone: test, validation, train, folds."),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="Which system, where a run holds two.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write comparison.json, report.md and figures here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the variants of one run, several runs, evaluations, or any files of predictions, of one system.

    Scores are of the test part, with intervals clustered by patient; differences come with paired tests.
    """
    runs, files = _sort_sources(run or [], predictions or [], more or [])
    if out is not None:
        refuse_taken_folder(out)
        refuse_inside_data([out], [], *runs)
    found = comparing.compare(
        *runs, predictions=files, labels=labels, positive=positive, modality=modality, system=system, split=split
    )
    if out is not None:
        found.save(out)
    tell(as_json, found.document, lambda: _words(found, out))


def _sort_sources(runs: list[Path], files: list[Path], more: list[Path]) -> tuple[list[Path], list[Path]]:
    """What the words without an option are: more of what an option named."""
    return ([*runs, *more], files) if runs else ([], [*files, *more])


def _words(comparison: Comparison, out: Path | None) -> str:
    where = f"\n\nWritten to {out}: {DOCUMENT}, {', '.join(sorted(comparison.files))}" if out is not None else ""
    return f"{comparison.text}{where}"
