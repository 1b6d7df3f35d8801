"""Graphs are opened in one place: the device that is asked for, the threads that are told, every fault as one error."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, UsageError
from pipeline.inference import sessions
from pipeline.inference.sessions import Sessions, open_graph, require_device, thread_count
from tests.waiting import HANGS_S

ROOT = Path(__file__).resolve().parents[2]


def write_graph(path: Path, shape: tuple = (None, 3), **facts: str) -> Path:
    """y = x + x."""
    doors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", doors[:1], doors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, facts)
    onnx.save(model, path)
    return path


@pytest.fixture
def path(tmp_path) -> Path:
    return write_graph(tmp_path / "double.onnx")


@pytest.fixture
def cuda(monkeypatch, path):
    """A driver that is there, and an onnxruntime that offers CUDA and notes what it is asked for."""
    asked = []
    monkeypatch.setattr(sessions, "DRIVERS", (path,))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [sessions.CUDA, sessions.CPU])
    monkeypatch.setattr(sessions, "load_cuda", lambda: None)
    real = onnxruntime.InferenceSession

    def session(source, options, providers, enable_fallback):
        asked.append([name if isinstance(name, str) else name[0] for name in providers])
        return real(source, options, providers=[sessions.CPU])

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    return asked


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_without_a_driver_the_processor_computes(path, device, monkeypatch):
    monkeypatch.setattr(sessions, "DRIVERS", (path / "none",))
    graph = open_graph(path, device)
    assert graph.device == "cpu"
    np.testing.assert_array_equal(graph.run({"x": np.ones((2, 3), np.float32)}, ["y"])[0], np.full((2, 3), 2.0))


def test_cuda_without_a_device_or_without_its_onnxruntime(path, monkeypatch):
    monkeypatch.setattr(sessions, "DRIVERS", (path / "none",))
    with pytest.raises(UsageError, match="no NVIDIA device"):
        open_graph(path, "cuda")
    monkeypatch.setattr(sessions, "DRIVERS", (path,))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [sessions.CPU])
    with pytest.raises(UsageError, match="onnxruntime-gpu"):
        require_device("cuda")
    assert open_graph(path, "auto").device == "cpu"


def test_a_device_that_the_session_does_not_get_is_told_of_or_left(path, cuda):
    assert open_graph(path, "auto").device == "cpu" and cuda == [[sessions.CUDA, sessions.CPU], [sessions.CPU]]
    with pytest.raises(UsageError, match="does not get double.onnx onto the NVIDIA device"):
        open_graph(path, "cuda")
    cuda.clear()
    assert open_graph(path, "cpu").device == "cpu" and cuda == [[sessions.CPU]]


def test_a_broken_graph_is_one_on_either_device(path, cuda):
    path.write_bytes(b"no graph")
    with pytest.raises(CorruptArtifactError, match="refuses the graph"):
        open_graph(path, "auto")


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="only Linux tells a process's threads")
def test_the_threads_that_are_told_are_those_that_onnxruntime_starts(path):
    """A pool is the caller and one thread less than it has; a thread is a folder in /proc/self/task."""
    program = (
        "import os, sys; from pathlib import Path; from pipeline.inference.sessions import open_graph, thread_count;"
        "open_graph(Path(sys.argv[1]), 'cpu'); before = len(os.listdir('/proc/self/task'));"
        "kept = open_graph(Path(sys.argv[1]), 'cpu'); print(len(os.listdir('/proc/self/task')) - before + 1, thread_count())"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, cwd=ROOT, check=True)
    started, told = map(int, done.stdout.split())
    assert started == told == thread_count()


@pytest.mark.parametrize("name", ["Fail", "RuntimeException", "InvalidArgument", "EPFail", "InvalidGraph", "NotImplemented"])
def test_every_error_state_is_one_error(path, name, monkeypatch):
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    def fail(*given, **options):
        raise getattr(states, name)("out of luck\nand more")

    graph = open_graph(path, "cpu")
    monkeypatch.setattr(graph._session, "run", fail)
    with pytest.raises(CorruptArtifactError, match=r"double.onnx: .*\(out of luck\)"):
        graph.run({"x": np.ones((2, 3), np.float32)}, ["y"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(CorruptArtifactError, match=r"double.onnx: onnxruntime refuses the graph \(out of luck\)"):
        open_graph(path, "cpu")


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(MissingArtifactError, match="gone.onnx is missing"):
        open_graph(tmp_path / "gone.onnx")


@pytest.mark.parametrize("feeds", [{"x": (2, 4)}, {"x": (2, 3, 1)}, {"z": (2, 3)}, {"x": (2, 3), "z": (1,)}])
def test_doors_that_do_not_fit_are_named(path, feeds):
    graph = open_graph(path, "cpu")
    with pytest.raises(CorruptArtifactError, match="double.onnx: the graph takes .* needed are"):
        graph.run({name: np.ones(shape, np.float32) for name, shape in feeds.items()}, ["y"])
    with pytest.raises(CorruptArtifactError, match="needed are .*'other'"):
        graph.run({"x": np.ones((2, 3), np.float32)}, ["other"])
    with pytest.raises(CorruptArtifactError, match="needed are"):
        graph.require({"x": (None, 3)}, {"y": (None, 4)})
    graph.require({"x": (7, 3)}, {"y": (None, 3)})


def test_sessions_are_opened_once_and_know_their_facts(tmp_path):
    write_graph(tmp_path / "a.onnx", class_names='["A"]')
    write_graph(tmp_path / "b.onnx", class_names='["B"]')
    opened = Sessions(tmp_path, {"class_names": '["A"]', "positive_class": None}, "cpu")
    opened.prepare(["a.onnx"])
    for _ in range(2):
        opened.run("a.onnx", {"x": np.ones((1, 3), np.float32)}, ["y"])
    assert opened.devices == {"cpu"} and list(opened._opened) == ["a.onnx"]
    with pytest.raises(CorruptArtifactError, match=r"b.onnx: class_names in the graph is \[\"B\"\]"):
        opened.run("b.onnx", {"x": np.ones((1, 3), np.float32)}, ["y"])
    assert opened.devices == {"cpu"}


def test_nothing_else_makes_sessions():
    made = [p for p in (ROOT / "pipeline").rglob("*.py") if "InferenceSession(" in p.read_text(encoding="utf-8")]
    made = [path for path in made if path.name != "parity.py"]
    assert [path.relative_to(ROOT).as_posix() for path in made] == ["pipeline/inference/sessions.py"]


class Counted:
    """A session that counts how many compute at the same time."""

    now, most, lock = 0, 0, Lock()

    def get_inputs(self):
        return [SimpleNamespace(name="x", shape=[1])]

    get_outputs = get_inputs

    def get_providers(self):
        return [sessions.CPU]

    def run(self, *_):
        with Counted.lock:
            Counted.now += 1
            Counted.most = max(Counted.most, Counted.now)
        time.sleep(0.02)
        with Counted.lock:
            Counted.now -= 1
        return [np.zeros(1, np.float32)]


@pytest.mark.parametrize(("graphs", "most"), [(None, 4), (1, 1), (2, 2)])
def test_so_many_graphs_compute_at_the_same_time(monkeypatch, graphs, most):
    for name in ("_threads", "_may_spin", "_at_once", "_turns", "_shares_memory"):
        monkeypatch.setattr(sessions, name, getattr(sessions, name))
    sessions.compute_with(1, graphs=graphs)
    Counted.most, gate = 0, Barrier(4)

    def ask(name: str) -> None:
        graph = sessions.Graph(Counted(), name)
        gate.wait(HANGS_S)
        for _ in range(3):
            graph.run({"x": np.zeros(1, np.float32)})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, "abcd"))
    assert Counted.most <= most
