"""The ONNX graphs of a bundle as onnxruntime sessions, each made once, when it is first needed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.multitask.bundle import Bundle
from pipeline.inference.packed_graphs import is_packed, unpacked

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

THREADS = 2
_ERRORS_ONLY = 3


class Sessions:
    """Sessions by file name. Safe to use from several threads; what nobody asks for is never opened."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="session")
        self._opened: dict[str, Future[InferenceSession]] = {}
        self._lock = Lock()

    def prepare(self, files: Iterable[str]) -> None:
        """Start opening these graphs, two at a time, and return at once."""
        for file in files:
            self._future(file)

    def run(self, file: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Compute `outputs` of one graph. Raises CorruptArtifactError where the graph has not these doors."""
        session = self._future(file).result()
        _check_doors(session, f"{self._bundle.path / file}", feeds, outputs)
        return session.run(list(outputs), dict(feeds))

    def _future(self, file: str) -> Future[InferenceSession]:
        with self._lock:
            if file not in self._opened:
                self._opened[file] = self._pool.submit(_open, self._bundle, file)
            return self._opened[file]


def _open(bundle: Bundle, file: str) -> InferenceSession:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # Full optimisation folds the float16 casts once, here: opening costs no more CPU time than the basic level
    # does, and a scan then takes less than half the time. Spinning threads would starve the other session.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = bundle.path / file
    try:
        # One scan at a time is too little for a GPU to pay for its start, and the CPU's answers are those
        # that the bundle's figures were taken from.
        session = onnxruntime.InferenceSession(_graph(path, options), options, providers=["CPUExecutionProvider"])
    except (states.InvalidProtobuf, states.InvalidGraph, states.Fail, states.NotImplemented, states.RuntimeException) as cause:
        reason = str(cause).splitlines()[0]
        raise CorruptArtifactError(f"{path}: onnxruntime refuses the graph ({reason}).", "Export the bundle again.") from cause
    _check_classes(session, bundle, file)
    return session


def _graph(path: Path, options: SessionOptions) -> str | bytes:
    """What a session is made of: the file's name, or a compressed file's content, told where its outer kernels lie."""
    if not is_packed(path):
        return str(path)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", f"{path.parent}{os.sep}")
    return unpacked(path)


def _check_classes(session: InferenceSession, bundle: Bundle, file: str) -> None:
    """The class list travels in the graph too: a `bundle.json` edited by hand must not swap the classes."""
    recorded = session.get_modelmeta().custom_metadata_map
    manifest = bundle.manifest
    expected = {"class_names": json.dumps(list(manifest.class_names)), "positive_class": manifest.positive_class}
    for name, text in expected.items():
        if recorded.get(name, text) != text:
            raise CorruptArtifactError(
                f"{bundle.path / file}: {name} in the graph is {recorded[name]}, in bundle.json {text}.",
                "Fetch the bundle again, or export it again.",
            )


def _check_doors(session: InferenceSession, path: str, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> None:
    inputs = {door.name: door.shape for door in session.get_inputs()}
    made = [door.name for door in session.get_outputs()]
    fits = set(inputs) == set(feeds) and set(outputs) <= set(made)
    fits = fits and all(_same_shape(inputs[name], feeds[name].shape) for name in feeds)
    if not fits:
        given = {name: feed.shape for name, feed in feeds.items()}
        raise CorruptArtifactError(
            f"{path}: the graph takes {inputs} and makes {made}; needed are {given} and {list(outputs)}.",
            "Export the bundle again.",
        )


def _same_shape(declared: Sequence[int | str | None], given: Sequence[int]) -> bool:
    return len(declared) == len(given) and all(
        not isinstance(size, int) or size == found for size, found in zip(declared, given, strict=True)
    )
