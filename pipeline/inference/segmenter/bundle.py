"""A bundle of the multi-head UNet: read, checked, and its ONNX file compared with what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.data.masks.lung_components import LungPieces
from pipeline.data.preprocessing import Profile
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.engine.files import sha256_file
from pipeline.inference.bundle import (
    MANIFEST_FILE,
    MEND,
    SINGLE_GRAPH,
    Bundle,
    Entry,
    Manifest,
    load_bundle,
    system_of_bundle,
    validated,
)
from pipeline.inference.trust.scored_part import ScoredPart, part_of, scored_part

Layout = Literal["NHWC", "NCHW"]
SEGMENTATION, CLASSIFICATION = "segmentation", "classification"
OUTPUTS = (SEGMENTATION, CLASSIFICATION)
NORMALIZATION = "gray / 255, repeated to 3 channels"
META_SUFFIX = ".meta.json"
META_MEND = "It tells class names, image size and layout: export the network with this program, or write it by hand."
LUNG_THRESHOLD = 0.5


class NetworkMeta(Entry):
    """`<file>.onnx.meta.json`: what must be known to feed the graph and to read its answers.

    layout: order of the axes at both image-shaped doors. classification gives logits, segmentation probabilities.
    profile: how a scan becomes the graph's image; a plain resize to `img_size` where it is not said.
    threshold, lung_pieces, mirror_average: as in `SegmenterManifest`.
    """

    class_names: tuple[str, ...] = Field(min_length=2)
    img_size: int = Field(ge=16, le=2048)
    normalization: Literal["gray / 255, repeated to 3 channels"]
    outputs: tuple[Literal["segmentation"], Literal["classification"]]
    opset: int
    dynamic_batch: bool
    layout: Layout = "NHWC"
    profile: Profile | None = None
    threshold: float = Field(default=LUNG_THRESHOLD, ge=0, le=1)
    lung_pieces: LungPieces = "all"
    mirror_average: bool = False


class NetworkFile(Entry):
    """The graph."""

    file: str
    layout: Layout = "NHWC"
    opset: int = 17


class KerasFiles(Entry):
    """The same network for Keras."""

    weights: str
    architecture: str


class SegmenterManifest(Manifest):
    """`bundle.json` of a segmenter, as far as segmenting needs it.

    threshold: a pixel counts as lung from this probability on; the most probable class is named. lung_pieces: which pieces
    of that region are kept. mirror_average: the answer is the mean over the image and its mirror image.
    """

    image_size: int = Field(ge=16, le=2048)
    profile: Profile
    threshold: float = Field(ge=0, le=1)
    lung_pieces: LungPieces = "all"
    mirror_average: bool = False
    network: NetworkFile
    keras: KerasFiles | None = None

    def check_parts(self) -> None:
        if self.profile.size != self.image_size:
            raise ValueError(f"image_size is {self.image_size}, the profile's size {self.profile.size}")

    def needed_files(self) -> list[str]:
        return [self.network.file, *([self.keras.weights, self.keras.architecture] if self.keras else [])]

    def scored_parts(self) -> tuple[ScoredPart, ...]:
        if self.figures.get("split") != "test":
            return ()
        metrics = {**part_of(self.figures, "classification"), **part_of(self.figures, "segmentation")}
        return (scored_part(self.profile.modality, metrics, self.figures.get("scans"), self.figures.get("patients")),)

    @property
    def class_threshold(self) -> None:
        return None


SegmenterBundle = Bundle[SegmenterManifest]


def network_path(bundle: SegmenterBundle) -> Path:
    """The graph's file."""
    return bundle.path / bundle.manifest.network.file


def load_segmenter_bundle(path: Path) -> SegmenterBundle:
    """Read a bundle's folder, or a single `.onnx` file with its `.onnx.meta.json` beside it.

    A single file has no hash to be compared with and no gate.

    Raises MissingArtifactError (no bundle, a file gone, no metadata), StaleArtifactError (another schema version),
    CorruptArtifactError (a file that was changed, a description that does not fit itself or its graph's metadata).
    """
    if path.suffix == SINGLE_GRAPH and path.is_file():
        return _single_file(path)
    bundle = load_bundle(path, SegmenterManifest)
    _compare_with_metadata(bundle, read_network_meta(network_path(bundle)))
    return bundle


def read_network_meta(network: Path) -> NetworkMeta:
    """The metadata beside an ONNX file.

    Raises MissingArtifactError where there is none, CorruptArtifactError where it cannot be read or lacks an entry.
    """
    source = network.with_name(network.name + META_SUFFIX)
    if not source.is_file():
        raise MissingArtifactError(f"{network} has no metadata: {source.name} is not beside it.", META_MEND)
    try:
        document = json.loads(source.read_bytes())
    except (ValueError, OSError) as cause:
        raise CorruptArtifactError(f"{source}: cannot be read as JSON ({cause}).", META_MEND) from cause
    return validated(NetworkMeta, document, source, mend=META_MEND)


def _single_file(network: Path) -> SegmenterBundle:
    meta = read_network_meta(network)
    document: dict[str, Any] = {
        "system": system_of_bundle(network).name,
        "class_names": meta.class_names,
        "image_size": meta.img_size,
        "profile": meta.profile or Profile(modality="xray", size=meta.img_size),
        "threshold": meta.threshold,
        "lung_pieces": meta.lung_pieces,
        "mirror_average": meta.mirror_average,
        "network": NetworkFile(file=network.name, layout=meta.layout, opset=meta.opset),
        "files": {network.name: {"sha256": sha256_file(network), "bytes": network.stat().st_size}},
    }
    return Bundle(network.parent, validated(SegmenterManifest, document, network), document)


def _compare_with_metadata(bundle: SegmenterBundle, meta: NetworkMeta) -> None:
    """The two descriptions travel together: one edited by hand must not swap the classes."""
    manifest = bundle.manifest
    pairs: dict[str, tuple[object, object]] = {
        "class_names": (meta.class_names, manifest.class_names),
        "img_size": (meta.img_size, manifest.image_size),
        "layout": (meta.layout, manifest.network.layout),
    }
    said_twice = meta.model_fields_set & {"profile", "threshold", "lung_pieces", "mirror_average"}
    pairs |= {name: (getattr(meta, name), getattr(manifest, name)) for name in sorted(said_twice)}
    for name, (beside, described) in pairs.items():
        if beside != described:
            raise CorruptArtifactError(
                f"{network_path(bundle)}: {name} is {beside} in its metadata, {described} in {MANIFEST_FILE}.", MEND
            )
