"""All runs that are served, and the thread that compares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.service.runs.run_files import AbsentError
from pipeline.service.runs.served_run import ServedRun, served_runs
from pipeline.service.runs.surveys import Surveys, stages_at


class Runs:
    """The runs by name. place: where the steps are found that a run may have, see `stages_at`."""

    def __init__(self, paths: Sequence[Path], place: str) -> None:
        self.by_name = served_runs(paths)
        self.surveys = Surveys(stages_at(place) if paths else ())

    def named(self, name: str) -> ServedRun:
        """Raises AbsentError."""
        found = self.by_name.get(name)
        if found is None:
            raise AbsentError("No run of that name is served.")
        return found
