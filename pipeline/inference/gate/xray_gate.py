"""Whether a picture is a chest X-ray: nine simple checks that inform, and a learned distance that decides."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from pipeline.data.gate.embedding_distance import GateStatistics
from pipeline.data.gate.xray_checks import check_xray
from pipeline.data.preprocessing import Profile, preprocess
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.inference.bundle_files import (
    MANIFEST_FILE,
    MEND,
    SEGMENTER,
    Entry,
    StoredFile,
    check_file_names,
    read_description,
    require_system,
    validated,
    verify_files,
)

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

EMBEDDING_DISTANCE = "embedding_distance"
_ERRORS_ONLY = 3


class GateEntry(Entry):
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

    def __init__(self, session: InferenceSession, statistics: GateStatistics, profile: Profile, threshold: float) -> None:
        self._session = session
        self._statistics = statistics
        self._profile = profile
        self.threshold = threshold

    @classmethod
    def load(cls, folder: Path, entry: Mapping[str, Any]) -> XrayGate:
        """The gate that `entry` (a bundle's `gate`) describes; its files lie in `folder`, compared with their hashes already.

        Raises MissingArtifactError (a file is gone), CorruptArtifactError (files that cannot be read or do not fit).
        """
        described = validated(GateEntry, entry, folder / MANIFEST_FILE)
        statistics = _read_statistics(folder / described.statistics)
        session = _open(folder / described.network)
        _check_doors(session, folder / described.network, described.profile.size, statistics.width)
        return cls(session, statistics, described.profile, described.threshold)

    def distance(self, gray: np.ndarray) -> float:
        """How far uint8 (H, W) lies from the training scans: about 1 for one like them."""
        pixels = preprocess(gray, self._profile)
        image = (pixels.astype(np.float32) / np.float32(255))[None, ..., None]
        (features,) = self._session.run(["features"], {"image": image})
        return float(self._statistics.distance(features)[0])

    def judge(self, gray: np.ndarray, rgb: np.ndarray | None = None, strict: bool = False) -> GateVerdict:
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


def load_gate(bundle: Path) -> XrayGate:
    """The gate of a segmenter's bundle; of the bundle's files only the gate's are read and compared with their hashes.

    Raises MissingArtifactError (no bundle, no gate in it, a file gone), UsageError (a bundle of another system),
    StaleArtifactError, CorruptArtifactError.
    """
    document = read_description(bundle)
    require_system(bundle, document, SEGMENTER)
    if not document.get("gate"):
        raise MissingArtifactError(f"{bundle} has no X-ray gate.", "Export it from a run, or use pretrained/radiography_unet.")
    source = bundle / MANIFEST_FILE
    described = validated(GateEntry, document["gate"], source)
    needed = (described.network, described.statistics)
    files = {
        name: validated(StoredFile, stored, source) for name, stored in document.get("files", {}).items() if name in needed
    }
    try:
        check_file_names(needed, files)
    except ValueError as cause:
        raise CorruptArtifactError(f"{source}: gate: {cause}.", MEND) from cause
    verify_files(bundle, files)
    return XrayGate.load(bundle, document["gate"])


def _read_statistics(path: Path) -> GateStatistics:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return GateStatistics.from_arrays(dict(stored), str(path))
    except FileNotFoundError as cause:
        raise MissingArtifactError(f"{path} is missing from the bundle.", MEND) from cause
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as cause:
        raise CorruptArtifactError(f"{path}: cannot be read as NumPy arrays ({cause}).", MEND) from cause


def _open(path: Path) -> InferenceSession:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    if not path.is_file():
        raise MissingArtifactError(f"{path} is missing from the bundle.", MEND)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (states.InvalidProtobuf, states.InvalidGraph, states.Fail, states.NotImplemented, states.RuntimeException) as cause:
        reason = str(cause).splitlines()[0]
        raise CorruptArtifactError(f"{path}: onnxruntime refuses the graph ({reason}).", MEND) from cause


def _check_doors(session: InferenceSession, path: Path, size: int, width: int) -> None:
    inputs = {door.name: list(door.shape[1:]) for door in session.get_inputs()}
    outputs = {door.name: list(door.shape[1:]) for door in session.get_outputs()}
    if inputs != {"image": [size, size, 1]} or outputs != {"features": [width]}:
        raise CorruptArtifactError(
            f"{path}: the graph takes {inputs} and makes {outputs}; needed are image {[size, size, 1]} and features {[width]}.",
            MEND,
        )
