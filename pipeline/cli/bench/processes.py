"""What only a process of its own can show: time from start to answer, and peak memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import psutil

from pipeline.data.phantom import make_patient
from pipeline.engine.errors import MissingArtifactError, PipelineError
from pipeline.engine.extras import require

ENTRY = Path(__file__).parents[3] / "run_pipeline.py"  # beside the package, in a repository and where it is installed
BARE_IMPORTS = "import numpy, cv2, onnxruntime"
GROWTH = 10
SECONDS_BETWEEN_LOOKS = 0.02
FOLDERS = {"xray": ("X_Ray_Train", "X_Ray_Test"), "ct": ("CT_Scan_Train", "CT_Scan_Test")}
MEMORY_CONFIG = """\
system: respiratory_mtl
seed: 1
s01:
  sample_sheet: false
  profiles:
    xray_plain: {modality: xray, size: 64}
    ct_plain: {modality: ct, size: 64}
s02:
  embedders:
    xray_task: {backbone: EfficientNetLite0, profile: xray_plain}
    xray_shared: {backbone: EfficientNetLite0, profile: xray_plain}
    ct_task: {backbone: EfficientNetLite0, profile: ct_plain}
    ct_shared: {backbone: EfficientNetLite0, profile: ct_plain}
  fit: {epochs: 2, batch_size: 32}
"""


def bench_predict(bundle: Path, repeats: int = 5) -> dict:
    """Process start to answer of ``predict`` on a pair, against a process that only imports what it cannot do without.

    Raises MissingArtifactError where there is no bundle.
    """
    if not (bundle / "bundle.json").is_file():
        raise MissingArtifactError(f"{bundle}: there is no bundle.", "Name one with --bundle; export or demo makes one.")
    with tempfile.TemporaryDirectory() as folder:
        xray, ct = _write_pair(Path(folder))
        command = [str(ENTRY), "predict", "--bundle", str(bundle), "--xray", str(xray), "--ct", str(ct), "--json"]
        ours, bare = [], []
        for turn in range(repeats + 1):
            seconds = _seconds(command), _seconds(["-c", BARE_IMPORTS])
            if turn:
                ours.append(seconds[0])
                bare.append(seconds[1])
    return {
        "name": "predict",
        "reference": f"python -c '{BARE_IMPORTS}'",
        "ratio": median(b / o for o, b in zip(ours, bare, strict=True)),
        "median_ms": 1000 * median(ours),
        "reference_ms": 1000 * median(bare),
        "n": repeats,
    }


def bench_memory(images: int = 100) -> dict:
    """Peak resident memory of s01 and s02 over ten times ``images`` of each modality; ratio: over that of ``images``."""
    require("tensorflow")
    peaks, seconds = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "memory.yaml")
        config.write_text(MEMORY_CONFIG, encoding="utf-8")
        for count in (images, GROWTH * images):
            data, out = Path(folder, f"scans_{count}"), Path(folder, f"run_{count}")
            _write_scans(data, count)
            begun = time.perf_counter()
            peaks.append(_peak_mib(["run", "-c", str(config), "--data", str(data), "--out", str(out), "-q"]))
            seconds = time.perf_counter() - begun
    return {
        "name": "memory",
        "reference": f"the same stages over {images} images of each modality",
        "ratio": peaks[1] / peaks[0],
        "median_ms": 1000 * seconds,
        "peak_mib": peaks[1],
        "reference_peak_mib": peaks[0],
        "n": GROWTH * images,
    }


def _seconds(words: list[str]) -> float:
    begun = time.perf_counter()
    _check(subprocess.run([sys.executable, *words], capture_output=True, encoding="utf-8", check=False))
    return time.perf_counter() - begun


def _peak_mib(words: list[str]) -> float:
    """Peak resident memory of one run of the command line, from the system's account of that one process."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen([sys.executable, str(ENTRY), *words], stdout=subprocess.DEVNULL, stderr=errors)
        peak = _accounted_peak(process) if hasattr(os, "wait4") else watched_peak(process)
        errors.seek(0)
        _check(subprocess.CompletedProcess(words, process.returncode, "", errors.read()))
    return peak / 2**20


def _accounted_peak(process: subprocess.Popen) -> int:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB, macOS in bytes.
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def watched_peak(process: subprocess.Popen) -> int:
    """The peak resident memory of a process, in bytes, by looking at it until it ends; Windows keeps the peak itself."""
    peak, watched = 0, psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            held = watched.memory_info()
            peak = max(peak, getattr(held, "peak_wset", held.rss))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return peak


def _check(done: subprocess.CompletedProcess) -> None:
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PipelineError(f"The measured command ended with {done.returncode}: {last}", "Run it by hand to see more.")


def _write_pair(folder: Path) -> tuple[Path, Path]:
    patient = make_patient(0, "covid")
    paths = folder / "xray.png", folder / "ct.png"
    for path, image in zip(paths, (patient.xray, patient.ct), strict=True):
        _write_png(path, image)
    return paths


def _write_scans(root: Path, count: int) -> None:
    """``count`` images a modality in the four folders: two phantoms under noise of their own, a quarter for the test."""
    chance = np.random.default_rng(0)
    for label, condition in (("COVID", "covid"), ("Non_COVID", "normal")):
        patient = make_patient(1, condition)
        for modality, image in (("xray", patient.xray), ("ct", patient.ct)):
            for number in range(count // 2):
                folder = root / FOLDERS[modality][number % 4 == 0] / label
                folder.mkdir(parents=True, exist_ok=True)
                noisy = np.clip(image + chance.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
                _write_png(folder / f"{label}_{number:06d}.png", noisy)


def _write_png(path: Path, image: np.ndarray) -> None:
    # OpenCV's own writer takes no path beyond ASCII on Windows.
    path.write_bytes(cv2.imencode(".png", image)[1])
