"""`readers`: a reader study from CSV, without and with AI."""

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
from pipeline.evaluation.studies.reader_calls import read_reader_calls
from pipeline.evaluation.studies.reader_study import ReaderStudySettings, reader_study
from pipeline.evaluation.studies.reader_study_figure import reader_study_figure

DOCUMENT, FIGURE = "reader_study.json", "reader_study"
_SHOWN = ("sensitivity", "specificity", "auc")


def readers(
    csv: Annotated[Path, typer.Option("--csv", help="case_id,reader_id,with_ai,call[,truth][,patient_id], one row a call.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for reader_study.json and reader_study.png.")],
    truth: Annotated[Path | None, typer.Option("--truth", help="CSV with case_id and truth, where the calls have none.")] = None,
    positive: Annotated[str | None, typer.Option("--positive", help="The positive class, where truth is a class name.")] = None,
    threshold: Annotated[float, typer.Option("--threshold", min=0, max=1, help="A score from here on is a positive call.")] = 0.5,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare readers without and with AI: each reader, and readers at large.

    Every reader reads every case in both arms. Changes come with intervals by patient, paired tests and a multi-reader
    multi-case analysis (Obuchowski-Rockette, Hillis).
    """
    refuse_taken_folder(out)
    study = read_reader_calls(csv, truth, positive)
    document = reader_study(study, ReaderStudySettings(threshold=threshold, seed=seed))
    files = write_findings(out, DOCUMENT, document, {FIGURE: reader_study_figure(document)})
    tell(as_json, document, lambda: _show(document, out, files))


def _show(document: dict, out: Path, files: Sequence[str]) -> None:
    counts, kappa = document["counts"], document["agreement"]["fleiss_kappa"]
    agreement = ", ".join(f"{arm} AI {interval_text(kappa[arm])}" for arm in ("without", "with"))
    known = kappa["without"]["value"] is not None and kappa["with"]["value"] is not None
    show(
        f"{counts['readers']} readers, {counts['cases']} cases of {counts['patients']} patients, {counts['positive']} positive",
        _changes(document),
        *(
            f"readers at large, {metric_words(test['metric'])}: {test['verdict']}"
            for test in document["tests"] if test["family"] == "study"
        ),
        *([f"agreement between readers (Fleiss' kappa): {agreement}"] if known else []),
        *(f"note: {warning}" for warning in document["warnings"]),
        f"{', '.join(files)} in {out}",
    )


def _changes(document: dict) -> TitledTable:
    """A row for each reader and metric, then the study's."""
    adjusted = {(test["reader"], test["metric"]): test["p_adjusted"] for test in document["tests"]}
    rows: list[list[str]] = []
    for reader in document["readers"]:
        for metric in _SHOWN:
            arms = {arm: by_metric[metric] for arm, by_metric in document["per_reader"][reader].items()}
            rows.append(_row(reader, metric, arms, adjusted.get((reader, metric))))
        rows.append([])
    rows += [_row("readers at large", metric, made, adjusted[None, metric]) for metric, made in document["mrmc"].items()]
    return TitledTable("Without and with AI", ["reader", "metric"], ["without", "with", "change", "Holm p"], rows)


def _row(reader: str, metric: str, arms: Mapping[str, dict], p: float | None) -> list[str]:
    change = interval_text(arms["difference"], signed=True)
    adjusted = "-" if p is None else f"{p:.3g}"
    return [reader, metric_words(metric), interval_text(arms["without"]), interval_text(arms["with"]), change, adjusted]
