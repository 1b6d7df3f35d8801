"""`study alignment`: hiding the modality on phantoms: what it hides, what it costs, and what it is good for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.choices import choices
from pipeline.cli.telling.document import AsJson, Quiet, tell
from pipeline.cli.telling.tables import TitledTable, show
from pipeline.engine.interval_text import interval_text
from pipeline.engine.progress import Reporter
from pipeline.evaluation.comparison.alignment_words import PROBE_TITLES
from pipeline.evaluation.output_folder import refuse_taken_folder, write_findings
from pipeline.training.alignment_study.settings import StudySettings
from pipeline.training.alignment_study.studies import STUDIES

DOCUMENT = "alignment_study.json"
EVERYTHING = "all"
Part = choices("Part", (*STUDIES, EVERYTHING))
DEFAULTS = StudySettings()


def alignment(
    out: Annotated[Path, typer.Option("--out", help="Folder for alignment_study.json and a figure of each study.")],
    part: Annotated[Part, typer.Option("--part", help="Which study.")] = Part.ALL,
    patients: Annotated[int, typer.Option("--patients", min=24, help="Phantoms, each with an X-ray and a CT slice.")] = (
        DEFAULTS.patients
    ),
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each arm.")] = DEFAULTS.seeds,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of phantoms, split and trainings.")] = DEFAULTS.seed,
    severity: Annotated[float, typer.Option("--severity", min=0, max=2, help="Of the lesion.")] = DEFAULTS.severity,
    marker: Annotated[float, typer.Option("--marker", min=0, max=1, help="Severity of the marker in hidden.")] = DEFAULTS.marker,
    size: Annotated[int, typer.Option("--size", min=64, max=1024, help="Side of the pictures, px.")] = DEFAULTS.size,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Of adversarial training at most.")] = (
        DEFAULTS.adversarial.epoch_budget
    ),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Hide the modality of phantoms with planted lesions: what it hides, what it costs, what it is good for.

    Plain, adversarial and erased extractors are trained on frozen features and judged on patients that nothing has seen:
    hidden, X-rays in two halves of which one carries a marker, and a lesion in both; nothing, the halves without any marker;
    unlabelled, X-rays and CT slices, and a lesion in both that is labelled in X-rays only.
    """
    refuse_taken_folder(out)
    adversarial = DEFAULTS.adversarial.model_copy(update={"epoch_budget": epochs})
    settings = StudySettings(
        patients=patients, seeds=seeds, seed=seed, severity=severity, marker=marker, size=size, adversarial=adversarial
    )
    wanted = tuple(STUDIES) if part.value == EVERYTHING else (part.value,)
    document = _document(settings, wanted, Reporter(quiet))
    from pipeline.training.alignment_study.figure import study_figure

    figures = {f"alignment_study_{name}": study_figure(told) for name, told in document["studies"].items()}
    files = write_findings(out, DOCUMENT, document, figures)
    tell(as_json, document, lambda: _show(document, out, files))


def _document(settings: StudySettings, wanted: Sequence[str], reporter: Reporter) -> dict:
    from pipeline.training.alignment_study.document import study_document
    from pipeline.training.alignment_study.phantom_scans import phantom_features
    from pipeline.training.determinism import make_deterministic

    make_deterministic(settings.seed)
    patients = reporter.track(range(settings.patients), settings.patients, "patients")
    with closing(patients):
        made = phantom_features(settings, lambda done, total: next(patients, None))

    def track(numbers: Iterable[int], total: int, name: str) -> Iterable[int]:
        return reporter.track(numbers, total, f"trainings of {name}")

    studies = {name: study_document(made.scans_of(STUDIES[name], settings.seed), name, settings, track) for name in wanted}
    return {"schema_version": 1, "settings": settings.model_dump(mode="json"), "studies": studies}


def _show(document: dict, out: Path, files: Sequence[str]) -> None:
    for name, told in document["studies"].items():
        show(told["question"], _table(name, told), *told["verdicts"], "")
    show(f"{', '.join(files)} in {out}")


def _table(name: str, told: dict) -> TitledTable:
    sides = list(told["sides"])
    numbers = [
        *(PROBE_TITLES[probe] for probe in told["raw"]["probes"]),
        *(f"AUC, {told['sides'][side]}" for side in sides),
        *(f"minus plain, {told['sides'][side]}" for side in sides),
    ]
    rows = [["embeddings", *_probes(told["raw"]), *[""] * (2 * len(sides))]]
    for arm, made in told["arms"].items():
        changes = made.get("difference", {})
        aucs = [interval_text(made["auc"][side]) for side in sides]
        rows.append([arm, *_probes(made["probes"]), *aucs, *(_change(changes, side) for side in sides)])
    return TitledTable(name, ["arm"], numbers, rows)


def _probes(scores: dict) -> list[str]:
    return [interval_text(told["balanced_accuracy"]) for told in scores["probes"].values()]


def _change(changes: dict, side: str) -> str:
    return interval_text(changes[side], signed=True) if side in changes else ""
