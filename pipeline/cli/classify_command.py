"""`classify`: the class of each image, with heat maps on it and their share inside the lungs; notes where a bundle reads them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipeline.cli.asking.bundle_options import (
    DeviceChoice,
    NoGate,
    Per,
    PerPatientRule,
    RunFolder,
    SystemName,
    Unit,
    device_of,
    open_asked,
    patient_rule,
    tell_answers,
)
from pipeline.cli.asking.class_answers import answer_lines, answers_document, settle_rows
from pipeline.cli.asking.pictures import picture_targets, write_heat_maps
from pipeline.cli.asking.untouched_data import refuse_inside_data
from pipeline.cli.telling.document import AsJson, Quiet
from pipeline.data.image_patients import image_patients
from pipeline.data.layouts.source_images import NOTE_ALONE, SourceImage, find_images
from pipeline.data.reading.scan_reader import read_scan
from pipeline.engine.arrays import Array
from pipeline.engine.errors import UsageError
from pipeline.engine.extras import require
from pipeline.engine.files import atomic_write_bytes
from pipeline.engine.progress import Reporter
from pipeline.evaluation.output_folder import write_findings
from pipeline.inference.answered_rows import PREDICTIONS, AnsweredRow, answer_all, feature_rows, write_class_table
from pipeline.inference.answers import CAUTION, Answer
from pipeline.inference.bundle import Manifest, open_bundle
from pipeline.inference.classifier.head_shap import Head, explain_rows, open_head
from pipeline.inference.opened_bundle import OpenedBundle
from pipeline.inference.per_patient import by_patient, refuse_rule, require_patients
from pipeline.systems import default_bundle

COMMAND = "classify"
SHAP_OUTPUTS = ("shap.npy", "shap.json", "shap.png")


def classify(
    images: Annotated[list[Path] | None, typer.Argument(help="Images, or folders of them.")] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help=f"A classifier's bundle; {default_bundle(COMMAND)} by default.")
    ] = None,
    run: RunFolder = None,
    system: SystemName = None,
    note: Annotated[
        str | None, typer.Option("--note", help="A case's note, for a bundle of vision and text; with one image or none.")
    ] = None,
    gradcam: Annotated[bool, typer.Option("--gradcam", help="Draw Grad-CAM over each image; needs --out.")] = False,
    plus_plus: Annotated[bool, typer.Option("--gradcam-plus-plus", help="Draw Grad-CAM++ too; needs --out.")] = False,
    lungs: Annotated[
        Path | None, typer.Option("--lungs", help="A segmenter's bundle: tells how much of each map lies in the lungs.")
    ] = None,
    features: Annotated[Path | None, typer.Option("--features", help="Write the features, a row an image (.npy).")] = None,
    shap: Annotated[
        bool, typer.Option("--shap", help="Tell what each pooled feature adds to the head's logit; needs --out.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for predictions.csv and overlays.")] = None,
    per: Per = Unit.SCAN,
    per_patient_rule: PerPatientRule = None,
    no_gate: NoGate = False,
    device: DeviceChoice = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Name the class of each image, with its probabilities.

    An image that cannot be read, or is not what the bundle reads, is named, skipped and counted; the rest go on. Heat maps are
    of the class that was named. What was taken out of a note, and what to be wary of, is told. --shap writes shap.npy (a row an
    image, a column a feature), shap.json and shap.png.
    """
    methods = tuple(name for name, wanted in (("gradcam", gradcam), ("gradcam_plus_plus", plus_plus)) if wanted)
    _refuse_nonsense(methods, shap, lungs, out)
    refuse_inside_data([out, features], images or [], run)
    reporter = Reporter(quiet)
    opened = open_asked(bundle, run, system, device, reporter, COMMAND, no_gate=no_gate)
    opened.require(["note"] if note is not None else [], methods)
    if features is not None and not opened.has_features:
        raise UsageError(f"{opened.path} gives no features.", "Leave --features out, or give a classifier of images alone.")
    head = open_head(opened, device_of(device)) if shap else None
    sources = find_images(images or [], warn=reporter.line) if images or note is None else [NOTE_ALONE]
    if note is not None and len(sources) > 1:
        raise UsageError(f"One note and {len(sources)} images.", "A note is of one case: give one image with it, or none.")
    rule = patient_rule(per, per_patient_rule)
    if rule is not None:
        refuse_rule(opened.manifest, rule)
        sources = _with_patients(sources, images or [])
    endings = {method: "" if method == methods[0] else f"_{method}" for method in methods}
    tables = [out / name for name in (PREDICTIONS, *(SHAP_OUTPUTS if shap else ()))] if out is not None else []
    tables += [features] if features is not None else []
    targets = picture_targets(sources, out, endings, tables)
    segmenter = open_bundle(lungs, device_of(device), command="segment") if lungs is not None else None
    asked = reporter.track(sources, len(sources), "images")
    manifest = opened.manifest

    def keep(rows: Sequence[AnsweredRow]) -> None:
        if out is not None:
            write_class_table(out / PREDICTIONS, rows, manifest.class_names)

    rows = answer_all(asked, lambda image: _answer(opened, image, note, methods, targets.get(image, {}), segmenter), keep)
    settle_rows(rows, lambda: keep(rows))
    if features is not None:
        atomic_write_bytes(features, _npy(feature_rows(rows)))
    answered = by_patient(rows, opened.manifest, rule) if rule is not None else rows
    keep(answered)
    decides = {"class_names": manifest.class_names, "positive_class": manifest.positive_class, "threshold": manifest.threshold}
    document = answers_document(answered, out) | decides | {"per_patient": rule} | opened.placement
    if head is not None and out is not None:
        document["shap"] = _write_shap(head, rows, manifest.class_names, out)
    what = "patients" if rule is not None else "cases" if "note" in opened.doors else "images"
    tell_answers(as_json, document, lambda: _words(document, what), device, opened.placement)


def _refuse_nonsense(methods: Sequence[str], shap: bool, lungs: Path | None, out: Path | None) -> None:
    if methods and out is None:
        raise UsageError("--gradcam draws pictures.", "Say where with --out DIR.")
    if shap and out is None:
        raise UsageError("--shap writes an array and a picture.", "Say where with --out DIR.")
    if shap:
        require("matplotlib")
    if lungs is not None and not methods:
        raise UsageError("--lungs tells how much of a heat map lies in the lungs.", "Add --gradcam.")


def _with_patients(sources: Sequence[SourceImage], given: Sequence[Path]) -> list[SourceImage]:
    """The images with whose they are. Raises DataError where nothing tells it of one."""
    patients = image_patients([image.path for image in sources], given)
    require_patients({image.id: patients[str(image.path)] for image in sources}, "--per patient")
    return [replace(image, patient=patients[str(image.path)]) for image in sources]


def _answer(
    opened: OpenedBundle[Manifest], image: SourceImage, note: str | None, methods: Sequence[str], files: Mapping[str, Path],
    segmenter: OpenedBundle[Manifest] | None,
) -> Answer:  # fmt: skip
    """Ask about an image, its note, or a note alone; draw, measure, and let go of the pixels."""
    if image == NOTE_ALONE:
        return _told(opened, opened.answer(note=note), {})
    scan = read_scan(image.path, with_colour=False)
    answer = opened.answer(scan, note=note, methods=methods)
    lungs = segmenter.answer(scan).lung_mask if segmenter is not None else None
    return _told(opened, answer, write_heat_maps(files, scan.gray, answer.findings[0], lungs))


def _told(opened: OpenedBundle[Manifest], answer: Answer, measured: Mapping[str, float | None]) -> Answer:
    """What is kept of an answer: with the columns of a note, where the bundle reads notes, and of the heat maps."""
    of_note = {"used": " and ".join(answer.used), "masked": ", ".join(answer.masked)}
    return answer.without_pictures({**(of_note if "note" in opened.doors else {}), **measured})


def _npy(array: Array) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def _write_shap(head: Head, rows: Sequence[AnsweredRow], class_names: Sequence[str], out: Path) -> dict[str, Any]:
    """SHAP_OUTPUTS in `out`, and the document among them."""
    from pipeline.evaluation.figures.head_shap import head_shap_figure  # matplotlib is for --shap alone

    values, document = explain_rows(head, rows, class_names)
    array, written, _ = SHAP_OUTPUTS
    atomic_write_bytes(out / array, _npy(values))
    write_findings(out, written, document, {"shap": head_shap_figure(document["classes"], document["background"])})
    return document


def _words(document: dict[str, Any], what: str) -> str:
    lines = answer_lines(document, _said)
    if document["threshold"] is not None:
        lines.append(f"{document['positive_class']} is named from probability {document['threshold']:.4g} on.")
    for name, told in document.get("shap", {}).get("classes", {}).items():
        places = ", ".join(str(entry["feature"]) for entry in told["features"][:5])
        lines.append(f"What the head reads for {name}: features {places} (SHAP, {', '.join(SHAP_OUTPUTS)}).")
    where = f"; {PREDICTIONS} in {document['out']}" if document["out"] else ""
    return "\n".join([*lines, f"{document['answered']} of {document['images']} {what} answered{where}", CAUTION])


def _said(answer: dict[str, Any]) -> list[str]:
    by = f" (by {answer['used']})" if "used" in answer else ""
    lines = [f"{answer['image'] or 'note'}: {answer['caption']}{by}"]
    if answer.get("masked"):
        lines.append(f"  words that name the diagnosis were taken out of the note: {answer['masked']}")
    return lines
