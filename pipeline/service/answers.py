"""What is said of a case, as it is sent: the documents' five fields, and beside them how far to trust them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from pipeline.data.scans import PAIRED
from pipeline.inference.answers import CAUTION, Answer, Finding
from pipeline.inference.given_scan import RefusedScanError
from pipeline.service.models import Models, Served
from pipeline.service.problems import Belongs, Problem


class FindingDocument(BaseModel):
    """What is said of one modality: `Finding.to_dict` of the project, and what the bundle's sections add to it."""

    model_config = ConfigDict(extra="allow")
    modality: str = Field(description='"xray", "ct" or "paired"; "" where no scan was looked at.')
    predicted: str | None = Field(description="The class that is named, None where there is no answer.")
    caption: str = Field(description="It and how sure, in words.")
    confidence: float | None = Field(description="The probability of the class that is named.")
    probability: float | None = Field(description="Of the positive class, as the network gives it: never calibrated.")
    probabilities: dict[str, float | None]
    threshold: float | None = Field(description="From which on the positive class is named; None: the most probable one is.")
    error: str | None = Field(description="Why there is no answer.")
    gate: str = Field(description='What the gate took the scan for: "xray", "ct", "neither", or "not asked".')
    refused: bool = Field(description="It is not what it was given as.")
    distance: float | None = Field(description="From the scans that the bundle learnt from; about 1 for one like them.")
    distance_threshold: float | None = Field(description="From which distance on it is unlike them.")
    warnings: list[str] = Field(description="What was assumed while it was read, and what to be wary of.")
    belongs: Belongs | None = Field(default=None, description="Where a refused scan belongs.")


class Prediction(BaseModel):
    """An answer. Its first five fields are of the pair where both halves were answered, else of the first that was."""

    prediction: str = Field(description="The class that is named.")
    confidence: float = Field(description="Its probability.")
    probabilities: dict[str, float | None]
    inference_time_ms: float = Field(description="From the decoded scan to the answer.")
    model_version: str = Field(description="The bundle's name and the hash of its description.")
    bundle: str
    probability: float | None = Field(description="Of the positive class, as the network gives it.")
    answers: list[FindingDocument] = Field(description="By modality: xray, ct, paired, for what was given.")
    warnings: list[str]
    used: list[str] = Field(description="The halves that an answer of image and note rests on.")
    masked: list[str] = Field(description="Words that were taken out of the note, for they name the diagnosis.")
    features: list[float] | None = Field(default=None, description="Of the network, with return_features.")
    caution: str = CAUTION
    request_id: str


def prediction_of(
    served: Served, answer: Answer, models: Models, seconds: float, request_id: str, *, features: bool = False
) -> Prediction:  # fmt: skip
    """The answer as it is sent. Raises Problem (422) where no scan of it has one, with where it belongs."""
    findings = [finding for finding in answer.findings if finding.predicted is not None]
    if not findings:
        raise unanswered(answer.findings, models)
    best = next((finding for finding in findings if finding.modality == PAIRED), findings[0])
    told = best.to_dict()
    return Prediction(
        prediction=told["predicted"], confidence=told["confidence"], probabilities=told["probabilities"],
        inference_time_ms=1000 * seconds, model_version=served.version, bundle=served.name, probability=told["probability"],
        answers=[finding_document(finding, models) for finding in answer.findings], warnings=list(answer.warnings),
        used=list(answer.used), masked=list(answer.masked), request_id=request_id,
        features=[float(value) for value in answer.features] if features and answer.features is not None else None,
    )  # fmt: skip


def finding_document(finding: Finding, models: Models) -> FindingDocument:
    """What is said of one modality, and where it belongs, where it was refused."""
    belongs = models.belongs(finding.gate) if finding.refused else None
    return FindingDocument(**finding.to_dict(), belongs=belongs)


def unanswered(findings: tuple[Finding, ...], models: Models) -> Problem:
    """422: no scan of a case has an answer."""
    failed = [finding for finding in findings if finding.modality != PAIRED] or list(findings)
    refused = next((finding for finding in failed if finding.refused), None)
    detail = _without_options(" ".join(finding.error or "" for finding in failed))
    if refused is None:
        return Problem(422, "unusable-scan", detail, "Give a readable scan.")
    return refusal(detail, refused.gate, models)


def refusal(detail: str, kind: str, models: Models) -> Problem:
    """422: it is not what it was given as, and where it belongs."""
    belongs = models.belongs(kind)
    there = f"Send it as {belongs.field} to {' or '.join(belongs.bundles)}, or" if belongs.field else "Nothing here reads it;"
    remedy = f"{there} send gate=false to have it answered whatever it is."
    return Problem(422, "refused-scan", detail, remedy, belongs=belongs.model_dump())


def refused_scan(error: RefusedScanError, models: Models) -> Problem:
    """The same of a bundle that reads one scan."""
    return refusal(_without_options(error.message), error.judged.gate, models)


def _without_options(words: str) -> str:
    """The door speaks of the commands' options; a form's fields are called the same."""
    return words.replace("--", "")


