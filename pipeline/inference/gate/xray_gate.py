"""Whether a picture is a chest X-ray: nine simple checks that inform, and a learned distance that decides."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from pipeline.data.gate.embedding_distance import GateStatistics
from pipeline.data.gate.xray_checks import check_xray
from pipeline.data.preprocessing import Profile
from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.inference.bundle import (
    MANIFEST_FILE,
    MEND,
    Bundle,
    Manifest,
    Section,
    StoredFile,
    check_file_names,
    read_description,
    read_section,
    validated,
    verify_files,
)
from pipeline.inference.opened_bundle import network_image
from pipeline.inference.sessions import Device, Graph, open_graph, thread_count

SECTION, EMBEDDING_DISTANCE = "gate", "embedding_distance"


class GateSection(Section):
    """`gate` of a bundle's description. threshold: embedding distances up to it are accepted."""

    network: str
    statistics: str
    profile: Profile
    threshold: float = Field(gt=0, allow_inf_nan=False)
    accepted_on_validation: float | None = None
    method: str = ""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the gate says of one picture.

    valid: taken for a chest X-ray. failed: names of all checks that did not pass, whether or not they decide. message:
    why it is refused, or, where it is valid, what the failed checks say; "" where none failed. checks: {name: value} of
    the nine and of `embedding_distance`.
    """

    valid: bool
    failed: tuple[str, ...]
    message: str
    checks: dict[str, float]


class XrayGate:
    """A bundle's gate. Safe to use from several threads."""

    def __init__(self, graph: Graph, statistics: GateStatistics, profile: Profile, threshold: float) -> None:
        self._graph = graph
        self._statistics = statistics
        self._profile = profile
        self.threshold = threshold

    @classmethod
    def load(cls, folder: Path, described: GateSection, device: Device = "auto") -> XrayGate:
        """The gate that a bundle's section describes; its files lie in `folder`, compared with their hashes already.

        Raises MissingArtifactError (a file is gone), CorruptArtifactError (files that cannot be read or do not fit).
        """
        statistics = _read_statistics(folder / described.statistics)
        graph = open_graph(folder / described.network, device)
        size = described.profile.size
        graph.require({"image": (None, size, size, 1)}, {"features": (None, statistics.width)})
        return cls(graph, statistics, described.profile, described.threshold)

    @property
    def placement(self) -> dict[str, str | int | None]:
        """See `OpenedBundle.placement`."""
        return {"device": self._graph.device, "threads": thread_count()}

    def distance(self, gray: Array) -> float:
        """How far uint8 (H, W) lies from the training scans: about 1 for one like them."""
        (features,) = self._graph.run({"image": network_image(gray, self._profile)}, ("features",))
        return float(self._statistics.distance(features)[0])

    def judge(self, gray: Array, rgb: Array | None = None, strict: bool = False) -> GateVerdict:
        """Look at one picture.

        gray: uint8 (H, W). rgb: uint8 (H, W, 3) where the file holds colour, or None. strict: the nine checks decide too.
        """
        checks = check_xray(gray, rgb)
        distance = self.distance(gray)
        is_near = bool(distance <= self.threshold)
        unlike = [check for check in checks if not check.passed]
        messages = [] if is_near else [self._far(distance)]
        messages += [f"{check.message} ({check.name} {check.value:.4g}, {check.threshold})" for check in unlike]
        failed = [check.name for check in unlike] + ([] if is_near else [EMBEDDING_DISTANCE])
        values = {check.name: check.value for check in checks} | {EMBEDDING_DISTANCE: distance}
        return GateVerdict(is_near and not (strict and failed), tuple(failed), " ".join(messages), values)

    def _far(self, distance: float) -> str:
        return (
            "Image does not look like a chest X-ray: "
            f"its distance from the training scans is {distance:.2f}, at most {self.threshold:.2f} is accepted."
        )


def gate_of(bundle: Bundle[Manifest], device: Device = "auto") -> XrayGate | None:
    """The gate of a bundle that is read already; None where it has none. Raises as `load_gate`."""
    described = bundle.section(SECTION, GateSection)
    if described is None:
        return None
    _require_hashes(described, bundle.manifest.files, bundle.path / MANIFEST_FILE)
    return XrayGate.load(bundle.path, described, device)


def load_gate(bundle: Path, device: Device = "auto") -> XrayGate:
    """The gate of a bundle's folder; of its files only the gate's are read and compared with their hashes.

    Raises MissingArtifactError (no bundle, no gate in it, a file gone), StaleArtifactError, CorruptArtifactError.
    """
    document, source = read_description(bundle), bundle / MANIFEST_FILE
    described = read_section(document, SECTION, GateSection, source)
    if described is None:
        raise MissingArtifactError(f"{bundle} has no X-ray gate.", "Export it from a segmenter's run, or use the shipped one.")
    needed = (described.network, described.statistics)
    files = {
        name: validated(StoredFile, stored, source) for name, stored in document.get("files", {}).items() if name in needed
    }
    _require_hashes(described, files, source)
    verify_files(bundle, files)
    return XrayGate.load(bundle, described, device)


def _require_hashes(described: GateSection, files: Mapping[str, StoredFile], source: Path) -> None:
    try:
        check_file_names([described.network, described.statistics], files)
    except ValueError as cause:
        raise CorruptArtifactError(f"{source}: gate: {cause}.", MEND) from cause


def _read_statistics(path: Path) -> GateStatistics:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return GateStatistics.from_arrays(dict(stored), str(path))
    except FileNotFoundError as cause:
        raise MissingArtifactError(f"{path} is missing from the bundle.", MEND) from cause
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as cause:
        raise CorruptArtifactError(f"{path}: cannot be read as NumPy arrays ({cause}).", MEND) from cause
