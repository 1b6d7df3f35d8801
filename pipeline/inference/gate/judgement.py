"""What a gate says of one picture that should be of a modality, as a document: of the command, and of the service."""

from __future__ import annotations

from typing import Any

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.scans import XRAY
from pipeline.engine.errors import DataError
from pipeline.inference.gate.gate import Gate

UNREADABLE, EMBEDDING_DISTANCE = "readable", "embedding_distance"


def judgement(gate: Gate, scan: ReadScan, wanted: str, strict: bool) -> dict[str, Any]:
    """JSON values: valid, failed, message, checks, kind, distances, thresholds. wanted: what it should be. strict: let the nine
    simple checks, made for X-rays, refuse too."""
    verdict = gate.judge(scan.gray, scan.colour, scan.header, with_checks=wanted == XRAY)
    is_one = verdict.kind == wanted
    said = [*([] if is_one else [f"Image {verdict.message}."]), *filter(None, [verdict.complaints])]
    distance = {EMBEDDING_DISTANCE: verdict.distances[wanted]} if wanted in verdict.distances else {}
    return {
        "valid": is_one and not (strict and verdict.failed),
        "failed": [*verdict.failed, *([] if is_one else [EMBEDDING_DISTANCE])],
        "message": " ".join(said),
        "checks": {**verdict.checks, **distance},
        "kind": verdict.kind,
        "distances": dict(verdict.distances),
        "thresholds": dict(verdict.thresholds),
    }


def unreadable(error: DataError) -> dict[str, Any]:
    """The same of a file that cannot be read."""
    return {
        "valid": False, "failed": [UNREADABLE], "message": str(error), "checks": {}, "kind": None, "distances": {},
        "thresholds": {},
    }  # fmt: skip
