"""A CT volume through a bundle that reads slices: one of its slices, or every one and the volume as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.reading.scan_reader import is_volume
from pipeline.data.reading.volume_reader import ALL, read_slice, read_volume
from pipeline.data.scans import CT
from pipeline.engine.errors import DataError
from pipeline.engine.progress import Reporter
from pipeline.inference.answers import Answer, Finding
from pipeline.inference.opened_bundle import finding_of

RULE = "mean probability of the slices that were answered"


def chosen_slice(ct: Path, selection: str | None) -> Path | ReadScan:
    """What `--slice` chooses of a scan; a file of one image as it is, where nothing is chosen. Raises as `read_slice`."""
    if selection is None and not ct.is_dir() and not is_volume(ct):
        return ct
    return read_slice(ct, selection, with_colour=False)


def asks_for_all(selection: str | None) -> bool:
    """Whether every slice is meant."""
    return selection is not None and selection.strip().lower() == ALL


def answer_volume(opened: Any, ct: Path, reporter: Reporter) -> tuple[Answer, dict[str, Any]]:
    """Every slice answered, and the volume as one finding by RULE; the document's fields about the slices.

    A slice that cannot be read, or that the gate refuses, is named in its own entry. Raises DataError: no volume, or no
    slice with an answer.
    """
    volume, found = read_volume(ct), []
    for number, scan in reporter.track(volume.slices(), volume.count, "slices"):
        found.append((number, _finding(opened, scan)))
    answered = [finding for _, finding in found if finding.predicted is not None]
    if not answered:
        first = found[0][1].error
        raise DataError(f"{ct}: none of its {volume.count} slices has an answer (first: {first})", "Give a CT of the chest.")
    names = opened.manifest.class_names
    mean = np.mean([[finding.probabilities[name] for name in names] for finding in answered], axis=0)
    whole = finding_of(opened.manifest, CT, mean)
    told = [{"slice": number, **finding.to_dict()} for number, finding in found]
    said = tuple(assumption.sentence for assumption in volume.assumptions if assumption.changes_answer)
    fields = {"volume": {"slices": volume.count, "answered": len(answered), "rule": RULE}, "slices": told}
    return Answer((whole,), warnings=said), fields


def slice_words(fields: dict[str, Any]) -> str:
    """How many slices speak, and which the loudest."""
    volume, known = fields["volume"], [entry for entry in fields["slices"] if entry["probability"] is not None]
    top = max(known, key=lambda entry: entry["probability"])
    return (
        f"Volume: {RULE}, {volume['answered']} of {volume['slices']}; the highest is {top['probability']:.3f}, of slice "
        f"{top['slice']}. --json tells each."
    )


def _finding(opened: Any, scan: ReadScan | DataError) -> Finding:
    if isinstance(scan, DataError):
        return Finding(CT, error=scan.message)
    finding: Finding = opened.answer(ct=scan).without_pictures().findings[0]
    return finding
