"""The demo's own steps; the stages that it runs are tested with the chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.demo import command as demo_command
from pipeline.engine.config import load_run_config
from pipeline.engine.errors import UsageError
from pipeline.engine.progress import Reporter
from stages import STAGES

ROOT = Path(__file__).resolve().parents[2]


def test_phantoms_are_made_once(tmp_path):
    folder = tmp_path / "run" / "phantoms"
    assert demo_command._phantoms(folder, 4, Reporter(quiet=True)) == folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert len(before) == 4 * 4
    demo_command._phantoms(folder, None, Reporter(quiet=True))
    demo_command._phantoms(folder, 4, Reporter(quiet=True))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")} == before
    with pytest.raises(UsageError, match="holds 4 patients already"):
        demo_command._phantoms(folder, 30, Reporter(quiet=True))


def test_the_configuration_is_found_from_any_folder(tmp_path, monkeypatch):
    seen = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.cli.demo.command.run_pipeline", lambda config, *rest, **options: seen.append(config))
    demo_command._run_stages(STAGES, tmp_path, tmp_path, Reporter(quiet=True))
    assert list(seen[0].stages) == ["s01", "s02", "s03", "s04", "s05", "s06"]
    assert seen[0].stages["s06"].seeds == 3 and seen[0].stages["s04"].variants == ("plain", "adversarial", "erased")
    assert seen[0].raw == load_run_config(ROOT / "configs/demo.yaml", STAGES).raw

