"""Outputs of a command that is given scans, or a run that was made from some: never among them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.engine.outputs import refuse_inside


def refuse_inside_data(outputs: Iterable[Path | None], given: Iterable[Path | None], *runs: Path | None) -> None:
    """Raise UsageError where an output would lie in a folder that is given, or in the data folder of one of the runs."""
    folders = list(given)
    for run in runs:
        if run is not None:
            from pipeline.engine.record import recorded_data  # brings all of configurations, and who has a bundle has no run

            folders.append(recorded_data(run))
    refuse_inside(outputs, folders)
