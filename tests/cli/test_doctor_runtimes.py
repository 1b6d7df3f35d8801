"""`doctor` on what computes: a driver without libraries, a device that nothing gets onto, a TensorFlow that does not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.doctor import runtimes
from pipeline.cli.doctor.finding import Finding, Request


def test_without_a_driver_nothing_lacks(monkeypatch):
    monkeypatch.setattr(runtimes, "has_driver", lambda: False)
    found = runtimes.examine_runtimes(Request(Path("runs")))
    assert [one.subject for one in found if one.state == "lack"] == []
    assert any(one.subject == "CUDA in onnxruntime" and runtimes.NO_DRIVER in one.told for one in found)


@pytest.fixture
def driver(monkeypatch):
    monkeypatch.setattr(runtimes, "has_driver", lambda: True)
    monkeypatch.setattr(runtimes.shutil, "which", lambda name: None)


def of_cuda() -> Finding:
    return next(one for one in runtimes.examine_runtimes(Request(Path("runs"))) if one.subject == "CUDA in onnxruntime")


def test_a_device_without_an_onnxruntime_for_it(driver, monkeypatch):
    monkeypatch.setattr(runtimes, "offers_cuda", lambda: False)
    assert of_cuda().state == "lack" and "install onnxruntime-gpu" in of_cuda().mend


def test_a_library_that_lacks_is_named(driver, monkeypatch):
    """On a machine without CUDA the system's own words; elsewhere the libraries are there."""
    fault = runtimes.library_fault() or "libcudnn.so.9: cannot open shared object file"
    monkeypatch.setattr(runtimes, "offers_cuda", lambda: True)
    monkeypatch.setattr(runtimes, "library_fault", lambda: fault)
    assert of_cuda().told == fault and "onnxruntime-gpu[cuda,cudnn]" in of_cuda().mend


def test_a_device_that_no_graph_gets_onto(driver, monkeypatch):
    monkeypatch.setattr(runtimes, "offers_cuda", lambda: True)
    monkeypatch.setattr(runtimes, "library_fault", lambda: None)
    monkeypatch.setattr("pipeline.inference.sessions.has_driver", lambda: False)
    assert "There is no NVIDIA device here" in of_cuda().told
    monkeypatch.setattr(runtimes, "open_graph", lambda path, device: None)
    assert of_cuda().state == "ok"
    monkeypatch.setattr(runtimes, "shipped", lambda place: Path("absent"))
    assert of_cuda().state == "told"


@pytest.mark.parametrize(("printed", "code", "state", "told"), [
    ("NVIDIA H100, 580.1, 81559 MiB\nNVIDIA L4, 580.1, 23034 MiB\n", 0, "ok", "NVIDIA H100, 580.1, 81559 MiB; NVIDIA L4"),
    ("Failed to initialize NVML: Driver/library version mismatch\n", 18, "lack", "Driver/library version mismatch"),
    ("", 0, "lack", "exit code 0"),
])  # fmt: skip
def test_what_the_driver_says(monkeypatch, printed, code, state, told):
    monkeypatch.setattr(runtimes, "has_driver", lambda: True)
    monkeypatch.setattr(runtimes.shutil, "which", lambda name: sys.executable)
    real = subprocess.run
    script = f"import sys; sys.stdout.write({printed!r}); sys.exit({code})"
    monkeypatch.setattr(runtimes.subprocess, "run", lambda words, **options: real([words[0], "-c", script], **options))
    found = runtimes._driver()
    assert found.state == state and told in found.told


SEEN = {"version": "2.21.0", "gpus": [], "cuda": "12.5.1", "cudnn": "9"}
LOG = ["port.cc:153] oneDNN custom operations are on.", "cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_UNKNOWN"]


def test_what_tensorflow_sees(monkeypatch):
    monkeypatch.setattr(runtimes, "has_driver", lambda: False)
    assert runtimes._seen_by_tensorflow(SEEN, LOG).state == "ok"
    monkeypatch.setattr(runtimes, "has_driver", lambda: True)
    blind = runtimes._seen_by_tensorflow(SEEN, LOG)
    assert blind.state == "lack" and "failed call to cuInit: CUDA_ERROR_UNKNOWN" in blind.told and "oneDNN" not in blind.told
    assert "tensorflow[and-cuda]" in blind.mend
    seeing = runtimes._seen_by_tensorflow(SEEN | {"gpus": ["NVIDIA H100"]}, LOG)
    assert seeing.state == "ok" and "it computes on NVIDIA H100" in seeing.told


ABORTING = """
import os
os.write(2, b"F0000 00:00:17.0  9 cpu.cc:1] The library was compiled to use AVX\\n")
os.abort()
"""


@pytest.mark.parametrize(("script", "told"), [
    (ABORTING, "it does not start: cpu.cc:1] The library was compiled to use AVX"),
    ("raise SystemExit(7)", "it does not start: exit code 7"),
    ("import time; time.sleep(60)", "it has told nothing in 1 s"),
])  # fmt: skip
def test_a_tensorflow_that_does_not_start_is_told(monkeypatch, script, told):
    monkeypatch.setattr(runtimes, "ASKING_TENSORFLOW", script)
    monkeypatch.setattr(runtimes, "SECONDS_TO_IMPORT", 1.0 if "sleep" in script else 100.0)
    found = next(one for one in runtimes.examine_runtimes(Request(Path("runs"), True)) if one.subject == "TensorFlow")
    assert found.state == "lack" and told in found.told
