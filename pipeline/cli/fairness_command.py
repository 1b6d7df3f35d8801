"""`fairness`: a classifier's metrics by any column of its patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.telling.document import AsJson, tell
from pipeline.cli.telling.tables import TitledTable, show
from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.metrics.names import metric_words
from pipeline.evaluation.output_folder import refuse_taken_folder, write_findings
from pipeline.evaluation.studies.fairness import FairnessSettings, fairness
from pipeline.evaluation.studies.fairness_figure import fairness_figure
from pipeline.evaluation.studies.patient_groups import patient_groups
from pipeline.evaluation.tables.one_arm import read_one_arm

DOCUMENT, FIGURE = "fairness.json", "fairness"
_COLUMNS_SHOWN = 5


def show_fairness(
    predictions: Annotated[
        Path, typer.Option("--predictions", help="CSV with id, label and prob_<class>, or probability, or predicted.")
    ],
    by: Annotated[str, typer.Option("--by", help="Column to group by, e.g. sex, view, age (banded).")],
    out: Annotated[Path, typer.Option("--out", help="Folder for fairness.json and fairness.png.")],
    table: Annotated[Path | None, typer.Option("--table", help="CSV with id and the column, label or patient_id.")] = None,
    positive: Annotated[str | None, typer.Option("--positive", help="The positive class, by its name.")] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, max=1, help="Positive from this probability on, where no class is predicted.")
    ] = 0.5,
    split: Annotated[
        str | None, typer.Option("--split", help="The part of a run's predictions: test by default; validation, train, folds.")
    ] = None,
    smallest: Annotated[int, typer.Option("--smallest", min=2, help="Patients below which a group is not ranked.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap and the permutations.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show a classifier's metrics by group, name the worst group and test the gap.

    Intervals are clustered by patient; the gap between best and worst group is tested by permuting groups between
    patients of the same class. A column of ages is cut into <18, 18-39, 40-59, 60+.
    """
    refuse_taken_folder(out)
    rows, column, warnings = read_one_arm(predictions, by, table, positive, threshold, split)
    document = fairness(rows, patient_groups(column, by), settings=FairnessSettings(smallest=smallest, seed=seed))
    document["warnings"] = [*warnings, *document["warnings"]]
    files = write_findings(out, DOCUMENT, document, {FIGURE: fairness_figure(document)})
    tell(as_json, document, lambda: _show(document, out, files))


def _show(document: dict, out: Path, files: Sequence[str]) -> None:
    worst = document["worst_group"]
    named = f"worst group by {metric_words(str(worst['metric']))}: {worst['group']}"
    show(
        _by_group(document),
        *(f"{metric_words(metric)}: {gap['verdict']}" for metric, gap in document["gaps"].items()),
        *([named] if worst["group"] is not None else []),
        *(f"note: {warning}" for warning in document["warnings"]),
        f"{', '.join(files)} in {out}",
    )


def _by_group(document: dict) -> TitledTable:
    shown = [name for name in document["gaps"] if name not in ("precision", "f1", "brier")][:_COLUMNS_SHOWN]
    rows = [
        [name + (" (small)" if group["small"] else ""), str(group["patients"]), *_cells(group["metrics"], shown)]
        for name, group in document["groups"].items()
    ]
    everybody = ["everybody", "", *_cells(document["overall"], shown)]
    numbers = ["patients", *map(metric_words, shown)]
    return TitledTable(f"By {document['column']}", [document["column"]], numbers, [*rows, [], everybody])


def _cells(metrics: Mapping[str, dict], shown: Sequence[str]) -> list[str]:
    return [interval_text(metrics[metric]) for metric in shown]
