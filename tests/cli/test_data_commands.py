"""`data …` from the command line: exit codes, JSON, files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from own_scans import class_folders

from pipeline.cli.app import main
from pipeline.data.layouts.data_source import DataSource
from pipeline.engine.config import StageConfig
from pipeline.engine.contract import Stage

ROOT = Path(__file__).resolve().parents[2]


class ScansConfig(StageConfig):
    """A first stage's configuration, as far as the data commands see it."""

    data: DataSource = DataSource()


STAGE = Stage(
    "s01_preprocessing", "scans", ScansConfig, lambda config: (), lambda config: (), lambda context: None
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A manifest of 24 films and 24 slices, no split, patients of two images; and its configuration."""
    root, random = tmp_path / "data", np.random.default_rng(0)
    lines = ["set,image,label,patient_id"]
    for name in ("films", "slices"):
        (root / name).mkdir(parents=True)
        for number in range(24):
            cv2.imwrite(str(root / name / f"{number}.png"), random.integers(0, 256, (24, 24), dtype=np.uint8))
            lines.append(f"{name},{name}/{number}.png,{'pos' if number < 12 else 'neg'},{name}{number // 2}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "run.yaml").write_text(
        "system: respiratory_mtl\nseed: 3\ns01:\n  data:\n    selection:\n"
        "      - {sets: {films: xray, slices: ct}, labels: {pos: COVID, neg: Non_COVID}}\n"
    )
    return root


def call(*words: object) -> int:
    return main([STAGE], [str(word) for word in words])


def test_inspect_prints_json_and_writes_figures(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config, out = tmp_path / "run.yaml", tmp_path / "out"
    assert call("data", "inspect", data, "-c", config, "--out", out, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["scans"], document["patients"]) == (48, 24)
    assert {row["split"] for row in document["counts"]} == {"train", "valid", "test"}
    assert sorted(path.name for path in out.iterdir()) == [
        "counts.png",
        "inspection.json",
        "intensity.png",
        "sizes.png",
    ]
    assert json.loads((out / "inspection.json").read_text()) == document


def test_inspect_prints_tables_of_what_it_finds_without_a_configuration(
    data: Path, capsys: pytest.CaptureFixture
) -> None:
    (data / "films" / "0.png").write_bytes(b"")
    assert call("data", "inspect", data) == 0
    printed = capsys.readouterr().out
    assert "48 scans, 24 patients" in printed and "zero bytes" in printed


def test_prepare_makes_folders_with_the_split_that_the_run_has(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "four"
    assert call("data", "prepare", "--data", data, "-c", tmp_path / "run.yaml", "--out", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["scans"] == 48
    assert call("data", "inspect", data, "-c", tmp_path / "run.yaml", "--json") == 0
    wanted = json.loads(capsys.readouterr().out)["counts"]
    assert call("data", "inspect", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["counts"] == wanted


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["inspect", "{data}/absent"], 4, "no such folder"),
        (["inspect", "{data}", "--out", "{data}/figures"], 2, "never written to"),
        (["inspect", "{data}", "-c", "{data}/absent.yaml"], 2, "Cannot read the configuration"),
        (["prepare", "--data", "{data}", "-c", "{data}/../run.yaml", "--out", "{data}/x"], 2, "never written to"),
        (["phantom", "--patients", "0", "--out", "{data}/x"], 2, "--patients"),
        (["download", "elsewhere"], 2, "elsewhere"),
    ],
)
def test_mistakes_are_told_and_write_nothing(
    data: Path, capsys: pytest.CaptureFixture, words: list[str], code: int, said: str
) -> None:
    before = sorted(data.rglob("*"))
    assert call("data", *(word.format(data=data) for word in words)) == code
    assert said in capsys.readouterr().err
    assert sorted(data.rglob("*")) == before


def test_download_without_kagglehub_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert call("data", "download", "pneumonia") == 2
    assert "pip install '.[download]'" in capsys.readouterr().err


def test_the_command_group_imports_nothing_heavy() -> None:
    script = (
        "import sys; from pipeline.cli.app import main; assert main((), ['data', '--help']) == 0;"
        "print({'numpy', 'cv2', 'pandas', 'matplotlib', 'sklearn', 'pydicom'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "set()"


def test_inspect_takes_a_folder_for_what_check_takes_it_for(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    class_folders(tmp_path / "own", masks=True, scans=3)
    assert call("data", "inspect", tmp_path / "own", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["counts"]
    assert {(row["label"], row["scans"]) for row in rows} == {("Fibrosis", 3), ("Healthy", 3)}
    shutil.rmtree(tmp_path / "own" / "Fibrosis")
    shutil.rmtree(tmp_path / "own" / "Healthy" / "masks")
    (tmp_path / "own" / "Healthy" / "images").rename(tmp_path / "own" / "Healthy" / "any")
    assert call("data", "inspect", tmp_path / "own", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["counts"][0]["label"] == "any" and "labelled by its folder" in document["notices"][0]
