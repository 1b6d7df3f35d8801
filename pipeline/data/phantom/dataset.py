"""A data set of phantom patients on disk, with masks and a manifest."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from pipeline.data.new_folder import new_folder, refuse_occupied
from pipeline.data.phantom.folders import PlannedPatient, plan_patients
from pipeline.data.phantom.notes import write_history
from pipeline.data.phantom.patient import check_appearance, check_seed, make_patient
from pipeline.data.scans import XRAY
from pipeline.engine.errors import ConfigError, PipelineError, StorageError

MANIFEST = "manifest.csv"
# What concurrent.futures can wait for on Windows.
MOST_WORKERS = 61
MANIFEST_COLUMNS = (
    "id", "image", "modality", "label", "condition", "patient_id", "split", "mask_path", "source", "age", "sex", "notes"
)  # fmt: skip


def write_dataset(
    out: Path,
    patients: int,
    seed: int,
    severity: float = 1.0,
    noise: float = 1.0,
    source_artifact: str = "none",
    layout: str = "respiratory",
    size: int = 256,
    workers: int | None = None,
    conditions: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a phantom data set into a new or empty folder and return the path of its manifest.

    The folder appears whole or not at all, and the same arguments give the same bytes whatever `workers` is.

    out: the folder. patients: 2 a class or more. seed, severity, noise, size: as in `make_patient`.
    source_artifact: who comes from the other scanner: "none", "random" (half of the patients) or "label" (the
    class of COVID, or of pneumonia).
    layout: "respiratory" (X_Ray_Train, X_Ray_Test, CT_Scan_Train, CT_Scan_Test with COVID and Non_COVID, both
    modalities of every patient; masks below `masks/`), "radiography" (COVID, Lung_Opacity, Normal, Viral
    Pneumonia with images and masks) or "pneumonia" (train and test with NORMAL and PNEUMONIA, persons in the
    names).
    workers: processes, all cores by default; 1 stays in this process.
    conditions: those to draw from, all that the layout has by default.
    progress: called with patients done and patients in all.
    manifest.csv: one row an image, paths relative to `out`; `source` is "site_b" for the other scanner; `notes` as
    in `write_history`.

    Raises ConfigError (an argument), DataError (too few patients, a folder that is not empty), StorageError.
    """
    check_appearance(severity, noise, size)
    check_seed(seed)
    workers = _count_workers(workers, patients)
    planned = plan_patients(patients, int(seed), layout, source_artifact, conditions)
    out = Path(out)
    refuse_occupied(out)
    try:
        with new_folder(out) as staging:
            _fill(staging, planned, severity, noise, size, workers, progress)
            _write_manifest(staging / MANIFEST, planned)
    except OSError as error:
        raise StorageError(
            f"{out}: the phantoms cannot be written: {error.strerror or error}.",
            "Free some space there or give another folder.",
        ) from error
    return out / MANIFEST


def _count_workers(workers: int | None, patients: int) -> int:
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigError(f"The number of workers is {workers!r}.", "Give 1 or more.")
    # A process takes longer to start than a few patients take to make.
    return min(workers, MOST_WORKERS, max(1, patients // 4)) if isinstance(patients, int) else workers


def _fill(
    root: Path,
    planned: list[PlannedPatient],
    severity: float,
    noise: float,
    size: int,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    for folder in sorted({Path(p).parent for one in planned for i in one.images for p in (i.image, i.mask)}):
        (root / folder).mkdir(parents=True, exist_ok=True)
    write = partial(_write_patient, root=root, severity=severity, noise=noise, size=size)
    for done, _ in enumerate(_run(write, planned, workers), start=1):
        if progress is not None:
            progress(done, len(planned))


def _run(
    write: Callable[[PlannedPatient], None], planned: list[PlannedPatient], workers: int
) -> Iterator[None]:
    if workers == 1:
        yield from map(write, planned)
        return
    # Spawned, not forked: a fork of a process that has started TensorFlow's threads can hang.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), cv2.setNumThreads, (1,))
    try:
        yield from pool.map(write, planned)
    except BrokenProcessPool as error:
        raise PipelineError(
            "A process that makes phantoms died, most likely for lack of memory.",
            'Ask for fewer workers; a script that asks for several needs `if __name__ == "__main__":`.',
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _write_patient(planned: PlannedPatient, root: Path, severity: float, noise: float, size: int) -> None:
    marked = planned.source == "site_b"
    patient = make_patient(planned.seed, planned.condition, severity, noise, marked, size)
    for image in planned.images:
        is_xray = image.modality == XRAY
        _write_png(root / image.image, patient.xray if is_xray else patient.ct)
        mask = patient.xray_lung_mask if is_xray else patient.ct_lung_mask
        _write_png(root / image.mask, mask.astype(np.uint8) * np.uint8(255))


def _write_png(path: Path, image: np.ndarray) -> None:
    _, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    path.write_bytes(encoded.tobytes())


def _write_manifest(path: Path, planned: list[PlannedPatient]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(MANIFEST_COLUMNS)
    for one in planned:
        history = write_history(one.seed, one.condition)
        for image in one.images:
            writer.writerow([
                f"{one.patient_id}_{image.modality}", image.image, image.modality, one.label, one.condition,
                one.patient_id, one.split, image.mask, one.source, history.age, history.sex, history.note,
            ])  # fmt: skip
    path.write_text(text.getvalue(), encoding="utf-8")
