"""Embeddings with a planted modality and a planted lesion: what the studies of alignment are asked of without any picture."""

from __future__ import annotations

import numpy as np

from pipeline.data.scan_index import ModalityIndex
from pipeline.data.scans import MODALITIES
from pipeline.training.alignment_study.phantom_scans import StudyScans

WIDTH, TOLD = 1280, 24


def made_scans(scans: int = 200, modality: float = 3.0, lesion: float = 1.6, seed: int = 0) -> StudyScans:
    """As many scans of each modality, one a patient: a shift by modality and, in another direction, one by lesion.

    A few directions hold what varies, as in features of a real backbone; the rest is little noise.
    """
    draw = np.random.default_rng(seed)
    mixing = np.linalg.qr(draw.normal(size=(WIDTH, TOLD)))[0].T * np.sqrt(WIDTH / TOLD)
    embeddings, indexes = {}, {}
    for number, name in enumerate(MODALITIES):
        labels = np.tile([0, 1], scans // 2).astype(np.int8)
        inner = draw.normal(size=(scans, TOLD))
        inner[:, 0] += modality * (number - 0.5)
        inner[:, 1] += lesion * (labels - 0.5)
        embeddings[name] = (inner @ mixing + 0.1 * draw.normal(size=(scans, WIDTH))).astype(np.float32)
        splits = np.repeat(["train", "valid", "test"], [scans // 2, scans // 4, scans - scans // 2 - scans // 4])
        ids = np.array([f"{name}{row}" for row in range(scans)])
        indexes[name] = ModalityIndex(name, ids, labels, splits, ids, np.full(scans, ""))
    return StudyScans(embeddings, indexes)
