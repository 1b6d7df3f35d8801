"""`describe` and `plan -c`: what settings mean, the merged whole, and where each value was written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pipeline.cli.app import main
from pipeline.cli.run.merged_text import merged_text
from pipeline.engine.config import load_run_config
from pipeline.engine.yaml_text import read_yaml
from stages import STAGES

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(ROOT.joinpath("configs").glob("*.yaml"))


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command line on the toy stages in a folder that holds own.yaml upon base.yaml; returns code, stdout, stderr."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "engine")
    from toy_stages import STAGES as TOYS

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    Path("base.yaml").write_text("system: toy\nseed: 5\ns01: {}\ns02:\n  factor: 3\n  epochs: 4\n")
    Path("own.yaml").write_text("base: base.yaml\ns02:\n  epochs: 6\ns03:\n")

    def command(*words, stages=TOYS):
        code = main(stages, words)
        return code, *capsys.readouterr()

    return command


def test_a_stage_without_a_configuration(command):
    code, out, _ = command("describe", "s01", "--json")
    described = json.loads(out)
    assert code == 0 and described["values"] is None
    assert described["outputs"][0]["shape"] == ["N", 4] and described["outputs"][0]["dtype"] == "float32"
    rows = next(entry for entry in described["config"] if entry["key"] == "rows")
    assert rows["default"] == 6 and rows["bounds"] == "≥ 1, ≤ 10000000"
    profiles = next(entry for entry in described["config"] if entry["key"] == "profiles")
    assert [inner["key"] for inner in profiles["settings"]] == ["size", "modality"]
    assert "pixel values" in command("describe", "s01")[1]
    assert "what each value is multiplied with" in command("describe", "s02")[1]


def test_no_stage_lists_them_and_all_describes_them(command):
    assert "Scales scans." in command("describe")[1]
    assert [stage["name"] for stage in json.loads(command("describe", "--all", "--json")[1])] == [
        "s01_scans", "s02_scale", "s03_score",
    ]  # fmt: skip
    out = command("describe", "--all")[1]
    assert out.index("s01_scans:") < out.index("s02_scale:") < out.index("s03_score:")


@pytest.mark.parametrize("words", [("describe", "s02", "-c", "own.yaml"), ("plan", "-c", "own.yaml")], ids=" ".join)
def test_values_and_where_they_were_written(command, words):
    document = json.loads(command(*words, "--set", "s02.seconds_per_epoch=0.5", "--json")[1])
    values = document["values"] if words[0] == "describe" else document[1]["settings"]
    assert values == [
        {"path": "s02.factor", "value": 3.0, "origin": "base.yaml:5"},
        {"path": "s02.epochs", "value": 6, "origin": "own.yaml:3"},
        {"path": "s02.seconds_per_epoch", "value": 0.5, "origin": "--set"},
    ]
    out = command(*words, "--set", "s02.seconds_per_epoch=0.5")[1]
    lines = {line.split("#")[0].strip(): line.split("# ")[-1] for line in out.splitlines() if "# " in line}
    assert lines["factor: 3.0"] == "base.yaml:5" and lines["epochs: 6"] == "own.yaml:3"
    assert lines["seconds_per_epoch: 0.5"] == "--set"


def test_the_whole_of_a_configuration(command):
    out = command("describe", "-c", "own.yaml")[1]
    lines = {line.split("#")[0].strip(): line.split("# ")[-1] for line in out.splitlines()[1:]}
    assert lines["system: toy"] == "base.yaml:1" and lines["rows: 6"] == "default" and lines["method: mean"] == "default"
    paths = [entry["path"] for entry in json.loads(command("describe", "-c", "own.yaml", "--json")[1])]
    assert paths[:3] == ["system", "seed", "description"] and "s01.profiles.0.size" in paths


def test_plan_ends_with_the_steps_and_can_leave_the_rest_out(command):
    whole, steps = command("plan", "-c", "own.yaml")[1], command("plan", "-c", "own.yaml", "--steps")[1]
    assert whole.endswith(steps) and "factor" in whole and "factor" not in steps and "s02_scale" in steps
    command("run", "-c", "own.yaml", "-q")
    assert "factor" not in command("plan", "--run", "runs/own")[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["describe", "s2"], "Did you mean 's02'"),
        (["describe", "s02", "--set", "s02.epochs=3"], "--set needs the file"),
        (["describe", "s02", "-c", "own.yaml", "--set", "s02.epohcs=3"], "--set 's02.epohcs=3': unknown key"),
        (["describe", "--augmentations"], "There is no stage ''"),
    ],
)
def test_mistakes(command, words, told):
    code, _, err = command(*words)
    assert code == 2 and told in err and "Traceback" not in err


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.id)
def test_a_stage_fits_80_columns(command, stage):
    out = command("describe", stage.id, stages=STAGES)[1]
    assert max(map(len, out.splitlines())) <= 80
    assert f"{stage.id}: " in out and f"{stage.name}: {stage.summary}"[:60] in out


def test_the_artifacts_of_a_stage_fit_80_columns(command):
    out = command("describe", "s07", "-c", str(ROOT / "configs" / "radiography_unet_256.yaml"), stages=STAGES)[1]
    described = out[: out.index("# ")]
    assert max(map(len, described.splitlines())) <= 80
    assert "test_results/metrics.json" in described and "test: as metrics.json, read once" in described


@pytest.mark.parametrize("file", CONFIGS, ids=lambda path: path.stem)
def test_the_merged_text_is_a_configuration_of_the_same_values(file):
    config = load_run_config(file, STAGES, ["seed=11"])
    text = merged_text(config)
    assert read_yaml(text, "merged").plain == config.raw
    lines = [line.split("  #")[0] for line in text.splitlines() if not line.startswith(("#", "description"))]
    assert max(map(len, lines)) <= 80


def test_an_item_of_a_list_that_was_set_is_told(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("system: x\ns01: {profiles: {a: {modality: xray}}}\ns08:\n  profile: a\n  classes: [A, B]\n")
    text = merged_text(load_run_config(path, STAGES, ["s08.classes.1=C"]), ["s08"])
    assert "  classes: [A, C]                           # c.yaml:5, --set" in text.splitlines()
