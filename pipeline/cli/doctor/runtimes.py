"""What computes: NVIDIA's driver and libraries, onnxruntime, OpenVINO, and TensorFlow where it is asked about."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from pipeline.cli.doctor.finding import Finding, Request
from pipeline.cli.telling.tensorflow_log import LEVEL
from pipeline.engine.errors import PipelineError
from pipeline.engine.files import ON_WINDOWS
from pipeline.engine.shipped_files import shipped
from pipeline.inference.sessions import has_driver, load_cuda, offers_cuda, open_graph

# The smallest graph that comes along, which is asked whether it gets onto a device.
TRIED_GRAPH = Path("pretrained/gate/gate_backbone.onnx")
SECONDS_TO_TELL = 20.0
SECONDS_TO_IMPORT = 300.0
NO_DRIVER = "no NVIDIA driver is here: the processor computes"
ASKING_TENSORFLOW = """\
import json, tensorflow
build = tensorflow.sysconfig.get_build_info()
found = {"version": tensorflow.__version__, "gpus": [], "cuda": build.get("cuda_version"), "cudnn": build.get("cudnn_version")}
for device in tensorflow.config.list_physical_devices("GPU"):
    details = tensorflow.config.experimental.get_device_details(device)
    found["gpus"].append(details.get("device_name", device.name))
tensorflow.linalg.matmul(tensorflow.ones((4, 4)), tensorflow.ones((4, 4))).numpy()
print(json.dumps(found))
"""
_OF_CUDA = re.compile(r"cuda|cudnn|cublas|cuinit|dlopen|gpu|nvidia|libcu", re.IGNORECASE)
_LOG_HEAD = re.compile(r"^[IWEF]\d{4} [\d:.]+ +\d+ ")


def examine_runtimes(request: Request) -> list[Finding]:
    """CUDA, onnxruntime, OpenVINO, TensorFlow. Only asked for is TensorFlow imported, in a process of its own."""
    return [_driver(), *_onnxruntime(), _openvino(), _tensorflow() if request.with_tensorflow else _tensorflow_unasked()]


def _driver() -> Finding:
    if not has_driver():
        return Finding("CUDA driver", "told", NO_DRIVER)
    asked = shutil.which("nvidia-smi")
    if asked is None:
        return Finding("CUDA driver", "ok", "here; nvidia-smi, which would name the device, is not")
    words = [asked, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=SECONDS_TO_TELL, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return _deaf_driver(type(fault).__name__)
    named = done.stdout.strip().splitlines()
    if done.returncode or not named:
        return _deaf_driver((done.stderr or done.stdout).strip().partition("\n")[0] or f"exit code {done.returncode}")
    return Finding("CUDA driver", "ok", "; ".join(named))


def _deaf_driver(reason: str) -> Finding:
    told, cost = f"here, but nvidia-smi fails ({reason})", "nothing is computed on the device"
    return Finding("CUDA driver", "lack", told, cost, "restart the machine, or install the driver again")


def _onnxruntime() -> list[Finding]:
    try:
        import onnxruntime
    except Exception:  # `packages` says what it lacks
        return []
    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    found = [Finding("onnxruntime", "ok", f"{onnxruntime.__version__}; built for {', '.join(providers)}")]
    if not has_driver():
        fault = library_fault() if offers_cuda() else None
        beside = f"; nor are its libraries ({fault})" if fault else ""
        return [*found, Finding("CUDA in onnxruntime", "told", f"{NO_DRIVER}{beside}")]
    return [*found, _cuda_in_onnxruntime()]


def _cuda_in_onnxruntime() -> Finding:
    cost, subject = "a GPU is here, and answers are computed on the processor", "CUDA in onnxruntime"
    if not offers_cuda():
        mend = "python -m pip uninstall onnxruntime, then install onnxruntime-gpu"
        return Finding(subject, "lack", "this build has none", cost, mend)
    fault = library_fault()
    if fault is not None:
        mend = 'python -m pip install "onnxruntime-gpu[cuda,cudnn]" in the version that is here'
        return Finding(subject, "lack", fault, cost, mend)
    graph = shipped(TRIED_GRAPH)
    if not graph.is_file():
        return Finding(subject, "told", f"its libraries are here; {TRIED_GRAPH}, to try it with, is not")
    try:
        open_graph(graph, "cuda")
    except PipelineError as refused:
        mend = "bring driver, CUDA and cuDNN to the versions that onnxruntime was built for"
        return Finding(subject, "lack", refused.message, cost, mend)
    return Finding(subject, "ok", "a graph was loaded onto the device")


def library_fault() -> str | None:
    """What the system says of the first of CUDA's libraries that onnxruntime does not find; None where it finds all."""
    import onnxruntime

    load_cuda()
    folder = Path(onnxruntime.__file__).parent / "capi"
    shared, cuda = ("onnxruntime_providers_{}.dll" if ON_WINDOWS else "libonnxruntime_providers_{}.so",) * 2
    try:
        ctypes.CDLL(str(folder / shared.format("shared")), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / cuda.format("cuda")))
    except OSError as fault:
        return str(fault).splitlines()[0]
    return None


def _openvino() -> Finding:
    try:
        import openvino
    except ImportError:
        return Finding("OpenVINO", "told", "not installed")
    try:
        core = openvino.Core()
        named = [f"{device} ({core.get_property(device, 'FULL_DEVICE_NAME').strip()})" for device in core.available_devices]
        bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except Exception as fault:  # its own errors have no common kind
        reason = (str(fault).strip().splitlines() or [type(fault).__name__])[-1]
        told, cost = f"here, but it does not start ({reason})", "segment --runtime openvino does not answer"
        return Finding("OpenVINO", "lack", told, cost, "python -m pip install --force-reinstall openvino")
    version = openvino.__version__.partition("-")[0]
    return Finding("OpenVINO", "ok", f"{version} on {', '.join(named)}, {'with' if bf16 else 'without'} bf16")


def _tensorflow_unasked() -> Finding:
    if find_spec("tensorflow") is None:
        return Finding("TensorFlow", "told", "not installed")
    return Finding("TensorFlow", "told", "here; what it sees is not asked, for it takes seconds (doctor --tensorflow)")


def _tensorflow() -> Finding:
    """In a process of its own: it may crash, and its log is read."""
    if find_spec("tensorflow") is None:
        return Finding("TensorFlow", "told", "not installed")
    reinstall = "python -m pip install --force-reinstall tensorflow, in the version that requirements.txt names"
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASKING_TENSORFLOW], capture_output=True, encoding="utf-8", errors="replace",
            env={**os.environ, LEVEL: "0", "PYTHONIOENCODING": "utf-8"}, timeout=SECONDS_TO_IMPORT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        told = f"it has told nothing in {SECONDS_TO_IMPORT:.0f} s"
        return Finding("TensorFlow", "lack", told, "training may never begin", reinstall)
    said = [_LOG_HEAD.sub("", line).strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode:
        last = said[-1] if said else f"exit code {done.returncode}"
        return Finding("TensorFlow", "lack", f"it does not start: {last}", "no training, no export", reinstall)
    return _seen_by_tensorflow(json.loads(done.stdout.splitlines()[-1]), said)


def _seen_by_tensorflow(found: dict, said: list[str]) -> Finding:
    """found: what `ASKING_TENSORFLOW` prints. said: the lines of its log, without their heads."""
    told = f"{found['version']}, built for CUDA {found['cuda']} and cuDNN {found['cudnn']}" if found["cuda"] else found["version"]
    if found["gpus"]:
        return Finding("TensorFlow", "ok", f"{told}; it computes on {', '.join(found['gpus'])}")
    if not has_driver():
        return Finding("TensorFlow", "ok", f"{told}; it computes on the processor: no NVIDIA driver is here")
    of_cuda = [line for line in said if _OF_CUDA.search(line)]
    reason = f" ({' | '.join(of_cuda[-2:])})" if of_cuda else ""
    mend = "python -m pip install \"tensorflow[and-cuda]\" in the version that is here; on Windows, within WSL"
    return Finding("TensorFlow", "lack", f"{told}; it sees no GPU{reason}", "a GPU is here, and training does not use it", mend)
