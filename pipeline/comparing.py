"""Arms of any system side by side, with intervals and paired tests: what `compare` does, from Python and on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.engine.checked_directory import CheckedDirectory
from pipeline.engine.errors import UsageError, did_you_mean
from pipeline.engine.given_path import path_given
from pipeline.engine.html import png_source, render_html
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.text import comparison_table, metric_tables, verdict_lines
from pipeline.evaluation.comparison.without_seen import Facts, seen_findings
from pipeline.evaluation.figures.comparison import comparison_figures
from pipeline.evaluation.figures.forest import forest_figure
from pipeline.evaluation.output_folder import png_of, refuse_taken_folder, write_files
from pipeline.evaluation.tables.alignment import keep_shared_rows
from pipeline.evaluation.tables.prediction_files import read_predictions
from pipeline.evaluation.tables.run_arms import JoinedArms, RunArms, joined_runs, unique_names
from pipeline.systems import system_of_run

DOCUMENT = "comparison.json"
PAGE = Path(__file__).with_suffix(".html.j2")
AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What a comparison says. document: that of `compare --json`. heading: what is compared, for people. draw: makes the files
    beside the document, by name: the report and the figures."""

    document: dict[str, Any]
    heading: str
    draw: Callable[[], Mapping[str, bytes]]

    @property
    def verdicts(self) -> list[dict[str, str]]:
        """{"modality", "a", "b", "sentence"} of each modality and pair of arms: of the document."""
        found: list[dict[str, str]] = self.document["verdicts"]
        return found

    @property
    def text(self) -> str:
        """All of it for people, as the command prints it: tables of metrics, tests, verdicts."""
        return f"{self.heading}\n\n{comparison_table(self.document).rstrip()}"

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The report and the figures by file name, drawn when they are first asked for."""
        return self.draw()

    def save(self, folder: AnyPath) -> list[str]:
        """Write comparison.json, report.md and the figures into a folder, which is made; returns their names.

        Raises UsageError for a file, or a stage's folder.
        """
        out = path_given(folder, "a folder")
        refuse_taken_folder(out)
        write_files(out, DOCUMENT, self.document, self.files)
        return [DOCUMENT, *sorted(self.files)]

    def __repr__(self) -> str:
        said = verdict_lines(self.document) or ["no test: one arm"]
        return f"<Comparison of {', '.join(self.document['arms'])} | {' | '.join(said)}>"

    def _repr_html_(self) -> str:
        tables = [table for modality in self.document["modalities"] for table in metric_tables(self.document, modality)]
        return render_html(
            PAGE, heading=self.heading, tables=tables, verdicts=verdict_lines(self.document),
            warnings=self.document.get("warnings", []), figure=png_source(png_of(forest_figure(self.document))),
        )  # fmt: skip


def compare(
    *runs: AnyPath, predictions: Iterable[AnyPath] | AnyPath = (), labels: AnyPath | None = None, positive: str | None = None,
    modality: Iterable[str] | str | None = None, system: str | None = None, split: str | None = None,
) -> Comparison:  # fmt: skip
    """The variants of one run, several runs, evaluations, or any tables of predictions, of one system.

    runs: run folders. predictions: CSVs, or folders that `evaluate` wrote, instead. labels: a CSV of id and label for them;
    positive: their positive class of two, COVID where a probability needs one. modality: only this, or these (xray, images,
    lungs, …). system: which, where a run holds two. split: of the tables the rows of one part alone (test, validation, train,
    folds), where they hold several.

    Raises UsageError (nothing to compare, arms of different systems, no such modality), MissingArtifactError (no run, or one
    that has not finished), StaleArtifactError and CorruptArtifactError (a stage of it was made from what has been made again
    since; an artifact was edited), DataError (tables that cannot be read, or share no row).
    """
    folders = [_run_given(run) for run in runs]
    files = [path_given(file, "a table of predictions") for file in _several(predictions)]
    modalities = None if modality is None else list(_several(modality))
    if folders and files:
        raise UsageError("--run and --predictions cannot be mixed.", "A run's predictions.csv can be named as a file.")
    if not folders and not files:
        raise UsageError("Nothing to compare.", "Name a run with --run DIR, or files with --predictions A.csv B.csv.")
    if labels is not None and not files:
        raise UsageError("--labels belongs to --predictions.", "A run knows its own labels.")
    if system is not None and files:
        raise UsageError("--system belongs to --run.", "A table of predictions is of one system.")
    if split is not None and not files:
        raise UsageError("--split belongs to --predictions.", "Of a run the test part is compared, and its rows out of fold.")
    if files:
        told = path_given(labels, "a table of labels") if labels is not None else None
        return _of_files(files, told, positive, modalities, split)
    return _of_runs(folders, system, modalities)


def _several(given: Any) -> Iterable[Any]:
    return (given,) if isinstance(given, str | os.PathLike) else tuple(given)


def _run_given(run: AnyPath) -> Path:
    folder = path_given(run, "a run")
    if folder.is_file():
        raise UsageError(f"{folder} is a file, not a run.", "Tables are given as predictions: --predictions A.csv B.csv.")
    return folder


def _of_runs(folders: list[Path], system: str | None, modalities: list[str] | None) -> Comparison:
    runs = {name: CheckedDirectory(path) for name, path in zip(unique_names(folders), folders, strict=True)}
    found = {name: system_of_run(run, system) for name, run in runs.items()}
    _refuse_differing("system", {name: row.name for name, row in found.items()})
    told: dict[str, RunArms] = {name: found[name].load("arms")(run) for name, run in runs.items()}
    first, (run, *others) = next(iter(told.values())), runs.values()
    if not others and first.document is not None and modalities is None:
        return Comparison(run.load_json(first.document), first.heading, lambda: _contents(map(run.artifact, first.files)))
    heading = f"{', '.join(runs)}: arms are named run/variant and aligned by id; resplits belong to one run and are left out."
    comparison = _compared(joined_runs(told), modalities, heading if others else first.heading)
    if not others and first.chosen is not None:
        comparison.document["chosen"] = first.chosen
    return comparison


def _contents(paths: Iterable[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def _of_files(
    files: list[Path], labels: Path | None, positive: str | None, modalities: list[str] | None, split: str | None
) -> Comparison:
    read = read_predictions(files, labels, positive, split=split)
    _refuse_differing("system", {arm: name for arm, name in read.systems.items() if name})
    joined = JoinedArms(read.arms, [*read.warnings, *keep_shared_rows(read.arms)], tuple(read.controls))
    heading = f"{', '.join(str(file) for file in files)}: each file is an arm."
    return _compared(joined, modalities, heading, read.facts)


def _refuse_differing(what: str, of_arms: Mapping[str, str]) -> None:
    """Raises UsageError where the arms have not all the same, naming what each has."""
    if len(set(of_arms.values())) > 1:
        said = ", ".join(f"{name} is of {value}" for name, value in of_arms.items())
        raise UsageError(f"The arms are of different {what}s: {said}.", f"Compare arms of one {what}.")


def _compared(joined: JoinedArms, modalities: list[str] | None, heading: str, facts: Facts | None = None) -> Comparison:
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
    if facts is not None and (seen := seen_findings(arms, facts, joined.controls)) is not None:
        document["seen"] = seen

    def draw() -> dict[str, bytes]:
        report = f"# Comparison\n\n{heading}\n\n{comparison_table(document)}".encode()
        pictures = {f"{name}.png": png_of(figure) for name, figure in comparison_figures(arms, document).items()}
        return {"report.md": report, **pictures}

    return Comparison(document, heading, draw)
