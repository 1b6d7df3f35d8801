"""`fairness`: a classifier's metrics by any column of its patients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output_folder import refuse_taken_folder, write_findings

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.engine.contract import Stage

DOCUMENT, FIGURE = "fairness.json", "fairness"
_COLUMNS_SHOWN = 5


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Add `fairness`."""
    app.command("fairness")(_fairness)


def _fairness(
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
    smallest: Annotated[int, typer.Option("--smallest", min=2, help="Patients below which a group is not ranked.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap and the permutations.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Show a classifier's metrics by group, name the worst group and test the gap.

    Intervals are clustered by patient; the gap between best and worst group is tested by permuting groups between
    patients of the same class. A column of ages is cut into <18, 18-39, 40-59, 60+.
    """
    from pipeline.evaluation.studies.fairness import FairnessSettings, fairness
    from pipeline.evaluation.studies.fairness_figure import fairness_figure
    from pipeline.evaluation.studies.patient_groups import patient_groups
    from pipeline.evaluation.tables.prediction_files import read_one_arm

    refuse_taken_folder(out)
    rows, column, warnings = read_one_arm(predictions, by, table, positive, threshold)
    document = fairness(rows, patient_groups(column, by), settings=FairnessSettings(smallest=smallest, seed=seed))
    document["warnings"] = [*warnings, *document["warnings"]]
    files = write_findings(out, DOCUMENT, document, {FIGURE: fairness_figure(document)})
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        _show(document, out, files)


def _show(document: dict, out: Path, files: Sequence[str]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(_by_group(document))
    for metric, gap in document["gaps"].items():
        console.print(f"{metric.replace('_', ' ')}: {escape(gap['verdict'])}")
    worst = document["worst_group"]
    if worst["group"] is not None:
        console.print(f"worst group by {worst['metric'].replace('_', ' ')}: {escape(worst['group'])}")
    for warning in document["warnings"]:
        console.print(f"note: {escape(warning)}")
    console.print(f"{', '.join(files)} in {escape(str(out))}")


def _by_group(document: dict) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.engine.interval_text import interval_text

    shown = [name for name in document["gaps"] if name not in ("precision", "f1", "brier")][:_COLUMNS_SHOWN]
    table = Table(title=escape(f"By {document['column']}"), title_justify="left")
    table.add_column(document["column"])
    table.add_column("patients", justify="right")
    for metric in shown:
        table.add_column(metric.replace("_", " "), justify="right")
    for name, group in document["groups"].items():
        mark = " (small)" if group["small"] else ""
        cells = [interval_text(group["metrics"][metric]) for metric in shown]
        table.add_row(*map(escape, (name + mark, str(group["patients"]), *cells)))
    table.add_section()
    table.add_row("everybody", "", *(escape(interval_text(document["overall"][metric])) for metric in shown))
    return table
