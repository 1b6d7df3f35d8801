"""Scans in, answers out: preprocessing, backbones, extractors and heads of one bundle."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.scans import CT, PAIRED, XRAY
from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, DataError
from pipeline.engine.given_path import FileKey
from pipeline.inference.answers import TITLES, Answer, Finding
from pipeline.inference.bundle import load_bundle
from pipeline.inference.given_scan import GivenScan
from pipeline.inference.multitask.bundle import MultitaskBundle, MultitaskManifest
from pipeline.inference.opened_bundle import OpenedBundle, finding_of, network_image
from pipeline.inference.sessions import Device

if TYPE_CHECKING:
    from pipeline.inference.multitask.activation import ScanActivation

CACHED_SCANS = 4096
JOINT_FEATURES = "joint_features"


@dataclass(frozen=True, slots=True)
class EmbeddedScan:
    """One scan's class probabilities (K,), in the order of the bundle's classes, and its joint features (1, 1280) for the paired
    head."""

    probabilities: Array
    joint_features: Array


class Predictor(OpenedBundle[MultitaskManifest]):
    """Answers for scans, one at a time, so that a row's answer never depends on its neighbours.

    The findings of an answer are in the order xray, ct, paired, for what is given; paired where both are. A scan that cannot
    be used is named in its finding's `error`, and the other half is still answered. The last `cached_scans` files are
    remembered (about 5 KB each) until they are written to, so a scan that many pairs share is embedded once.
    """

    doors = (XRAY, CT)
    methods = ("gradcam",)

    def __init__(self, bundle: MultitaskBundle, device: Device = "auto", cached_scans: int = CACHED_SCANS) -> None:
        super().__init__(bundle, device)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="scan")
        self._remembered: OrderedDict[tuple[str, FileKey], EmbeddedScan | str] = OrderedDict()
        self._cached_scans = cached_scans
        self._lock = Lock()

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(name for name in (XRAY, CT) if name in self.manifest.modalities)

    def prepare(self, xray: bool = True, ct: bool = True) -> None:
        """Start opening what these modalities need, and return at once."""
        self._sessions.prepare(self.manifest.graphs([name for name, is_needed in ((XRAY, xray), (CT, ct)) if is_needed]))

    def _prepare(self, names: tuple[str, ...]) -> None:
        self.prepare(XRAY in names, CT in names)

    def _answer(self, given: Mapping[str, Any], methods: tuple[str, ...]) -> Answer:
        embedded = dict(zip(given, self._pool.map(self._embed_or_error, given, given.values()), strict=True))
        probabilities = {name: scan if isinstance(scan, str) else scan.probabilities for name, scan in embedded.items()}
        if len(embedded) == 2 and self.manifest.paired is not None:
            probabilities[PAIRED] = self._paired(self.manifest.paired.network, embedded)
        findings = [self._finding(name, result) for name, result in probabilities.items()]
        return Answer(tuple(self._drawn(finding, given, methods) for finding in findings))

    def embed(self, scan: GivenScan, modality: str) -> EmbeddedScan:
        """One scan through its backbones and its network. Raises DataError: unreadable, no such modality here."""
        network = self.manifest.modalities.get(modality)
        if network is None:
            raise DataError(f"This bundle has no network for {TITLES.get(modality, modality)}.")
        gray = scan.gray
        features: dict[tuple[str, str], Array] = {}
        feeds = {}
        for role in ("task", "shared"):
            embedder = getattr(network.embedders, role)
            key = (embedder.backbone, embedder.profile)
            if key not in features:
                features[key] = self._features(gray, *key)
            feeds[f"{role}_features"] = features[key]
        probabilities, joint = self._sessions.run(network.network, feeds, (self.manifest.probability_output, JOINT_FEATURES))
        return EmbeddedScan(self._shares(probabilities), joint)

    def _features(self, gray: Array, backbone: str, profile: str) -> Array:
        image = network_image(gray, self.manifest.profiles[profile])
        return self._sessions.run(self.manifest.backbones[backbone].file, {"image": image}, ("features",))[0]

    def _embed_or_error(self, modality: str, scan: GivenScan) -> EmbeddedScan | str:
        if scan.fault is not None:
            return scan.fault.message
        key = (modality, scan.key) if scan.key is not None else None
        with self._lock:
            if key is not None and key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        try:
            result: EmbeddedScan | str = self.embed(scan, modality)
        except DataError as error:
            result = error.message
        if key is not None:
            with self._lock:
                self._remembered[key] = result
                while len(self._remembered) > self._cached_scans:
                    self._remembered.popitem(last=False)
        return result

    def _paired(self, network: str, embedded: Mapping[str, EmbeddedScan | str]) -> Array | str:
        failed = [TITLES[name] for name, scan in embedded.items() if isinstance(scan, str)]
        if failed:
            return f"no answer for {' and '.join(failed)}"
        feeds = {f"{name}_features": scan.joint_features for name, scan in embedded.items() if isinstance(scan, EmbeddedScan)}
        try:
            return self._shares(self._sessions.run(network, feeds, (self.manifest.probability_output,))[0])
        except DataError as error:
            return error.message

    def _finding(self, modality: str, result: Array | str) -> Finding:
        return Finding(modality, error=result) if isinstance(result, str) else finding_of(self.manifest, modality, result)

    def _shares(self, output: Array) -> Array:
        """(K,) float64 of what a network gives for one scan: (1, 1) of the positive class of two, or (1, K).

        Raises DataError where these are no probabilities, CorruptArtifactError where there are not as many as classes.
        """
        told, names = np.asarray(output[0], np.float64), self.manifest.class_names
        if not ((told >= 0) & (told <= 1)).all():
            raise DataError(f"The network answered {', '.join(map(str, told))}: no probability.")
        if told.size == 1 and len(names) == 2:
            return np.where([name == self.manifest.positive_class for name in names], told, 1 - told)
        if told.size != len(names):
            said = f"{self.path}: a network tells {told.size} classes apart, bundle.json names {', '.join(names)}."
            raise CorruptArtifactError(said, "Export it again.")
        return told

    def _drawn(self, finding: Finding, given: Mapping[str, GivenScan], methods: tuple[str, ...]) -> Finding:
        """With Grad-CAM of the class that was named; the pair has none of its own."""
        if finding.modality not in given or finding.predicted is None or not methods:
            return finding
        heat = self._shown.activation(given[finding.modality].gray, finding.modality, finding.predicted)
        return replace(finding, activations=dict.fromkeys(methods, heat))

    @cached_property
    def _shown(self) -> ScanActivation:
        from pipeline.inference.multitask.activation import ScanActivation

        return ScanActivation(self.bundle, device=self._device)


def open_predictor(path: Path, device: Device = "auto") -> Predictor:
    """See `pipeline.inference.bundle.open_bundle`."""
    return Predictor(load_bundle(path, MultitaskManifest), device)
