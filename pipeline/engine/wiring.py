"""Which stage of a run makes what each other one reads; checked before any work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.engine.config import RunConfig, StageConfig
from pipeline.engine.contract import Artifact, Stage
from pipeline.engine.errors import ConfigError, ContractError, UsageError, did_you_mean


@dataclass(frozen=True)
class WiredStage:
    """A stage of a run with its configuration. `producers` maps each available input to its stage's name."""

    stage: Stage
    config: StageConfig
    producers: Mapping[str, str]
    absent: tuple[str, ...]
    outputs: Mapping[str, Artifact]

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def id(self) -> str:
        return self.stage.id


class Wiring:
    """The stages of a run in order. Iterating yields them."""

    def __init__(self, wired: Sequence[WiredStage]) -> None:
        self._by_name = {item.name: item for item in wired}

    def __iter__(self) -> Iterator[WiredStage]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> WiredStage:
        return self._by_name[name]

    def find(self, word: str) -> WiredStage:
        """Return the stage with this short id or full name. Raises UsageError with the nearest one."""
        for item in self:
            if word in (item.id, item.name):
                return item
        near = did_you_mean(word, [label for item in self for label in (item.id, item.name)])
        known = ", ".join(item.id for item in self)
        raise UsageError(f"This run has no stage {word!r}.{near}", f"It has: {known}.")

    def ancestors(self, name: str) -> list[WiredStage]:
        """Return every stage that `name` depends on, directly or not, in the run's order."""
        needed, waiting = set[str](), [name]
        while waiting:
            for producer in self[waiting.pop()].producers.values():
                if producer not in needed:
                    needed.add(producer)
                    waiting.append(producer)
        return [item for item in self if item.name in needed]

    def select(
        self, first: str | None = None, last: str | None = None, only: str | Sequence[str] | None = None
    ) -> list[WiredStage]:
        """Return the stages from `first` to `last`, or those named in `only`. Raises UsageError."""
        names = [only] if isinstance(only, str) else list(only or ())
        if names and (first or last):
            raise UsageError("--only cannot stand beside --from or --to.")
        if names:
            chosen = {self.find(name).name for name in names}
            return [item for item in self if item.name in chosen]
        order = list(self)
        start = order.index(self.find(first)) if first else 0
        stop = order.index(self.find(last)) if last else len(order) - 1
        if start > stop:
            raise UsageError(f"--from {first} lies after --to {last}.")
        return order[start : stop + 1]


def wire(config: RunConfig, stages: Sequence[Stage]) -> Wiring:
    """Connect the stages that `config` names.

    Raises ConfigError where a required input is made by no earlier stage of the run, and
    ContractError where two stages make an artifact of one name.
    """
    makers: dict[str, str] = {}
    wired: list[WiredStage] = []
    for stage in stages:
        if stage.id in config.stages:
            item = _wire_stage(stage, config.stages[stage.id], makers, config, stages)
            for name in item.outputs:
                if name in makers:
                    raise ContractError(f"{stage.name} and {makers[name]} both make the artifact {name!r}.")
            makers |= dict.fromkeys(item.outputs, stage.name)
            wired.append(item)
    return Wiring(wired)


def _wire_stage(
    stage: Stage, section: StageConfig, makers: Mapping[str, str], config: RunConfig, stages: Sequence[Stage]
) -> WiredStage:
    inputs = stage.inputs(section)
    for required in inputs:
        if not required.optional and required.name not in makers:
            raise ConfigError(
                f"{stage.id} reads the artifact {required.name!r}, which no earlier stage of this run makes.",
                _who_makes(required.name, makers, config, stages),
            )
    outputs = {artifact.name: artifact for artifact in stage.outputs(section)}
    available = {item.name: makers[item.name] for item in inputs if item.name in makers}
    absent = tuple(item.name for item in inputs if item.name not in makers)
    return WiredStage(stage, section, available, absent, outputs)


def _who_makes(name: str, makers: Mapping[str, str], config: RunConfig, stages: Sequence[Stage]) -> str:
    for stage in stages:
        section = config.stages.get(stage.id)
        if section is not None and name in {artifact.name for artifact in stage.outputs(section)}:
            return f"{stage.id} makes it, but runs later."
    missing = [stage.id for stage in stages if stage.id not in config.stages]
    near = did_you_mean(name, makers).strip()
    return near or (f"Stages without a section: {', '.join(missing)}." if missing else "")
