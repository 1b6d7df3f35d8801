"""`predict`: a bundle on one pair of scans, half of one, or a table of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

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
    tell_placement,
)
from pipeline.cli.asking.class_answers import settle_rows
from pipeline.cli.asking.pictures import write_heat_maps
from pipeline.cli.asking.untouched_data import refuse_inside_data
from pipeline.cli.asking.volume_answers import answer_volume, asks_for_all, chosen_slice, slice_words
from pipeline.cli.telling.document import AsJson, Quiet, tell
from pipeline.data.layouts.pair_table import read_pairs
from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.reading.gray_reader import read_gray
from pipeline.data.scans import CT, PAIRED
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.outputs import prepare_output, refuse_overwriting
from pipeline.engine.progress import Reporter
from pipeline.inference.answered_rows import answer_pairs, count_scans, failures, seen_counts, write_findings_table
from pipeline.inference.multitask.rendering import answer_document, answer_words
from pipeline.inference.per_patient import PATIENT, RULE_WORDS, Rule, by_patient, require_patients
from pipeline.inference.seen.words import seen_words

COMMAND = "predict"
PHANTOM_SEED, PHANTOM_CONDITION = 0, "covid"


def predict(
    bundle: BundleFolder = None,
    run: RunFolder = None,
    system: SystemName = None,
    xray: Annotated[Path | None, typer.Option("--xray", help="A chest X-ray.")] = None,
    ct: Annotated[Path | None, typer.Option("--ct", help="A CT slice, or a volume with --slice.")] = None,
    selection: Annotated[
        str | None, typer.Option("--slice", help="Of a CT volume (DICOM frames or series, NIfTI): N from 1, largest-lung, all.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", help="A table of pairs: id,xray,ct; either cell may be empty.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The table of answers to write, with --csv.")] = None,
    gradcam: Annotated[
        Path | None, typer.Option("--gradcam", help="Folder for Grad-CAM of a pair: xray_gradcam.png, ct_gradcam.png.")
    ] = None,
    per: Per = Unit.SCAN,
    per_patient_rule: PerPatientRule = None,
    no_gate: NoGate = False,
    device: DeviceChoice = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Answer a scan pair, half of one, or a table of pairs.

    Of a CT volume --slice chooses; `all` answers every slice and, by their mean, the volume.
    Without any scan, a generated pair is answered, and the gate is not asked. A scan that cannot be read, or is not what it was
    given as, is named, and the rest is answered.
    """
    scans = {name: scan for name, scan in (("xray", xray), ("ct", ct)) if scan is not None}
    if table is not None and scans:
        raise UsageError("--csv and --xray or --ct were given.", "Give a table or one pair.")
    if (table is None) != (out is None):
        raise UsageError("--csv and --out belong together.", "Give the table of pairs and the table to write.")
    rule = patient_rule(per, per_patient_rule)
    if rule is not None and table is None:
        raise UsageError("--per patient puts the answers of a table together.", "Give --csv, with a column patient_id.")
    if gradcam is not None and not scans:
        raise UsageError("--gradcam draws over the scans of one pair.", "Give --xray, --ct or both.")
    if selection is not None and ct is None:
        raise UsageError("--slice chooses from a CT volume.", "Give it as --ct.")
    if asks_for_all(selection) and (xray is not None or gradcam is not None):
        raise UsageError("--slice all answers a volume alone.", "Leave --xray and --gradcam out, or choose one slice.")
    refuse_inside_data([out, gradcam], [xray, ct], run)
    reporter = Reporter(quiet)
    rows = read_pairs(table) if table is not None else []
    if rule is not None:
        require_patients({row.id: row.copied.get(PATIENT, "") for row in rows}, str(table))
    if out is not None:
        refuse_overwriting([out], [table, *(scan for row in rows for scan in row.scans)])
        prepare_output(out)
    generated = {} if scans or rows else {"asks": False}
    opened = open_asked(bundle, run, system, device, reporter, COMMAND, no_gate=no_gate, **generated)
    if out is not None:
        document, words = _answer_table(opened, rows, out, reporter, rule)
        tell_answers(as_json, document, words, device, opened.placement)
        return
    if asks_for_all(selection):
        answer, fields = answer_volume(opened, ct, reporter)
        document = answer_document(opened.bundle, answer, False, opened.placement) | fields
        tell(as_json, document, lambda: f"{answer_words(opened.bundle, answer, False)}\n{slice_words(fields)}")
    else:
        _answer_pair(opened, scans, selection, gradcam, as_json)
    if not as_json:
        tell_placement(device, opened.placement)


def _answer_pair(opened: Any, scans: dict[str, Path], selection: str | None, gradcam: Path | None, as_json: bool) -> None:
    targets = {name: gradcam / f"{name}_gradcam.png" for name in scans} if gradcam is not None else {}
    refuse_overwriting(targets.values(), scans.values())
    given = {name: chosen_slice(scan, selection) if name == CT else scan for name, scan in scans.items()}
    answer = opened.answer(**given, methods=("gradcam",) if targets else ()) if scans else _answer_phantom(opened)
    answered = any(finding.predicted is not None for finding in answer.findings)
    tell(as_json, answer_document(opened.bundle, answer, not scans, opened.placement),
         lambda: answer_words(opened.bundle, answer, not scans) if answered else None)  # fmt: skip
    failed = [finding for finding in answer.findings if finding.error is not None and finding.modality != PAIRED]
    if not answered:
        mend = "--no-gate answers what the gate refuses." if answer.refused else "Give a readable scan."
        raise DataError(" ".join(finding.error or "" for finding in failed), mend)
    for sentence in answer.warnings:
        typer.echo(f"warning: {sentence}", err=True)
    for finding in failed:
        typer.echo(f"warning: no answer for {finding.modality}: {finding.error}", err=True)
    for finding in answer.findings:
        if finding.modality in targets and finding.activations:
            scan = given[finding.modality]
            gray = scan.gray if isinstance(scan, ReadScan) else read_gray(scan)
            write_heat_maps({"gradcam": targets[finding.modality]}, gray, finding)


def _answer_phantom(opened: Any) -> Any:
    from pipeline.data.phantom import make_patient  # whoever gives a scan need not wait for it

    opened.prepare()
    patient = make_patient(PHANTOM_SEED, PHANTOM_CONDITION)
    return opened.answer(**{modality: getattr(patient, modality) for modality in opened.modalities})


def _answer_table(
    opened: Any, rows: Sequence[Any], out: Path, reporter: Reporter, rule: Rule | None
) -> tuple[dict[str, Any], str]:
    """Write the table, by patient where there is a rule; its document and its words."""
    names = opened.manifest.class_names

    def write(answered: Sequence[Any]) -> None:
        write_findings_table(out, answered, names)

    answered = answer_pairs(opened, reporter.track(rows, len(rows), "pairs"), write)
    settle_rows(answered, lambda: write(answered), "scans")
    asked, failed = count_scans(answered), len(failures(answered))
    seen = seen_counts(answered)
    if rule is not None:
        patients = by_patient(answered, opened.manifest, rule)
        write(patients)
        per = {"per_patient": rule, "patients": len(patients)}
        said = f"\n{len(patients)} patients, one answer each: {RULE_WORDS[rule]}."
    else:
        per, said = {}, ""
    document = {"out": str(out), "pairs": len(rows), "scans": asked, "failed": failed, "seen": seen, **per}
    told = f"{len(rows)} pairs in {out}: {asked - failed} scans answered, {failed} failed."
    return document, f"{told}{said}\n{seen_words(seen, len(rows), 'pairs')}"
