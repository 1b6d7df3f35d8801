"""`bench`: what can be measured is one table, and each runtime stands beside Keras."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipeline.cli.app import main
from pipeline.cli.bench import command as bench_command
from pipeline.cli.bench.processes import watched_peak

SHAPE = {"channels": (4, 8), "strides": (2,), "decoded_channels": 4}


def test_each_runtime_stands_beside_keras_and_agrees_with_it():
    from pipeline.cli.bench.unet import bench_unet

    rows = bench_unet(size=32, repeats=1, **SHAPE)
    assert [row["name"] for row in rows] == ["unet onnxruntime fp32", "unet OpenVINO fp32", "unet OpenVINO bf16"]
    for row in rows:
        assert {"name", "reference", "ratio", "median_ms", "n"} <= set(row) and row["median_ms"] > 0
        assert row["ratio"] == pytest.approx(row["reference_ms"] / row["median_ms"])
    assert [row["max_difference"] < limit for row, limit in zip(rows, (1e-5, 1e-5, 5e-2), strict=True)] == [True] * 3


def test_a_measurement_is_given_what_was_asked_and_its_rows_are_shown(monkeypatch, capsys):
    asked = []
    row = {"name": "embed", "reference": "something", "ratio": 0.5, "median_ms": 20.0, "n": 3}

    def measure(request):
        asked.append(request)
        return [row]

    monkeypatch.setitem(bench_command.MEASUREMENTS, "embed", measure)
    assert main((), ["bench", "embed", "--images", "64", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [row] and asked[0].images == 64
    assert main((), ["bench", "embed"]) == 0
    assert "ratio 0.50 to something" in capsys.readouterr().out


def test_what_cannot_be_measured(capsys):
    assert main((), ["bench", "everything"]) == 2
    assert "unet" in capsys.readouterr().err


def test_reading_is_measured_on_the_scans_that_are_named(tmp_path, capsys):
    from pipeline.data.phantom import write_dataset

    write_dataset(tmp_path / "scans", 24, 0, size=64, workers=1)
    assert main((), ["bench", "read", "--data", str(tmp_path / "scans" / "X_Ray_Train"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["n"] >= 1 and row["unreadable"] == 0 and row["ratio"] == pytest.approx(row["reference_ms"] / row["median_ms"])
    assert main((), ["bench", "read"]) == 2
    assert "--data DIR" in capsys.readouterr().err


def test_the_peak_of_a_process_is_seen_where_the_system_does_not_account_for_it():
    """As on Windows; on Linux what is held at the moment is looked at, of a process that holds it for a while."""
    held = "import time; held = bytearray(200 << 20); time.sleep(0.5)"
    process = subprocess.Popen([sys.executable, "-c", held])
    assert 200 < watched_peak(process) / 2**20 < 400 and process.returncode == 0
