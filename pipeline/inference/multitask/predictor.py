"""Scans in, answers out: preprocessing, backbones, extractors and heads of one bundle."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from pipeline.data.preprocessing import preprocess
from pipeline.data.reading.gray_reader import read_gray
from pipeline.engine.errors import DataError, UsageError
from pipeline.inference.answers import CT, PAIRED, TITLES, XRAY, Answer
from pipeline.inference.multitask.bundle import Bundle
from pipeline.inference.sessions import Sessions

CACHED_SCANS = 4096
OUTPUTS = ("covid_probs", "joint_features")

Source = Path | np.ndarray


@dataclass(frozen=True, slots=True)
class EmbeddedScan:
    """One scan's probability of the positive class, and its joint features (1, 1280) for the paired head."""

    probability: float
    joint_features: np.ndarray


class Predictor:
    """Answers for scans, one at a time, so that a row's answer never depends on its neighbours.

    A scan is a path, or uint8 (H, W) as `read_gray` gives it. The last `cached_scans` paths are remembered (about
    5 KB each), so a scan that many pairs share is embedded once.
    """

    def __init__(self, bundle: Bundle, cached_scans: int = CACHED_SCANS) -> None:
        self.bundle = bundle
        self._sessions = Sessions(bundle)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="scan")
        self._remembered: OrderedDict[tuple[str, Path], EmbeddedScan | str] = OrderedDict()
        self._cached_scans = cached_scans
        self._lock = Lock()

    def prepare(self, xray: bool = True, ct: bool = True) -> None:
        """Start opening what these modalities need, and return at once."""
        self._sessions.prepare(self.bundle.manifest.graphs([name for name, is_needed in ((XRAY, xray), (CT, ct)) if is_needed]))

    def answer(self, xray: Source | None = None, ct: Source | None = None) -> list[Answer]:
        """Answers in the order xray, ct, paired, for what is given; paired where both are.

        A scan that cannot be used is named in its answer's `error`, and the other half is still answered.
        Raises UsageError where neither is given, CorruptArtifactError for a graph that does not fit.
        """
        given = {name: source for name, source in ((XRAY, xray), (CT, ct)) if source is not None}
        if not given:
            raise UsageError("Neither an X-ray nor a CT was given.", "Give one or both.")
        self.prepare(XRAY in given, CT in given)
        embedded = dict(zip(given, self._pool.map(self._embed_or_error, given, given.values()), strict=True))
        probabilities = {name: scan if isinstance(scan, str) else scan.probability for name, scan in embedded.items()}
        if len(embedded) == 2 and self.bundle.manifest.paired is not None:
            probabilities[PAIRED] = self._paired(embedded)
        return [self._answer(name, result) for name, result in probabilities.items()]

    def embed(self, source: Source, modality: str) -> EmbeddedScan:
        """One scan through its backbones and its network. Raises DataError: unreadable, no such modality here."""
        network = self.bundle.manifest.modalities.get(modality)
        if network is None:
            raise DataError(f"This bundle has no network for {TITLES.get(modality, modality)}.")
        gray = read_gray(source) if isinstance(source, Path) else source
        features: dict[tuple[str, str], np.ndarray] = {}
        feeds = {}
        for role in ("task", "shared"):
            embedder = getattr(network.embedders, role)
            key = (embedder.backbone, embedder.profile)
            if key not in features:
                features[key] = self._features(gray, *key)
            feeds[f"{role}_features"] = features[key]
        probabilities, joint = self._sessions.run(network.network, feeds, OUTPUTS)
        return EmbeddedScan(_probability(probabilities), joint)

    def _features(self, gray: np.ndarray, backbone: str, profile: str) -> np.ndarray:
        manifest = self.bundle.manifest
        pixels = preprocess(gray, manifest.profiles[profile])
        image = (pixels.astype(np.float32) / np.float32(255))[None, ..., None]
        return self._sessions.run(manifest.backbones[backbone].file, {"image": image}, ("features",))[0]

    def _embed_or_error(self, modality: str, source: Source) -> EmbeddedScan | str:
        key = (modality, source) if isinstance(source, Path) else None
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        try:
            result: EmbeddedScan | str = self.embed(source, modality)
        except DataError as error:
            result = error.message
        if key is not None:
            with self._lock:
                self._remembered[key] = result
                while len(self._remembered) > self._cached_scans:
                    self._remembered.popitem(last=False)
        return result

    def _paired(self, embedded: dict[str, EmbeddedScan | str]) -> float | str:
        failed = [TITLES[name] for name, scan in embedded.items() if isinstance(scan, str)]
        if failed:
            return f"no answer for {' and '.join(failed)}"
        feeds = {f"{name}_features": scan.joint_features for name, scan in embedded.items()}
        try:
            return _probability(self._sessions.run(self.bundle.manifest.paired.network, feeds, OUTPUTS[:1])[0])
        except DataError as error:
            return error.message

    def _answer(self, modality: str, result: float | str) -> Answer:
        if isinstance(result, str):
            return Answer(modality, error=result)
        return Answer(modality, result, self.bundle.predicted(result))


def _probability(output: np.ndarray) -> float:
    value = float(output[0, 0])
    if not 0 <= value <= 1:
        raise DataError(f"The network answered {value}, not a probability.")
    return value
