"""What a run would do with each selected stage: run it, skip it, or refuse, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.engine.errors import (
    CorruptArtifactError,
    MissingArtifactError,
    PipelineError,
    StaleArtifactError,
)
from pipeline.engine.inspection import Inspector, StageState
from pipeline.engine.invocation import Invocation
from pipeline.engine.wiring import WiredStage

Action = Literal["run", "skip", "refuse"]


@dataclass(frozen=True)
class Step:
    """The decision for one selected stage. `error` is what a run would raise for a refusal."""

    name: str
    action: Action
    reason: str
    error: PipelineError | None = None


class Planner:
    """Decides for a selection. A stage's decision may change once an earlier one has run."""

    def __init__(
        self, inspector: Inspector, selection: Sequence[WiredStage], force: bool, invocation: Invocation
    ) -> None:
        self._inspector = inspector
        self._selection = selection
        self._chosen = {item.name for item in selection}
        self._force = force
        self._invocation = invocation

    def plan(self) -> list[Step]:
        """Return a step for each selected stage, in order."""
        steps: list[Step] = []
        will_run: dict[str, str] = {}
        for item in self._selection:
            step = self.decide(item)
            remade = [name for name, maker in item.producers.items() if maker in will_run]
            if step.action == "skip" and remade:
                maker = will_run[item.producers[remade[0]]]
                step = Step(item.name, "run", f"input {remade[0]!r} is made again by {maker}")
            if step.action == "run":
                will_run[item.name] = item.id
            steps.append(step)
        return steps

    def decide(self, item: WiredStage) -> Step:
        """Decide for one stage by what is on the disk now."""
        refusal = self._refusal(item)
        if refusal is not None:
            return Step(item.name, "refuse", refusal.message, refusal)
        state = self._inspector.state(item.name)
        if self._force:
            return Step(item.name, "run", "forced")
        if state.manifest is None:
            return Step(item.name, "run", "not made yet")
        if state.changes:
            return Step(item.name, "run", "changed: " + "; ".join(state.changes))
        return Step(item.name, "skip", "unchanged")

    def unchecked(self) -> list[str]:
        """Return what could not be compared because the user's files are no longer where they were."""
        found = {
            ancestor.id: self._inspector.state(ancestor.name).unchecked
            for item in self._selection
            for ancestor in self._inspector.wiring.ancestors(item.name)
            if ancestor.name not in self._chosen
        }
        return [f"what {short} read was not compared: {text}" for short, text in found.items() if text]

    def _refusal(self, item: WiredStage) -> PipelineError | None:
        for ancestor in self._inspector.wiring.ancestors(item.name):
            if ancestor.name not in self._chosen:
                state = self._inspector.state(ancestor.name)
                if state.kind != "fresh":
                    return self._ancestor_error(item, ancestor, state)
        state = self._inspector.state(item.name)
        if not self._force and (state.missing or state.edited):
            return damage_error(item, state, self._invocation.run(only=(item.id,), force=True))
        return self._inspector.external(item.name).problem

    def _ancestor_error(self, item: WiredStage, ancestor: WiredStage, state: StageState) -> PipelineError:
        if state.missing or state.edited:
            return damage_error(ancestor, state, self._invocation.run(only=(ancestor.id,), force=True))
        mend = f"Run: {self._invocation.run(first=ancestor.id, last=self._selection[-1].id)}"
        direct = [name for name, maker in item.producers.items() if maker == ancestor.name]
        needed = f"the artifact {direct[0]!r}" if direct else f"the artifacts of {ancestor.id}"
        if state.manifest is None:
            message = f"{item.id} needs {needed}, which {ancestor.name} has not made."
            return MissingArtifactError(message, mend)
        changed = "; ".join(state.changes)
        return StaleArtifactError(f"{item.id} needs {needed}, but {ancestor.name} is stale: {changed}.", mend)


def damage_error(item: WiredStage, state: StageState, command: str) -> PipelineError:
    """Return the error for committed files that are gone or were edited."""
    if state.missing:
        names = ", ".join(f"{item.name}/{file}" for file in state.missing)
        return MissingArtifactError(f"Missing: {names}.", f"To make it again: {command}")
    names = ", ".join(f"{item.name}/{file}" for file in state.edited)
    return CorruptArtifactError(
        f"Edited after it was made: {names} (its hash is not the manifest's).",
        f"Put the original back, or make it again: {command}",
    )
