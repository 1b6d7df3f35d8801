"""ONNX graphs as onnxruntime sessions. This is the only place that makes them: device, threads and errors are settled here."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, get_args

from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, UsageError
from pipeline.engine.turns import Turns
from pipeline.inference.coalescing import Coalescer
from pipeline.inference.packed_graphs import is_packed, unpacked

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

Device = Literal["auto", "cpu", "cuda"]
Shape = Sequence[int | str | None]
MEND = "Fetch the bundle again, or export it again."
OPENED_AT_ONCE = 2
# NVIDIA's driver, on Linux, below Windows (WSL) and on Windows.
DRIVERS = (
    Path("/dev/nvidiactl"), Path("/dev/dxg"),
    *([Path(os.environ["SYSTEMROOT"], "System32", "nvcuda.dll")] if "SYSTEMROOT" in os.environ else []),
)  # fmt: skip
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# TF32 would round what is multiplied to 10 bits, and the answers would no longer be those of the bundle's figures.
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
_ERRORS_ONLY, _FATAL_ONLY = 3, 4
# What `compute_with` settled.
_threads: int | None = None
_may_spin = True
_at_once = 1
_shares_memory = False
_turns: AbstractContextManager[Any] = contextlib.nullcontext()


class Graph:
    """One graph that can be run; `open_graph` makes it. Safe to use from several threads.

    name: for messages. inputs, outputs: the shapes of its doors by name. device: "cpu" or "cuda", which of them computes.
    """

    def __init__(self, session: InferenceSession, name: str) -> None:
        self._session, self.name = session, name
        self.inputs: dict[str, Shape] = {door.name: door.shape for door in session.get_inputs()}
        self.outputs: dict[str, Shape] = {door.name: door.shape for door in session.get_outputs()}
        self.device = "cuda" if session.get_providers()[0] == CUDA else "cpu"
        grows = all(shape and not isinstance(shape[0], int) for shape in (*self.inputs.values(), *self.outputs.values()))
        self._together = Coalescer(self._compute, _at_once) if grows and _at_once > 1 else None

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str] = ()) -> list[Array]:
        """Compute `outputs` in that order, or all. Raises CorruptArtifactError where the graph has not these doors, or fails."""
        self.require({name: feed.shape for name, feed in feeds.items()}, dict.fromkeys(outputs))
        if self._together is not None and all(len(feed) == 1 for feed in feeds.values()):
            return self._together.run(feeds, outputs)
        return self._compute(feeds, outputs)

    def _compute(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        try:
            with _turns:
                return self._session.run(list(outputs) or list(self.outputs), dict(feeds))
        except _states() as cause:
            raise CorruptArtifactError(f"{self.name}: onnxruntime cannot compute it ({_reason(cause)}).", MEND) from cause

    def require(self, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape | None]) -> None:
        """Raise CorruptArtifactError where the graph has other inputs, or lacks an output, or one of another shape.

        A size that is None or a name, here or there, fits any; so does an output whose shape is None.
        """
        fits = set(self.inputs) == set(inputs) and set(outputs) <= set(self.outputs)
        fits = fits and all(_same_shape(self.inputs[name], shape) for name, shape in inputs.items())
        fits = fits and all(shape is None or _same_shape(self.outputs[name], shape) for name, shape in outputs.items())
        if not fits:
            raise CorruptArtifactError(
                f"{self.name}: the graph takes {self.inputs} and makes {self.outputs}; needed are {dict(inputs)} and "
                f"{ {name: shape for name, shape in outputs.items() if shape is not None} or list(outputs)}.",
                "Export the bundle again.",
            )

    def require_facts(self, facts: Mapping[str, str | None]) -> None:
        """Raise CorruptArtifactError where the graph's own metadata repeats a fact otherwise; it need not repeat it."""
        recorded = self._session.get_modelmeta().custom_metadata_map
        for name, text in facts.items():
            if recorded.get(name, text) != text:
                raise CorruptArtifactError(
                    f"{self.name}: {name} in the graph is {recorded[name]}, in its description {text}.", MEND
                )


def open_graph(
    path: Path, device: Device = "auto", spinning: bool = False, settings: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> Graph:  # fmt: skip
    """A graph's file, `.onnx` or packed, as a session at full optimisation.

    device: auto takes an NVIDIA device where there is one that onnxruntime can use, else the CPU. spinning: threads that wait
    busily, which starve another session beside this one. settings: further entries of onnxruntime's configuration.
    content: the serialised graph, where it does not lie in the file `path` as it is.

    Raises UsageError (cuda without such a device), MissingArtifactError (no file), CorruptArtifactError (no graph that
    onnxruntime takes).
    """
    import onnxruntime

    require_device(device)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # Full optimisation folds the float16 casts once, here: opening costs no more CPU time than the basic level
    # does, and a scan then takes less than half the time.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    if _threads:
        options.intra_op_num_threads = _threads
    if _shares_memory:
        options.add_session_config_entry("session.use_env_allocators", "1")
    if not (spinning and _may_spin):
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, value in (settings or {}).items():
        options.add_session_config_entry(name, value)
    if content is None:
        if not path.is_file():
            raise MissingArtifactError(f"{path} is missing.", MEND)
        if is_packed(path):
            # Its outer kernels lie beside the file.
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", f"{path.parent}{os.sep}")
            content = unpacked(path)
    return Graph(_session(content or str(path), options, device, path), str(path))


def require_device(device: Device) -> None:
    """Raise UsageError for "cuda" where there is no NVIDIA device, or onnxruntime cannot use one, and for an unknown name."""
    if device not in get_args(Device):
        raise UsageError(f"There is no device {device!r}.", f"Name one of: {', '.join(get_args(Device))}.")
    if device == "cuda" and not has_driver():
        raise UsageError("There is no NVIDIA device here.", "Use --device cpu, or leave it out.")
    if device == "cuda" and not offers_cuda():
        raise UsageError("This onnxruntime cannot use an NVIDIA device.", "Install onnxruntime-gpu, or use --device cpu.")


def compute_with(threads: int, at_once: int = 1, graphs: int | None = None) -> None:
    """For a process that answers many at once: the threads of every graph that it opens from now on (0: as onnxruntime counts
    them), of which none waits busily, whatever is asked for; how many runs of one graph are computed together, where several are
    asked for while it computes; and how many graphs compute at the same time (None: any number). More threads than cores would
    wait for each other in the middle of a graph: one after another, each with all cores, is sooner done. All compute in the same
    memory, which grows by what is needed."""
    global _threads, _may_spin, _at_once, _turns, _shares_memory
    _share_memory()
    _threads, _may_spin, _at_once, _shares_memory = threads or None, False, at_once, True
    _turns = Turns(graphs) if graphs is not None else contextlib.nullcontext()


@cache
def _share_memory() -> None:
    """One arena for every session that asks for it; each would have its own, of twice the size at each growth."""
    import onnxruntime

    place = onnxruntime.OrtMemoryInfo("Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT)
    as_requested = onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1})
    onnxruntime.create_and_register_allocator(place, as_requested)


def thread_count() -> int:
    """How many threads a graph is computed with."""
    return _threads or _physical_cores()


@cache
def _physical_cores() -> int:
    """As onnxruntime counts them, where it is not told how many threads to take."""
    cores: set[tuple[str, str]] = set()
    with contextlib.suppress(OSError):
        for processor in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split("\n\n"):
            told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in processor.splitlines())}
            if "core id" in told:
                cores.add((told.get("physical id", ""), told["core id"]))
    if not cores:
        import psutil  # type: ignore[import-untyped]

        return psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return len(cores)


class Sessions:
    """A bundle's graphs by file name, each opened once, when it is first needed. Safe to use from several threads."""

    def __init__(self, folder: Path, facts: Mapping[str, str | None], device: Device = "auto") -> None:
        """facts: what a graph's metadata may not contradict. Raises UsageError: no such device."""
        require_device(device)
        self._folder, self._facts, self._device = folder, facts, device
        self._pool = ThreadPoolExecutor(OPENED_AT_ONCE, thread_name_prefix="session")
        self._opened: dict[str, Future[Graph]] = {}
        self._lock = Lock()

    def prepare(self, files: Iterable[str]) -> None:
        """Start opening these graphs, two at a time, and return at once."""
        for file in files:
            self._future(file)

    def run(self, file: str, feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """Compute `outputs` of one graph. Raises as `open_graph` and `Graph.run`."""
        return self._future(file).result().run(feeds, outputs)

    @property
    def devices(self) -> set[str]:
        """What the graphs that are open run on."""
        return {future.result().device for future in self._opened.values() if future.done() and not future.exception()}

    def _future(self, file: str) -> Future[Graph]:
        with self._lock:
            if file not in self._opened:
                self._opened[file] = self._pool.submit(self._open, file)
            return self._opened[file]

    def _open(self, file: str) -> Graph:
        graph = open_graph(self._folder / file, self._device)
        graph.require_facts(self._facts)
        return graph


def _session(source: str | bytes, options: SessionOptions, device: Device, path: Path) -> InferenceSession:
    import onnxruntime

    if device != "cpu" and has_driver() and offers_cuda():
        session = _on_cuda(source, options)
        if session is not None:
            return session
        if device == "cuda":
            raise UsageError(
                f"onnxruntime does not get {path.name} onto the NVIDIA device.", "Check its CUDA and cuDNN, or use --device cpu."
            )
    try:
        return onnxruntime.InferenceSession(source, options, providers=[CPU], enable_fallback=0)
    except _states() as cause:
        raise CorruptArtifactError(f"{path}: onnxruntime refuses the graph ({_reason(cause)}).", MEND) from cause


def _on_cuda(source: str | bytes, options: SessionOptions) -> InferenceSession | None:
    """None where the graph cannot be had on the device: the CPU then says whether the graph is at fault."""
    import onnxruntime

    load_cuda()
    with contextlib.suppress(*_states()):
        session = onnxruntime.InferenceSession(source, options, providers=[(CUDA, CUDA_OPTIONS), CPU], enable_fallback=0)
        if session.get_providers()[0] == CUDA:
            return session
    return None


@cache
def load_cuda() -> None:
    """CUDA's libraries as pip installs them; onnxruntime prints what it does not find, where its own log says it again."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(OSError):
        onnxruntime.preload_dlls()


def has_driver() -> bool:
    """Whether NVIDIA's driver is here."""
    return any(driver.exists() for driver in DRIVERS)


def offers_cuda() -> bool:
    """Whether this onnxruntime is built for CUDA."""
    import onnxruntime

    return CUDA in onnxruntime.get_available_providers()


@cache
def _states() -> tuple[type[Exception], ...]:
    """Every error state of onnxruntime as an exception; they have no ancestor of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    found: list[Any] = list(vars(states).values())
    return tuple(value for value in found if isinstance(value, type) and issubclass(value, Exception))


def _reason(cause: Exception) -> str:
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def _same_shape(declared: Shape, given: Shape) -> bool:
    return len(declared) == len(given) and all(
        size == found or not isinstance(size, int) or not isinstance(found, int)
        for size, found in zip(declared, given, strict=True)
    )
