"""`predict` and `evaluate`: a bundle on one pair, on a table of pairs, and on labelled scans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.asking.bundle_options import (
    AsJson,
    BundleFolder,
    DeviceChoice,
    Quiet,
    RunFolder,
    SystemName,
    open_asked,
    tell_placement,
)
from pipeline.cli.asking.class_answers import settle_rows
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.progress import Reporter

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage
    from pipeline.inference.answers import Answer

COMMAND = "predict"
PHANTOM_SEED, PHANTOM_CONDITION = 0, "covid"


class Modality(StrEnum):
    """The modalities by name."""

    XRAY = "xray"
    CT = "ct"


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Adds `predict` and `evaluate`."""
    app.command(COMMAND)(_predict)
    app.command("evaluate")(_evaluate)


def _predict(
    bundle: BundleFolder = None,
    run: RunFolder = None,
    system: SystemName = None,
    xray: Annotated[Path | None, typer.Option("--xray", help="A chest X-ray.")] = None,
    ct: Annotated[Path | None, typer.Option("--ct", help="A CT slice.")] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", help="A table of pairs: id,xray,ct; either cell may be empty.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The table of answers to write, with --csv.")] = None,
    gradcam: Annotated[
        Path | None, typer.Option("--gradcam", help="Folder for Grad-CAM of a pair: xray_gradcam.png, ct_gradcam.png.")
    ] = None,
    device: DeviceChoice = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Answer a scan pair, half of one, or a table of pairs.

    Without any scan, a generated pair is answered. An unreadable scan is named, and the rest is answered.
    """
    from pipeline.data.layouts.pair_table import read_pairs
    from pipeline.engine.outputs import prepare_output, refuse_overwriting

    scans = {name: scan for name, scan in (("xray", xray), ("ct", ct)) if scan is not None}
    if table is not None and scans:
        raise UsageError("--csv and --xray or --ct were given.", "Give a table or one pair.")
    if (table is None) != (out is None):
        raise UsageError("--csv and --out belong together.", "Give the table of pairs and the table to write.")
    if gradcam is not None and not scans:
        raise UsageError("--gradcam draws over the scans of one pair.", "Give --xray, --ct or both.")
    reporter = Reporter(quiet)
    rows = read_pairs(table) if table is not None else []
    if out is not None:
        refuse_overwriting([out], [table, *(scan for row in rows for scan in row.scans)])
        prepare_output(out)
    opened = open_asked(bundle, run, system, device, reporter, COMMAND)
    if out is not None:
        _answer_table(opened, rows, out, reporter, as_json)
    else:
        _answer_pair(opened, scans, gradcam, as_json)
    if not as_json:
        tell_placement(device, opened.placement)


def _answer_pair(opened: Any, scans: dict[str, Path], gradcam: Path | None, as_json: bool) -> None:
    from pipeline.data.scans import PAIRED
    from pipeline.engine.outputs import refuse_overwriting
    from pipeline.inference.multitask.rendering import answer_document, answer_words

    targets = {name: gradcam / f"{name}_gradcam.png" for name in scans} if gradcam is not None else {}
    refuse_overwriting(targets.values(), scans.values())
    answer = opened.answer(**scans, methods=("gradcam",) if targets else ()) if scans else _answer_phantom(opened)
    if as_json:
        document = answer_document(opened.bundle, answer, not scans, opened.placement)
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    failed = [finding for finding in answer.findings if finding.error is not None and finding.modality != PAIRED]
    if all(finding.predicted is None for finding in answer.findings):
        raise DataError(" ".join(finding.error or "" for finding in failed), "Give a readable scan.")
    if not as_json:
        typer.echo(answer_words(opened.bundle, answer, not scans))
    for finding in failed:
        typer.echo(f"warning: no answer for {finding.modality}: {finding.error}", err=True)
    for finding in answer.findings:
        if finding.modality in targets and finding.activations:
            _draw(targets[finding.modality], scans[finding.modality], finding)


def _draw(target: Path, scan: Path, finding: Any) -> None:
    from pipeline.cli.asking.pictures import write_heat_maps
    from pipeline.data.reading.gray_reader import read_gray

    write_heat_maps({"gradcam": target}, read_gray(scan), finding)


def _answer_phantom(opened: Any) -> Answer:
    from pipeline.data.phantom import make_patient

    opened.prepare()
    patient = make_patient(PHANTOM_SEED, PHANTOM_CONDITION)
    return opened.answer(xray=patient.xray, ct=patient.ct)


def _answer_table(opened: Any, rows: Sequence[Any], out: Path, reporter: Reporter, as_json: bool) -> None:
    from pipeline.inference.answered_rows import answer_pairs, count_scans, failures, write_findings_table

    answered = answer_pairs(opened, reporter.track(rows, len(rows), "pairs"))
    settle_rows(answered, lambda: write_findings_table(out, answered), "scans")
    asked, failed = count_scans(answered), len(failures(answered))
    if as_json:
        typer.echo(json.dumps(
            {"out": str(out), "pairs": len(rows), "scans": asked, "failed": failed, **opened.placement}, indent=2
        ))  # fmt: skip
    else:
        typer.echo(f"{len(rows)} pairs in {out}: {asked - failed} scans answered, {failed} failed.")


def _evaluate(
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="X_Ray_Test and CT_Scan_Test, class folders with --modality, {class}/{images,masks}, or a CSV."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for predictions.csv, metrics.json and figures.")],
    bundle: BundleFolder = None,
    run: RunFolder = None,
    system: SystemName = None,
    modality: Annotated[
        Modality | None, typer.Option("--modality", help="Of the scans, where --data holds class folders only.")
    ] = None,
    max_unreadable: Annotated[
        float, typer.Option("--max-unreadable", min=0.0, max=1.0, help="Share of scans that may be unreadable.")
    ] = 0.05,
    mask_labels: Annotated[
        str | None,
        typer.Option("--mask-labels", help="The values of masks that are lung: 1,2 or 128-255 or #ff0000; found by default."),
    ] = None,
    device: DeviceChoice = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge a bundle on labelled scans: metrics with patient-clustered intervals, and figures.

    A CSV has image,modality,label or id,xray,ct,label; image,label,mask for a segmenter or a classifier, and note for one
    of vision and text; patient_id where it is known.
    """
    from pipeline.cli.evaluate.request import EvaluationRequest
    from pipeline.systems import system_named

    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise UsageError(f"{out}: lies inside the data, which is never written to.", "Give --out another place.")
    reporter = Reporter(quiet)
    opened = open_asked(bundle, run, system, device, reporter)
    if modality is not None and len(opened.modalities) < 2:
        reads = " ".join(opened.modalities)
        raise UsageError("--modality is for a bundle of both modalities.", f"Leave it out: this one reads {reads} alone.")
    labels = tuple(mask_labels.split(",")) if mask_labels else ()
    request = EvaluationRequest(data, out, modality.value if modality else None, max_unreadable, reporter, labels)
    found = system_named(opened.system).load("evaluator")(opened, request)
    if as_json:
        typer.echo(json.dumps(found.document | opened.placement, indent=2, ensure_ascii=False))
    else:
        typer.echo(found.words)
        tell_placement(device, opened.placement)
