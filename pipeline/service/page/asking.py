"""A case of the page asked as the calls ask it: which bundle, at which doors, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.data.scans import MODALITIES, XRAY
from pipeline.engine.errors import PipelineError
from pipeline.inference.answers import Answer, Finding
from pipeline.inference.opened_bundle import IMAGE, NOTE
from pipeline.service.answers import Prediction
from pipeline.service.endpoints.asking import answered
from pipeline.service.models import Models, Served
from pipeline.service.page.form import AUTO, Asked
from pipeline.service.page.looking import Looked
from pipeline.service.problems import Problem, problem_of
from pipeline.service.service import Service

# Where no class reaches this, the page calls the answer unsure.
SURE_FROM = 0.8


@dataclass(frozen=True)
class Outcome:
    """What came of a case. doors: what each scan was given as. problem: why there is no answer; None where nothing was asked."""

    doors: tuple[str, ...] = ()
    served: Served | None = None
    told: Prediction | None = None
    answer: Answer | None = None
    problem: Problem | None = None

    @property
    def refused(self) -> bool:
        """Whether nothing was answered because of what the scan is."""
        return self.problem is not None and self.problem.kind == "refused-scan"

    @property
    def unsure(self) -> bool:
        """Whether a scan is unlike what the bundle learnt from, or no class reaches SURE_FROM."""
        findings = self.answer.findings if self.answer is not None else ()
        return any(is_far(finding) or (finding.confidence or 1) < SURE_FROM for finding in findings)


def is_far(finding: Finding) -> bool:
    """Whether its scan lies beyond what the bundle learnt from."""
    distance, threshold = finding.distance, finding.distance_threshold
    return distance is not None and threshold is not None and distance > threshold


def ask(service: Service, asked: Asked, looked: Sequence[Looked], request_id: str, methods: int = 0) -> Outcome:
    """Ask about scans of one case that can be read, and its note. methods: of the bundle's heat maps, how many to draw."""
    read = [each for each in looked if each.read is not None]
    if not read and asked.note is None or len(read) < len(looked) and len(looked) == 1:
        return Outcome()
    doors = tuple(asked.given_as if asked.given_as != AUTO else each.kind or "" for each in read)
    served: Served | None = None
    try:
        served, doors = _served(service.models, doors, asked)
        case: dict[str, Any] = {door: each.read for door, each in zip(doors, read, strict=True)}
        case |= {NOTE: asked.note} if asked.note is not None else {}
        told, answer = answered(service, served, case, request_id, methods=served.guarded.methods[:methods] if read else ())
    except Problem as problem:
        return Outcome(doors, served, problem=problem)
    except PipelineError as error:
        return Outcome(doors, served, problem=problem_of(error, request_id))
    return Outcome(doors, served, told, answer)


def _served(models: Models, doors: tuple[str, ...], asked: Asked) -> tuple[Served, tuple[str, ...]]:
    """Who is asked, at which doors. What the gate takes for nothing, or for what the named bundle does not read, is given to its
    first door, which refuses it and says where it belongs. Raises Problem where nothing here reads it."""
    note = [NOTE] if asked.note is not None else []
    if asked.bundle is not None:
        named = models.for_case([], asked.bundle)
        reads = all(door in MODALITIES for door in doors) and named.reads(doors)
        if asked.given_as == AUTO and len(doors) == 1 and not reads:
            doors = (named.guarded.modalities[0],)
        return models.for_case([*doors, *note], asked.bundle), doors
    doors = tuple(door if door in MODALITIES else XRAY for door in doors)
    default = models.default()
    if doors == (XRAY,) and not note and default is not None and default.reads(doors):
        return default, doors  # as /predict answers one image
    if doors == (XRAY,) and note:
        return models.for_case([IMAGE, NOTE], None), doors
    return models.for_case([*doors, *note], None), doors
