"""`compare`: with against without adversarial training, or any arms, with intervals and paired tests."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output_folder import refuse_taken_folder
from pipeline.engine.errors import UsageError

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage
    from pipeline.engine.rundir import RunDirectory

ONE_TRAINING = "{run}: the one training of s05, since s06 was not made: no spread over seeds, no resplits"


@dataclass
class Comparison:
    """What a comparison says: its document, the heading for people, and its other files by name."""

    document: dict
    heading: str
    files: dict[str, bytes] = field(default_factory=dict)


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Add `compare`."""
    app.command("compare")(_compare)


def _compare(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[MORE]...", help="Further runs, or further files of predictions.")
    ] = None,
    run: Annotated[list[Path] | None, typer.Option("--run", help="Run folder; may be repeated.")] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option("--predictions", help="CSV of predictions, one arm a file; may be repeated.")
    ] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="CSV with id and label, for --predictions.")] = None,
    positive: Annotated[str, typer.Option("--positive", help="The positive class among text labels.")] = "COVID",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write comparison.json, report.md and figures here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Compare the variants of one run, several runs, or any files of predictions.

    Scores are of the test part, with intervals clustered by patient; differences come with paired tests.
    """
    runs, files = _sort_sources(run or [], predictions or [], more or [])
    if labels is not None and not files:
        raise UsageError("--labels belongs to --predictions.", "A run knows its own labels.")
    if out is not None:
        refuse_taken_folder(out)
    with_files = out is not None
    comparison = _of_files(files, labels, positive, with_files) if files else _of_runs(runs, with_files)
    if out is not None:
        _write(out, comparison)
    if as_json:
        typer.echo(json.dumps(comparison.document, indent=2))
    else:
        _show(comparison, out)


def _sort_sources(runs: list[Path], files: list[Path], more: list[Path]) -> tuple[list[Path], list[Path]]:
    if runs and files:
        raise UsageError("--run and --predictions cannot be mixed.", "A run's predictions.csv can be named as a file.")
    if not runs and not files:
        raise UsageError("Nothing to compare.", "Name a run with --run DIR, or files with --predictions A.csv B.csv.")
    return ([*runs, *more], []) if runs else ([], [*files, *more])


def _of_runs(folders: list[Path], with_files: bool) -> Comparison:
    from pipeline.engine.rundir import RunDirectory

    runs = [RunDirectory(folder) for folder in folders]
    if len(runs) == 1:
        return _of_one_run(runs[0], with_files)
    return _of_several_runs(runs, with_files)


def _of_one_run(run: RunDirectory, with_files: bool) -> Comparison:
    if not run.has("significance_comparison"):
        return _of_one_training(run, with_files)
    document = run.load_json("significance_comparison")
    heading = f"{run.path}: validation chose {document['chosen']}; the test part was read once."
    files = {}
    if with_files:
        shown = ("significance_report", "significance_figure_")
        names = sorted(n for m in run.manifests.values() for n in m.outputs if n.startswith(shown))
        files = {(path := run.artifact(name)).name: path.read_bytes() for name in names}
    return Comparison(document, heading, files)


def _of_one_training(run: RunDirectory, with_files: bool) -> Comparison:
    from pipeline.evaluation.comparison.document import build_comparison
    from pipeline.training.multitask.run_predictions import CONTROL, read_run_predictions

    (found,) = read_run_predictions([run])
    tables = found.tables
    dataset, chosen = run.load_json("dataset"), run.load_json("choice")["chosen"]
    note = ONE_TRAINING.format(run=run.path)
    document = build_comparison(tables, controls=(CONTROL,), warnings=[note, *dataset["leakage"]])
    document["chosen"] = chosen
    heading = f"{run.path}: validation chose {chosen}. One training (s05), since s06 was not made."
    comparison = Comparison(document, heading)
    return _with_files(comparison, tables) if with_files else comparison


def _of_several_runs(runs: list[RunDirectory], with_files: bool) -> Comparison:
    from pipeline.evaluation.comparison.document import build_comparison
    from pipeline.evaluation.tables.alignment import keep_shared_rows
    from pipeline.training.multitask.run_predictions import CONTROL, PAIRED, arms_of_runs, read_run_predictions, unique_names

    named = dict(zip(unique_names([run.path for run in runs]), runs, strict=True))
    read = dict(zip(named, read_run_predictions(runs), strict=True))
    arms = arms_of_runs(read)
    notes = [ONE_TRAINING.format(run=name) for name, found in read.items() if found.source == "s05"]
    notes += [f"{name}: {sentence}" for name, run in named.items() for sentence in run.load_json("dataset")["leakage"]]
    notes += keep_shared_rows(arms, (PAIRED, CONTROL))
    document = build_comparison(arms, controls=(CONTROL,), warnings=notes)
    heading = f"{', '.join(named)}: arms are named run/variant and aligned by id; resplits belong to one run and are left out."
    comparison = Comparison(document, heading)
    return _with_files(comparison, arms) if with_files else comparison


def _of_files(files: list[Path], labels: Path | None, positive: str, with_files: bool) -> Comparison:
    from pipeline.evaluation.comparison.document import build_comparison
    from pipeline.evaluation.tables.alignment import keep_shared_rows
    from pipeline.evaluation.tables.prediction_files import read_predictions

    read = read_predictions(files, labels, positive)
    tables, warnings = read.arms, read.warnings
    warnings += keep_shared_rows(tables)
    document = build_comparison(tables, warnings=warnings)
    comparison = Comparison(document, f"{', '.join(str(file) for file in files)}: each file is an arm.")
    return _with_files(comparison, tables) if with_files else comparison


def _with_files(comparison: Comparison, tables: dict) -> Comparison:
    from pipeline.evaluation.comparison.text import comparison_table
    from pipeline.evaluation.figures.comparison import comparison_figures

    text = f"# Comparison\n\n{comparison.heading}\n\n{comparison_table(comparison.document)}"
    comparison.files["report.md"] = text.encode()
    for name, figure in comparison_figures(tables, comparison.document).items():
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
        comparison.files[f"{name}.png"] = picture.getvalue()
    return comparison


def _write(out: Path, comparison: Comparison) -> None:
    from pipeline.engine.files import atomic_write_bytes, write_json

    out.mkdir(parents=True, exist_ok=True)
    for name, content in comparison.files.items():
        atomic_write_bytes(out / name, content)
    write_json(out / "comparison.json", comparison.document)


def _show(comparison: Comparison, out: Path | None) -> None:
    from pipeline.evaluation.comparison.text import comparison_table

    typer.echo(f"{comparison.heading}\n\n{comparison_table(comparison.document).rstrip()}")
    if out is not None:
        typer.echo(f"\nWritten to {out}: comparison.json, {', '.join(sorted(comparison.files))}")
