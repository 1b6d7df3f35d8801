"""One thing that was looked at: what is there, and, where something lacks, what that costs and how to mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline.engine.errors import CorruptArtifactError, MissingPackageError, PipelineError

# ok: as it should be. told: neither good nor bad. lack: something is done without. broken: nothing is answered.
State = Literal["ok", "told", "lack", "broken"]


class Request(NamedTuple):
    """runs: where runs are made. with_tensorflow: import it, in a process of its own."""

    runs: Path
    with_tensorflow: bool = False


@dataclass(frozen=True)
class Finding:
    """subject: what was looked at. told: what is there. cost, mend: one sentence each, of a lack or of what is broken.

    error: the kind of failure that a broken one is, which gives the command its exit code.
    """

    subject: str
    state: State
    told: str
    cost: str = ""
    mend: str = ""
    error: type[PipelineError] = MissingPackageError

    def __post_init__(self) -> None:
        if (self.state in ("lack", "broken")) != bool(self.cost and self.mend):
            raise ValueError(f"{self.subject}: a lack says what it costs and how to mend it, and nothing else does")

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: value for name, value in asdict(self).items() if name != "error"}


def damaged(subject: str, told: str, cost: str, mend: str) -> Finding:
    """A broken one whose files are not what they were."""
    return Finding(subject, "broken", told, cost, mend, CorruptArtifactError)
