"""Phantoms as the studies see them: frozen features of both modalities, or of X-rays that are dealt into two halves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.preprocessing import StandardScaler

from pipeline.data.layouts.respiratory_folders import read_respiratory_folders
from pipeline.data.phantom import write_dataset
from pipeline.data.phantom.source_artifact import other_source
from pipeline.data.reading.gray_reader import read_gray
from pipeline.data.scan_index import ModalityIndex
from pipeline.data.scans import COVID, CT, MODALITIES, SPLITS, XRAY
from pipeline.data.splitting.splits import split_by_patient
from pipeline.engine.seeds import derive_seed
from pipeline.models.backbones.construction import build_backbone
from pipeline.training.alignment_study.settings import StudySettings
from pipeline.training.alignment_study.studies import Study
from pipeline.training.frozen_features import BATCH, compiled_forward, scaled

BACKBONE = "EfficientNetLite0"
CONDITIONS = ("normal", "covid")
# More is left for the test than trainings usually leave: the studies ask how large a loss is.
FRACTIONS = {"train": 0.5, "valid": 0.15, "test": 0.35}


@dataclass(frozen=True)
class StudyScans:
    """``embeddings[modality]`` ``(N, 1280)`` float32, standardised on the training rows of both together, and their indexes."""

    embeddings: Mapping[str, np.ndarray]
    indexes: Mapping[str, ModalityIndex]


@dataclass(frozen=True)
class PhantomFeatures:
    """Frozen features ``(N, 1280)`` of X-rays, of the same with the planted marker, and of CT slices, with their indexes."""

    unmarked: np.ndarray
    marked: np.ndarray
    ct: np.ndarray
    indexes: Mapping[str, ModalityIndex]

    def scans_of(self, study: Study, seed: int) -> StudyScans:
        """What a study is about: both modalities, or X-rays of which every other patient of each split and class stands for CT.

        seed: of the halves.
        """
        xray = self.marked if study.marked else self.unmarked
        if not study.halves:
            return _standardised({XRAY: xray, CT: self.ct}, self.indexes)
        index, draw = self.indexes[XRAY], np.random.default_rng(derive_seed(seed, "halves"))
        first = np.zeros(len(index.labels), bool)
        for split in SPLITS:
            for label in (0, 1):
                first[draw.permutation(np.flatnonzero((index.splits == split) & (index.labels == label)))[::2]] = True
        halves = {XRAY: np.flatnonzero(first), CT: np.flatnonzero(~first)}
        return _standardised(
            {XRAY: xray[halves[XRAY]], CT: self.unmarked[halves[CT]]},
            {name: _selected(index, name, rows) for name, rows in halves.items()},
        )


def phantom_features(settings: StudySettings, progress: Callable[[int, int], None] | None = None) -> PhantomFeatures:
    """Make the patients, split them, and take a frozen EfficientNet-Lite0's features of their pictures.

    progress: called with patients done and patients in all. Raises ConfigError and StorageError as ``write_dataset``.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "phantoms")
        write_dataset(
            root, settings.patients, settings.seed, severity=settings.severity, size=settings.size, conditions=CONDITIONS,
            progress=progress,
        )  # fmt: skip
        unsplit = [replace(scan, split="") for scan in read_respiratory_folders(root)]
        scans = split_by_patient(unsplit, FRACTIONS, settings.seed)
        pixels = {name: np.stack([read_gray(scan.path) for scan in scans if scan.modality == name]) for name in MODALITIES}
    indexes = {name: _index([scan for scan in scans if scan.modality == name], name) for name in MODALITIES}
    forward = compiled_forward(build_backbone(BACKBONE, settings.size))

    def features(pictures: np.ndarray) -> np.ndarray:
        starts = range(0, len(pictures), BATCH)
        return np.concatenate([forward(scaled(pictures[start : start + BATCH])).numpy() for start in starts])

    marked = np.stack([other_source(picture, settings.marker) for picture in pixels[XRAY]])
    return PhantomFeatures(features(pixels[XRAY]), features(marked), features(pixels[CT]), indexes)


def _index(scans: list, modality: str) -> ModalityIndex:
    columns = ([getattr(scan, name) for scan in scans] for name in ("id", "split", "patient_id", "source"))
    ids, splits, patients, sources = map(np.array, columns)
    return ModalityIndex(modality, ids, np.array([scan.label == COVID for scan in scans], np.int8), splits, patients, sources)


def _selected(index: ModalityIndex, modality: str, rows: np.ndarray) -> ModalityIndex:
    columns = (index.ids, index.labels, index.splits, index.patients, index.sources)
    return ModalityIndex(modality, *(column[rows] for column in columns))


def _standardised(features: Mapping[str, np.ndarray], indexes: Mapping[str, ModalityIndex]) -> StudyScans:
    scale = StandardScaler().fit(np.concatenate([features[name][indexes[name].rows("train")] for name in MODALITIES]))
    return StudyScans({name: scale.transform(features[name]).astype(np.float32) for name in MODALITIES}, indexes)
