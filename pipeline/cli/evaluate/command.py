"""`evaluate`: a bundle judged on labelled scans, by the evaluator of its system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.asking.bundle_options import (
    BundleFolder,
    DeviceChoice,
    NoGate,
    Per,
    PerPatientRule,
    RunFolder,
    SystemName,
    Unit,
    open_asked,
    patient_rule,
    tell_answers,
)
from pipeline.cli.asking.untouched_data import refuse_inside_data
from pipeline.cli.choices import choices
from pipeline.cli.evaluate.request import EvaluationRequest
from pipeline.cli.telling.document import AsJson, Quiet
from pipeline.data.scans import MODALITIES
from pipeline.engine.errors import UsageError
from pipeline.engine.progress import Reporter
from pipeline.systems import system_named

Modality = choices("Modality", MODALITIES)


def evaluate(
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
    per: Per = Unit.SCAN,
    per_patient_rule: PerPatientRule = None,
    no_gate: NoGate = False,
    device: DeviceChoice = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge a bundle on labelled scans: metrics with patient-clustered intervals, and figures.

    A CSV has image,modality,label or id,xray,ct,label; image,label,mask for a segmenter or a classifier, and note for one
    of vision and text; patient_id where it is known. The gate refuses nothing here, for labelled data say what they are: what
    it would have refused is named, and the metrics without it stand beside those of all; so are scans that the bundle learnt
    from. --per patient judges one answer a patient.
    """
    refuse_inside_data([out], [data], run)
    reporter = Reporter(quiet)
    opened = open_asked(bundle, run, system, device, reporter, no_gate=no_gate, refuses=False)
    if modality is not None and len(opened.modalities) < 2:
        reads = " ".join(opened.modalities)
        raise UsageError("--modality is for a bundle of both modalities.", f"Leave it out: this one reads {reads} alone.")
    labels = tuple(mask_labels.split(",")) if mask_labels else ()
    rule = patient_rule(per, per_patient_rule)
    request = EvaluationRequest(data, out, modality.value if modality else None, max_unreadable, reporter, labels, rule)
    found = system_named(opened.system).load("evaluator")(opened, request)
    tell_answers(as_json, found.document, found.words, device, opened.placement)
