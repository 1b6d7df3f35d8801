"""The toy pipeline as fixtures; ``toy_stages`` lies beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


class Toy:
    """Runs the toy pipeline in one folder."""

    def __init__(self, folder: Path) -> None:
        from toy_stages import STAGES

        self.stages = STAGES
        self.folder = folder

    def config(self, **sections):
        from pipeline.engine.config import build_run_config

        document = {"system": "toy", "seed": 5, "s01": {}, "s02": {}, "s03": {}} | sections
        return build_run_config(document, self.stages)

    def run(self, config=None, **options):
        from pipeline.engine.runner import run_pipeline

        outcomes = run_pipeline(config or self.config(), self.stages, self.folder, **options)
        return {outcome.name[:3]: outcome.action for outcome in outcomes}

    def contents(self, suffixes=(".npy", ".txt")):
        """The bytes of every committed artifact, by path."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.glob("s0*/**/*"))
            if path.suffix in suffixes
        }


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "run")


@pytest.fixture
def reference(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "reference")
