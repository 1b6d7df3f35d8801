"""`compare`: arms of any system side by side, with intervals and paired tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.telling.document import AsJson, tell
from pipeline.cli.telling.output_folder import png_of, refuse_taken_folder, write_files
from pipeline.engine.errors import UsageError, did_you_mean
from pipeline.engine.rundir import RunDirectory
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.text import comparison_table
from pipeline.evaluation.figures.comparison import comparison_figures
from pipeline.evaluation.tables.alignment import keep_shared_rows
from pipeline.evaluation.tables.prediction_files import read_predictions
from pipeline.evaluation.tables.run_arms import JoinedArms, RunArms, joined_runs, unique_names
from pipeline.systems import system_of_run

DOCUMENT = "comparison.json"


@dataclass
class Comparison:
    """What a comparison says: its document, the heading for people, and its other files by name."""

    document: dict
    heading: str
    files: dict[str, bytes] = field(default_factory=dict)


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
    if labels is not None and not files:
        raise UsageError("--labels belongs to --predictions.", "A run knows its own labels.")
    if system is not None and files:
        raise UsageError("--system belongs to --run.", "A table of predictions is of one system.")
    if out is not None:
        refuse_taken_folder(out)
    with_files = out is not None
    comparison = (
        _of_files(files, labels, positive, modality, with_files) if files else _of_runs(runs, system, modality, with_files)
    )
    if out is not None:
        write_files(out, DOCUMENT, comparison.document, comparison.files)
    tell(as_json, comparison.document, lambda: _words(comparison, out))


def _sort_sources(runs: list[Path], files: list[Path], more: list[Path]) -> tuple[list[Path], list[Path]]:
    if runs and files:
        raise UsageError("--run and --predictions cannot be mixed.", "A run's predictions.csv can be named as a file.")
    if not runs and not files:
        raise UsageError("Nothing to compare.", "Name a run with --run DIR, or files with --predictions A.csv B.csv.")
    return ([*runs, *more], []) if runs else ([], [*files, *more])


def _of_runs(folders: list[Path], system: str | None, modalities: list[str] | None, with_files: bool) -> Comparison:
    runs = {name: RunDirectory(path) for name, path in zip(unique_names(folders), folders, strict=True)}
    found = {name: system_of_run(run, system) for name, run in runs.items()}
    _refuse_differing("system", {name: row.name for name, row in found.items()})
    told: dict[str, RunArms] = {name: found[name].load("arms")(run) for name, run in runs.items()}
    first, (run, *others) = next(iter(told.values())), runs.values()
    if not others and first.document is not None and modalities is None:
        document = run.load_json(first.document)
        files = [run.artifact(name) for name in first.files] if with_files else []
        return Comparison(document, first.heading, {path.name: path.read_bytes() for path in files})
    heading = f"{', '.join(runs)}: arms are named run/variant and aligned by id; resplits belong to one run and are left out."
    comparison = _compared(joined_runs(told), modalities, heading if others else first.heading, with_files)
    if not others and first.chosen is not None:
        comparison.document["chosen"] = first.chosen
    return comparison


def _of_files(
    files: list[Path], labels: Path | None, positive: str | None, modalities: list[str] | None, with_files: bool
) -> Comparison:
    read = read_predictions(files, labels, positive)
    _refuse_differing("system", {arm: name for arm, name in read.systems.items() if name})
    joined = JoinedArms(read.arms, [*read.warnings, *keep_shared_rows(read.arms)], tuple(read.controls))
    return _compared(joined, modalities, f"{', '.join(str(file) for file in files)}: each file is an arm.", with_files)


def _refuse_differing(what: str, of_arms: dict[str, str]) -> None:
    """Raises UsageError where the arms have not all the same, naming what each has."""
    if len(set(of_arms.values())) > 1:
        said = ", ".join(f"{name} is of {value}" for name, value in of_arms.items())
        raise UsageError(f"The arms are of different {what}s: {said}.", f"Compare arms of one {what}.")


def _compared(joined: JoinedArms, modalities: list[str] | None, heading: str, with_files: bool) -> Comparison:
    arms = joined.arms
    if modalities is not None:
        known = list(dict.fromkeys(name for tables in arms.values() for name in tables))
        unknown = next((name for name in modalities if name not in known), None)
        if unknown is not None:
            raise UsageError(
                f"There is no modality {unknown!r} among {', '.join(known)}.{did_you_mean(unknown, known)}", "Name one of them."
            )
        arms = {arm: {name: rows for name, rows in tables.items() if name in modalities} for arm, tables in arms.items()}
    document = build_comparison(arms, joined.resplits, controls=joined.controls, warnings=joined.warnings)
    comparison = Comparison(document, heading)
    if with_files:
        comparison.files["report.md"] = f"# Comparison\n\n{heading}\n\n{comparison_table(document)}".encode()
        comparison.files |= {f"{name}.png": png_of(figure) for name, figure in comparison_figures(arms, document).items()}
    return comparison


def _words(comparison: Comparison, out: Path | None) -> str:
    words = f"{comparison.heading}\n\n{comparison_table(comparison.document).rstrip()}"
    return words + (f"\n\nWritten to {out}: {DOCUMENT}, {', '.join(sorted(comparison.files))}" if out is not None else "")
