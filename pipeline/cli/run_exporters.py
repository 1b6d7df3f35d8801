"""A finished run, or models from elsewhere, written as a bundle by the exporter that a system declares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engine.rundir import RunDirectory
from pipeline.systems import System, system_of_run

if TYPE_CHECKING:
    from pipeline.export.template import ExportOptions

EXPORTER = "pipeline.export"


def export_run(run: Path, out: Path, options: ExportOptions, named: str | None = None) -> Path:
    """Write the bundle of a run's system to ``out``; named: which, where the run holds two.

    Raises UsageError (two systems and none named, an unknown one, an option that it does not take, ``out`` is something
    else), MissingArtifactError, StaleArtifactError, CorruptArtifactError.
    """
    return write_bundle(system_of_run(RunDirectory(run), named), run, out, options)


def write_bundle(system: System, run: Path, out: Path, options: ExportOptions) -> Path:
    """Write the bundle of that system of a run. Raises as `export_run`."""
    # Exporters import TensorFlow; whoever has a bundle must never pay for that, nor read its log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    written: Path = system.load("exporter").of_run(run, options).write(out)
    return written
