"""`predict` and `evaluate`: a bundle on one pair, on a table of pairs, and on labelled scans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.progress import Reporter

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage
    from pipeline.inference.answers import Answer
    from pipeline.inference.multitask.predictor import Predictor
    from pipeline.inference.multitask.table_answers import TableAnswers

PHANTOM_SEED, PHANTOM_CONDITION = 0, "covid"


class Modality(StrEnum):
    """The modalities by name."""

    XRAY = "xray"
    CT = "ct"


BundleFolder = Annotated[
    Path | None, typer.Option("--bundle", help="The bundle's folder; pretrained/respiratory_mtl by default.")
]
RunFolder = Annotated[Path | None, typer.Option("--run", help="A finished run instead of a bundle.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Adds `predict` and `evaluate`."""
    app.command("predict")(_predict)
    app.command("evaluate")(_evaluate)


def _predict(
    bundle: BundleFolder = None,
    run: RunFolder = None,
    xray: Annotated[Path | None, typer.Option("--xray", help="A chest X-ray.")] = None,
    ct: Annotated[Path | None, typer.Option("--ct", help="A CT slice.")] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", help="A table of pairs: id,xray,ct; either cell may be empty.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The table of answers to write, with --csv.")] = None,
    gradcam: Annotated[
        Path | None, typer.Option("--gradcam", help="Folder for Grad-CAM of a pair: xray_gradcam.png, ct_gradcam.png.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Answer a scan pair, half of one, or a table of pairs.

    Without any scan, a generated pair is answered. An unreadable scan is named, and the rest is answered.
    """
    if table is not None and (xray is not None or ct is not None):
        raise UsageError("--csv and --xray or --ct were given.", "Give a table or one pair.")
    if (table is None) != (out is None):
        raise UsageError("--csv and --out belong together.", "Give the table of pairs and the table to write.")
    if gradcam is not None and xray is None and ct is None:
        raise UsageError("--gradcam draws over the scans of one pair.", "Give --xray, --ct or both.")
    reporter = Reporter(quiet)
    if table is None:
        predictor = _open(bundle, run, reporter)
        answers = _answer_pair(predictor, xray, ct, as_json)
        if gradcam is not None:
            _draw_heat(predictor, {"xray": xray, "ct": ct}, answers, gradcam)
    else:
        _answer_table(bundle, run, table, out, reporter, as_json)


def _open(bundle: Path | None, run: Path | None, reporter: Reporter) -> Predictor:
    from pipeline.cli.bundle_source import find_bundle
    from pipeline.inference.multitask.bundle import load_bundle
    from pipeline.inference.multitask.predictor import Predictor

    return Predictor(load_bundle(find_bundle(bundle, run, reporter)))


def _answer_pair(predictor: Predictor, xray: Path | None, ct: Path | None, as_json: bool) -> list[Answer]:
    from pipeline.inference.answers import all_failed, failures
    from pipeline.inference.multitask.rendering import answer_document, answer_words

    is_phantom = xray is None and ct is None
    answers = _answer_phantom(predictor) if is_phantom else predictor.answer(xray, ct)
    if as_json:
        typer.echo(json.dumps(answer_document(predictor.bundle, answers, is_phantom), indent=2, ensure_ascii=False))
    if all_failed(answers):
        raise DataError(" ".join(answer.error or "" for answer in failures(answers)), "Give a readable scan.")
    if not as_json:
        typer.echo(answer_words(predictor.bundle, answers, is_phantom))
    for answer in failures(answers):
        typer.echo(f"warning: no answer for {answer.modality}: {answer.error}", err=True)
    return answers


def _draw_heat(predictor: Predictor, scans: dict[str, Path | None], answers: list[Answer], folder: Path) -> None:
    """Grad-CAM of the class that each scan was given, beside nothing of the user's."""
    from pipeline.data.reading.gray_reader import read_gray
    from pipeline.engine.outputs import refuse_overwriting
    from pipeline.inference.activation.overlays import draw_activation
    from pipeline.inference.multitask.activation import ScanActivation
    from pipeline.inference.segmenter.overlays import write_png

    shown = ScanActivation(predictor.bundle)
    targets = {name: folder / f"{name}_gradcam.png" for name, scan in scans.items() if scan is not None}
    refuse_overwriting(list(targets.values()), [scan for scan in scans.values() if scan is not None])
    for answer in answers:
        if answer.modality not in targets or answer.predicted is None:
            continue
        gray = read_gray(scans[answer.modality])
        positive = answer.predicted == predictor.bundle.manifest.positive_class
        heat = shown.activation(gray, answer.modality, positive)
        share = answer.probability if positive else 1 - answer.probability
        write_png(targets[answer.modality], draw_activation(gray, heat, f"Grad-CAM: {answer.predicted} {100 * share:.1f} %"))


def _answer_phantom(predictor: Predictor) -> list[Answer]:
    from pipeline.data.phantom import make_patient

    predictor.prepare()
    patient = make_patient(PHANTOM_SEED, PHANTOM_CONDITION)
    return predictor.answer(patient.xray, patient.ct)


def _answer_table(
    bundle: Path | None, run: Path | None, table: Path, out: Path, reporter: Reporter, as_json: bool
) -> None:
    from pipeline.data.layouts.pair_table import read_pairs
    from pipeline.engine.outputs import prepare_output, refuse_overwriting
    from pipeline.inference.multitask.table_answers import answer_table, write_answers

    rows = read_pairs(table)
    refuse_overwriting([out], [table, *(scan for row in rows for scan in row.scans)])
    prepare_output(out)
    predictor = _open(bundle, run, reporter)
    answers = answer_table(predictor, rows, lambda rows: reporter.track(rows, len(rows), "pairs"))
    write_answers(out, answers.answered)
    _warn_of_failures(answers)
    answers.refuse_all_failed(str(table))
    failed = len(answers.failed)
    if as_json:
        summary = {"out": str(out), "pairs": len(rows), "scans": answers.asked, "failed": failed}
        typer.echo(json.dumps(summary, indent=2))
    else:
        typer.echo(f"{len(rows)} pairs in {out}: {answers.asked - failed} scans answered, {failed} failed.")


def _warn_of_failures(answers: TableAnswers) -> None:
    for line in answers.failure_summary():
        typer.echo(line, err=True)


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
    modality: Annotated[
        Modality | None, typer.Option("--modality", help="Of the scans, where --data holds class folders only.")
    ] = None,
    max_unreadable: Annotated[
        float, typer.Option("--max-unreadable", min=0.0, max=1.0, help="Share of scans that may be unreadable.")
    ] = 0.05,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge a bundle on labelled scans: metrics with patient-clustered intervals, and figures.

    A CSV has image,modality,label or id,xray,ct,label; image,label,mask for a segmenter or a classifier, and note for one
    of vision and text; patient_id where it is known.
    """
    from pipeline.cli.bundle_source import find_bundle
    from pipeline.inference.bundle_files import CLASSIFIER, MULTI_TASK, SEGMENTER, VISION_TEXT

    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise UsageError(f"{out}: lies inside the data, which is never written to.", "Give --out another place.")
    reporter = Reporter(quiet)
    found = find_bundle(bundle, run, reporter)
    system = _system_of(found)
    if system != MULTI_TASK and modality is not None:
        raise UsageError("--modality is for a bundle of both modalities.", "Leave it out: this one reads X-rays.")
    if system == SEGMENTER:
        document, words = _judge_segmenter(found, data, out, max_unreadable, reporter)
    elif system in (CLASSIFIER, VISION_TEXT):
        from pipeline.cli.evaluate.classifier import evaluate_classifier
        from pipeline.cli.evaluate.judged_bundles import CaseBundle, ImageBundle

        judged = ImageBundle(found) if system == CLASSIFIER else CaseBundle(found)
        document, words = evaluate_classifier(judged, data, out, max_unreadable, reporter)
    else:
        document, words = _judge_answers(found, data, out, modality.value if modality else None, max_unreadable, reporter)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else words)


def _system_of(bundle: Path) -> str:
    from pipeline.inference.bundle_files import SEGMENTER, read_description, system_of

    return SEGMENTER if bundle.suffix == ".onnx" else system_of(read_description(bundle))


def _judge_segmenter(bundle: Path, data: Path, out: Path, max_unreadable: float, reporter: Reporter) -> tuple[dict, str]:
    from pipeline.cli.evaluate.segmenter import evaluate_segmenter, segmentation_words
    from pipeline.inference.segmenter.bundle import load_segmenter_bundle
    from pipeline.inference.segmenter.runtimes import open_runtime
    from pipeline.inference.segmenter.segmenter import Segmenter

    opened = load_segmenter_bundle(bundle)
    document = evaluate_segmenter(Segmenter(opened, open_runtime(opened, "onnx")), data, out, max_unreadable, reporter)
    return document, segmentation_words(document, out)


def _judge_answers(
    bundle: Path, data: Path, out: Path, modality: str | None, max_unreadable: float, reporter: Reporter
) -> tuple[dict, str]:
    from pipeline.cli.evaluate.multitask import OUTPUTS, evaluation_words, judge
    from pipeline.data.layouts.labelled_cases import read_labelled_cases
    from pipeline.data.scans import MODALITIES
    from pipeline.engine.outputs import prepare_output, refuse_overwriting
    from pipeline.inference.multitask.bundle import load_bundle
    from pipeline.inference.multitask.predictor import Predictor
    from pipeline.inference.multitask.table_answers import answer_table

    predictor = Predictor(load_bundle(bundle))
    told: list[str] = []
    names = predictor.bundle.manifest.class_names
    rows = read_labelled_cases(data, names, told.append, modalities=MODALITIES, modality=modality)
    targets = [out / name for name in OUTPUTS]
    refuse_overwriting(targets, [data, *(scan for row in rows for scan in row.scans)])
    prepare_output(targets[0])
    answers = answer_table(predictor, rows, lambda rows: reporter.track(rows, len(rows), "scans"))
    _warn_of_failures(answers)
    document = judge(predictor.bundle, answers, data, out, max_unreadable, told)
    return document, evaluation_words(document, out)
