"""What a picture is: a chest X-ray, a CT slice of the chest, or neither. The DICOM header is asked too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.gate.kinds import KIND_WORDS, NEITHER, nearest_kind
from pipeline.data.gate.xray_checks import check_xray
from pipeline.data.reading.assumptions import ScanHeader
from pipeline.data.scans import MODALITIES
from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.engine.files import sha256_file
from pipeline.engine.shipped_files import shipped
from pipeline.inference.bundle import (
    MANIFEST_FILE,
    MEND,
    Bundle,
    Manifest,
    StoredFile,
    check_file_names,
    read_description,
    read_section,
    validated,
    verify_files,
)
from pipeline.inference.gate.description import GATE, SECTION, GateManifest, GateSection, KindEntry
from pipeline.inference.gate.measures import FeatureNetwork, Measure, Seen, read_statistics
from pipeline.inference.sessions import Device, thread_count

SHIPPED = shipped("pretrained/gate")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says of one picture.

    kind: "xray", "ct" or "neither". distances: {kind: from the scans of that kind}; thresholds: up to which it is one. message:
    what it looks like, in words. checks: {name: value} of the nine simple ones, where they were made, and failed: those that
    did not pass, with complaints: what they say.
    """

    kind: str
    distances: Mapping[str, float]
    thresholds: Mapping[str, float]
    message: str
    checks: Mapping[str, float] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    complaints: str = ""


class Gate:
    """Tells kinds of pictures apart by the distance from each. Safe to use from several threads."""

    def __init__(self, measures: Mapping[str, Measure], widening: Mapping[str, Measure] | None = None) -> None:
        """measures: by kind. widening: what is within one of these is of that kind, too."""
        self.measures, self.widening = dict(measures), dict(widening or {})

    @property
    def placement(self) -> dict[str, str | int | None]:
        """See `OpenedBundle.placement`."""
        (device, *_) = {measure.network.graph.device for measure in self.measures.values()}
        return {"device": device, "threads": thread_count()}

    @property
    def thresholds(self) -> dict[str, float]:
        return {kind: measure.threshold for kind, measure in self.measures.items()}

    def judge(
        self, gray: Array, colour: Array | None = None, header: ScanHeader | None = None, *, with_checks: bool = False,
        seen: Seen | None = None,
    ) -> Verdict:  # fmt: skip
        """Look at one picture.

        gray: uint8 (H, W). colour: uint8 (H, W, 3) where the file holds any, for the checks alone. header: what the file says
        of itself: a picture that contradicts it is neither. with_checks: make the nine simple ones too. seen: the features
        that were made are left there.
        """
        seen = {} if seen is None else seen
        distances, thresholds = {}, self.thresholds
        for kind, measure in self.measures.items():
            distances[kind] = measure.distance(gray, seen)
            if kind in self.widening and distances[kind] > thresholds[kind]:
                distances[kind], thresholds[kind] = self.widening[kind].distance(gray, seen), self.widening[kind].threshold
        looks_like = nearest_kind(distances, thresholds)
        told = header.modality if header is not None else None
        contradicts = told is not None and looks_like not in (told, NEITHER)
        checks = check_xray(gray, colour) if with_checks else []
        unlike = [check for check in checks if not check.passed]
        return Verdict(
            NEITHER if contradicts else looks_like, distances, thresholds, _words(looks_like, distances, thresholds, told),
            {check.name: check.value for check in checks}, tuple(check.name for check in unlike),
            " ".join(f"{check.message} ({check.name} {check.value:.4g}, {check.threshold})" for check in unlike),
        )  # fmt: skip

    def widened(self, own: Mapping[str, Measure]) -> Gate:
        """The gate that also takes for a kind what another measure accepts."""
        return Gate(self.measures, own)


def _words(kind: str, distances: Mapping[str, float], thresholds: Mapping[str, float], told: str | None) -> str:
    if kind != NEITHER:
        says = f", its header speaks of {KIND_WORDS[told]}" if told not in (None, kind) else ""
        return f"looks like {KIND_WORDS[kind]}{says}"
    far = ", ".join(f"{distances[kind]:.2f} of at most {limit:.2f}" for kind, limit in thresholds.items())
    kinds = " nor ".join(KIND_WORDS[kind] for kind in distances)
    return f"looks like {'neither ' if len(distances) > 1 else 'something other than '}{kinds} (distance {far})"


def open_gate(path: Path | None = None, device: Device = "auto") -> Gate:
    """The gate in a bundle's folder, be it a bundle of its own or a section; the shipped one where none is named.

    Of the folder's files only the gate's are read and compared with their hashes.

    Raises MissingArtifactError (no bundle, no gate in it, a file gone), StaleArtifactError, CorruptArtifactError.
    """
    path = path or SHIPPED
    document, source = read_description(path), path / MANIFEST_FILE
    if document.get("system") == GATE:
        manifest = validated(GateManifest, document, source)
        verify_files(path, manifest.files)
        return Gate(_measures(path, FeatureNetwork(path / manifest.network, device), manifest.kinds))
    described = read_section(document, SECTION, GateSection, source)
    if described is None:
        raise MissingArtifactError(f"{path} has no gate.", "Export it from a run, or use the shipped one.")
    needed = described.needed_files()
    files = {name: validated(StoredFile, entry, source) for name, entry in document.get("files", {}).items() if name in needed}
    _require_hashes(described, files, source)
    verify_files(path, files)
    gate = Gate(_measures(path, _network_of(path, described, device), described.kinds))
    for measure in gate.measures.values():
        measure.network.require(measure.profile.size if described.network else None, measure.statistics.width)
    return gate


def shipped_gate_hash() -> str | None:
    """The SHA-256 that the shipped gate gives of its network; None where there is no shipped gate."""
    if not (SHIPPED / MANIFEST_FILE).is_file():
        return None
    manifest = validated(GateManifest, read_description(SHIPPED), SHIPPED / MANIFEST_FILE)
    return manifest.files[manifest.network].sha256


def own_measures(bundle: Bundle[Manifest], device: Device, shared: FeatureNetwork | None) -> tuple[dict[str, Measure], list[str]]:
    """The measures of the scans that a bundle learnt from, and the kinds among them that widen the shipped gate.

    shared: the shipped gate's network, where it is open already. Both are empty where the bundle has none, or one fitted on
    features of another network than the shipped one. Raises as `open_gate`.
    """
    described = bundle.section(SECTION, GateSection)
    if described is None or (described.network is None and described.network_sha256 != shipped_gate_hash()):
        return {}, []
    _require_hashes(described, bundle.manifest.files, bundle.path / MANIFEST_FILE)
    network = _network_of(bundle.path, described, device, shared)
    widening = [kind for kind, entry in described.kinds.items() if entry.widens]
    return _measures(bundle.path, network, described.kinds), widening


def _network_of(path: Path, described: GateSection, device: Device, shared: FeatureNetwork | None = None) -> FeatureNetwork:
    if described.network is not None:
        return FeatureNetwork(path / described.network, device)
    if shared is not None:
        return shared
    file = SHIPPED / validated(GateManifest, read_description(SHIPPED), SHIPPED / MANIFEST_FILE).network
    if sha256_file(file) != described.network_sha256:
        raise CorruptArtifactError(f"{path}: its gate was fitted on another network than {file}.", MEND)
    return FeatureNetwork(file, device)


def _measures(path: Path, network: FeatureNetwork, kinds: Mapping[str, KindEntry]) -> dict[str, Measure]:
    return {
        kind: Measure(network, kinds[kind].profile, read_statistics(path / kinds[kind].statistics), kinds[kind].threshold)
        for kind in MODALITIES if kind in kinds
    }  # fmt: skip


def _require_hashes(described: GateSection, files: Mapping[str, StoredFile], source: Path) -> None:
    try:
        check_file_names(described.needed_files(), files)
    except ValueError as cause:
        raise CorruptArtifactError(f"{source}: gate: {cause}.", MEND) from cause
