"""One answer a patient, made of the answers to that patient's scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from pipeline.data.scans import CT, PAIRED
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.listing import listed
from pipeline.inference.answered_rows import LABEL, AnsweredRow
from pipeline.inference.answers import Answer, Finding
from pipeline.inference.bundle import Manifest
from pipeline.inference.opened_bundle import finding_of
from pipeline.inference.seen.words import strongest

PATIENT, PATIENT_CT, SCANS = "patient_id", "patient_id_ct", "scans"
Rule = Literal["mean", "max"]
RULES: tuple[Rule, ...] = get_args(Rule)
RULE_WORDS = {
    "mean": "the mean of the probabilities of a patient's scans",
    "max": "the scan of a patient with the highest probability of the positive class",
}


def require_patients(patients: Mapping[str, str], where: str) -> None:
    """Raise DataError where one of the scans, {its name: its patient}, has no patient."""
    unknown = [name for name, patient in patients.items() if not patient]
    if unknown:
        raise DataError(
            f"{where}: of {len(unknown)} of {len(patients)} scans nothing says whose they are: {listed(unknown)}.",
            "--per patient needs a patient_id of each: in the table, or in a patients.csv (image,patient_id) beside the scans.",
        )


def refuse_rule(manifest: Manifest, rule: Rule) -> None:
    """Raise UsageError where a bundle has no positive class by which a scan is the most suspicious."""
    if rule == "max" and manifest.positive_class is None:
        named = ", ".join(manifest.class_names)
        raise UsageError(f"--per-patient-rule max: none of {named} is the positive class of this bundle.", "Use mean.")


def by_patient(rows: Sequence[AnsweredRow], manifest: Manifest, rule: Rule) -> list[AnsweredRow]:
    """A row a patient, in the order in which they come first, called by the patient's id.

    Of each modality the scans that have an answer are put together by `rule` (RULE_WORDS), and the bundle's own threshold names
    the class; `scans` says of how many. A pair is a patient's where both its halves are, and a CT slice of a pair goes to its own
    patient. A patient is as little new as any of its scans, and refused where any was.

    Raises DataError for a row without a patient, and for a patient of two true classes.
    """
    refuse_rule(manifest, rule)
    require_patients({row.id: row.copied.get(PATIENT, "") for row in rows}, "the answers")
    findings: dict[str, dict[str, list[Finding]]] = {}
    labels: dict[str, list[str]] = {}
    for row in rows:
        for finding in row.answer.findings:
            patient = _patient_of(row, finding.modality)
            if patient is not None:
                findings.setdefault(patient, {}).setdefault(finding.modality, []).append(finding)
                labels.setdefault(patient, []).append(row.label)
    _refuse_two_classes(labels)
    return [
        AnsweredRow(
            patient,
            Answer(tuple(_together(each, manifest, rule) for each in _named(mine)), extra={SCANS: sum(map(len, mine.values()))}),
            {**({LABEL: labels[patient][0]} if labels[patient][0] else {}), PATIENT: patient},
        )
        for patient, mine in findings.items()
    ]  # fmt: skip


def _patient_of(row: AnsweredRow, modality: str) -> str | None:
    patient, of_ct = row.copied.get(PATIENT, ""), row.copied.get(PATIENT_CT, "")
    if modality == CT and of_ct:
        return of_ct
    return None if modality == PAIRED and of_ct not in ("", patient) else patient


def _named(mine: Mapping[str, list[Finding]]) -> list[list[Finding]]:
    """The findings by modality; those of scans that could not be read have none, and go to the only one there is."""
    known = {modality: found for modality, found in mine.items() if modality}
    if len(known) != 1 or "" not in mine:
        return list(known.values()) or list(mine.values())
    ((_, found),) = known.items()
    return [[*found, *mine[""]]]


def _together(findings: Sequence[Finding], manifest: Manifest, rule: Rule) -> Finding:
    answered = [finding for finding in findings if finding.error is None]

    def told(finding: Finding) -> Finding:
        return replace(
            finding,
            refused=any(each.refused for each in findings),
            seen=strongest(each.seen for each in findings),
            gate=" ".join(sorted({each.gate for each in findings} - {""})),
            warnings=tuple(dict.fromkeys(warning for each in findings for warning in each.warnings)),
        )

    if not answered:
        return told(findings[0])
    shares = np.array([[finding.probabilities[name] for name in manifest.class_names] for finding in answered])
    together = shares.mean(axis=0)
    if rule == "max" and manifest.positive_class is not None:
        together = shares[int(shares[:, manifest.class_names.index(manifest.positive_class)].argmax())]
    return told(finding_of(manifest, answered[0].modality, together))


def _refuse_two_classes(labels: Mapping[str, Sequence[str]]) -> None:
    torn = {patient: sorted(set(found)) for patient, found in labels.items() if len(set(found)) > 1}
    if torn:
        named = listed([f"{patient} ({', '.join(found)})" for patient, found in torn.items()])
        raise DataError(
            f"{len(torn)} patients have scans of two classes: {named}.",
            "One answer a patient has one truth: judge by scan, or leave the others of these patients out.",
        )
