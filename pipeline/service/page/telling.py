"""What came of a case as its template tells it: scans with their pictures, findings, and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.data.scans import PAIRED, XRAY
from pipeline.engine.errors import PipelineError
from pipeline.inference.activation.overlays import draw_activation
from pipeline.inference.answers import Answer, Finding, percent
from pipeline.inference.opened_bundle import IMAGE
from pipeline.inference.segmenter.overlays import draw_overlay
from pipeline.service.endpoints.model_info import bundle_info
from pipeline.service.models import SEGMENT, Models, Served
from pipeline.service.page.asking import SURE_FROM, Outcome, is_far
from pipeline.service.page.form import LUNGS, Asked
from pipeline.service.page.looking import Looked
from pipeline.service.page.pictures import LARGEST_SIDE, shown, thumb
from pipeline.service.problems import Problem

# Of all figures of a test part, those that the page has room for.
METRICS = ("accuracy", "auc", "macro_auc", "sensitivity", "specificity", "macro_recall", "dice")


def case_facts(models: Models, asked: Asked, looked: Sequence[Looked], outcome: Outcome) -> dict[str, Any]:
    """What `answer.html.j2` is given."""
    answer, served = outcome.answer, outcome.served
    findings = [_finding(finding) for finding in answer.findings] if answer is not None else []
    best = outcome.told.prediction if outcome.told is not None else None
    modalities = [finding["modality"] for finding in findings if finding["predicted"]]
    return {
        "scans": _scans(models, asked, looked, outcome),
        "findings": sorted(findings, key=lambda each: each["modality"] != PAIRED),
        "best": best,
        "problem": _problem(outcome),
        "warnings": list(answer.warnings) if answer is not None else [],
        "used": list(answer.used) if answer is not None else [],
        "masked": list(answer.masked) if answer is not None else [],
        "note": asked.note,
        "trust": _trust(served, modalities) if served is not None and modalities else None,
        "methods": list(served.guarded.methods) if served is not None and modalities else [],
        "bundle": served.name if served is not None else None,
        "other_half": _other_half(models, outcome, looked),
        "unsure": outcome.unsure,
        "far": any(finding["far"] for finding in findings),
        "sure_from": f"{100 * SURE_FROM:.0f} %",
    }


def row_facts(looked: Looked, outcome: Outcome, index: int) -> dict[str, Any]:
    """What `rows.html.j2` is given of one file among many."""
    finding = next((each for each in outcome.answer.findings if each.predicted), None) if outcome.answer is not None else None
    problem, warnings = outcome.problem, finding.warnings if finding is not None else ()
    state = "answered" if finding is not None else "refused" if outcome.refused else "failed"
    return {
        "index": index, "name": looked.given.name, "kind": looked.kind, "facts": looked.facts,
        "thumb": thumb(looked.read.gray) if looked.read is not None else "",
        "state": "unsure" if finding is not None and outcome.unsure else state,
        "predicted": finding.predicted if finding is not None else "",
        "confidence": finding.confidence if finding is not None else None,
        "percent": percent(finding.confidence or 0) if finding is not None else "",
        "distance": finding.distance if finding is not None else None,
        "bundle": outcome.served.name if outcome.served is not None else "",
        "message": looked.error or (str(problem.detail) if problem is not None else " ".join(warnings)),
    }  # fmt: skip


def _scans(models: Models, asked: Asked, looked: Sequence[Looked], outcome: Outcome) -> list[dict[str, Any]]:
    doors = iter(outcome.doors)
    found = []
    for index, each in enumerate(looked):
        door = next(doors, "") if each.read is not None else ""
        finding = _of(outcome.answer, door)
        belongs = outcome.problem.more.get("belongs") if outcome.problem is not None and len(looked) == 1 else None
        if finding is not None and finding.refused:
            belongs = models.belongs(finding.gate).model_dump()
        gray = each.read.gray if each.read is not None else None
        heat = next(iter(finding.activations.values()), None) if finding is not None else None
        wants_lungs = LUNGS in asked.drawn and door == XRAY and finding is not None and finding.predicted is not None
        found.append({
            "index": index, "name": each.given.name, "bytes": len(each.given.content), "kind": each.kind, "door": door,
            "facts": each.facts, "error": each.error, "belongs": belongs, "window": each.window, "slice": each.slice,
            "assumptions": [said.sentence for said in each.read.assumptions] if each.read is not None else [],
            "width": each.size[0], "height": each.size[1], "shrunk": max(each.size) > LARGEST_SIDE,
            "picture": shown(gray) if gray is not None else "",
            "lungs": _lungs(models, each, outcome) if wants_lungs else "",
            "heat": shown(draw_activation(gray, heat)) if gray is not None and heat is not None else "",
            "can_draw": door == XRAY and finding is not None and _segmenter(models) is not None,
            "explained": finding is not None and finding.predicted is not None,
        })  # fmt: skip
    return found


def _of(answer: Answer | None, door: str) -> Finding | None:
    return next((each for each in answer.findings if each.modality == door), None) if answer is not None and door else None


def _segmenter(models: Models) -> Served | None:
    try:
        return models.for_case([IMAGE], None, SEGMENT)
    except Problem:
        return None


def _lungs(models: Models, looked: Looked, outcome: Outcome) -> str:
    """The overlay of /segment, without its caption; "" where nothing here outlines lungs, or it cannot."""
    segmenter, mask = _segmenter(models), outcome.answer.lung_mask if outcome.answer is not None else None
    assert looked.read is not None
    if mask is None and segmenter is not None:
        try:
            mask = segmenter.answer({IMAGE: looked.read}).lung_mask
        except PipelineError:
            return ""
    return shown(draw_overlay(looked.read.gray, mask)) if mask is not None else ""


def _finding(finding: Finding) -> dict[str, Any]:
    shares = finding.probabilities.items()
    return {
        "modality": finding.modality, "predicted": finding.predicted, "caption": finding.caption, "error": finding.error,
        "shares": [(name, share, percent(share)) for name, share in sorted(shares, key=lambda each: -each[1])],
        "threshold": finding.threshold if len(finding.probabilities) == 2 else None, "refused": finding.refused,
        "distance": finding.distance, "distance_threshold": finding.distance_threshold, "far": is_far(finding),
        "seen": finding.seen,
    }  # fmt: skip


def _problem(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.problem is None:
        return None
    problem = outcome.problem
    return {
        "detail": str(problem.detail), "remedy": "" if outcome.refused else problem.remedy, "refused": outcome.refused,
        "belongs": problem.more.get("belongs"), "not_read": problem.kind == "not-answerable",
    }  # fmt: skip


def _trust(served: Served, modalities: Sequence[str]) -> dict[str, Any]:
    """Figures, shortcuts and limits of a bundle, as /model/info tells them, as far as they speak of these modalities."""
    told = bundle_info(served)
    figures = [each for each in told.test_figures if each.modality in modalities and each.metric in METRICS]
    return {
        "figures": sorted(figures, key=lambda each: (each.modality != PAIRED, each.modality, METRICS.index(each.metric))),
        "shortcuts": [each for each in told.shortcuts if not each.modalities or set(each.modalities) & set(modalities)],
        "limits": told.limits, "version": told.version, "positive_class": told.positive_class, "several": len(modalities) > 1,
    }  # fmt: skip


def _other_half(models: Models, outcome: Outcome, looked: Sequence[Looked]) -> str | None:
    """The modality that would make it a pair, where a bundle here answers pairs and one half was given."""
    pairs = any({"xray", "ct"} <= set(each.doors) for each in models.by_name.values())
    if not pairs or len(looked) != 1 or outcome.answer is None or outcome.doors not in (("xray",), ("ct",)):
        return None
    return "ct" if outcome.doors == ("xray",) else "xray"
