"""A bundle of the multi-head UNet: read, checked, and its ONNX file compared with what is said of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from pipeline.data.masks.lung_components import LungPieces
from pipeline.data.preprocessing import Profile
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.engine.files import sha256_file
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

Layout = Literal["NHWC", "NCHW"]
SEGMENTATION, CLASSIFICATION = "segmentation", "classification"
OUTPUTS = (SEGMENTATION, CLASSIFICATION)
NORMALIZATION = "gray / 255, repeated to 3 channels"
META_SUFFIX = ".meta.json"
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


class SegmenterManifest(Entry):
    """`bundle.json` of a segmenter, as far as segmenting needs it.

    threshold: a pixel counts as lung from this probability on. lung_pieces: which pieces of that region are kept.
    mirror_average: the answer is the mean over the image and its mirror image.
    gate: what the X-ray gate keeps of itself, or None.
    """

    class_names: tuple[str, ...] = Field(min_length=2)
    positive_class: str | None = None
    image_size: int = Field(ge=16, le=2048)
    profile: Profile
    threshold: float = Field(ge=0, le=1)
    lung_pieces: LungPieces = "all"
    mirror_average: bool = False
    network: NetworkFile
    keras: KerasFiles | None = None
    gate: dict[str, Any] | None = None
    figures: dict[str, Any] = {}
    files: dict[str, StoredFile]

    @model_validator(mode="after")
    def _fits_together(self) -> SegmenterManifest:
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("a class name stands twice in class_names")
        if self.positive_class is not None and self.positive_class not in self.class_names:
            raise ValueError(f"positive_class {self.positive_class!r} is not among class_names")
        if self.profile.size != self.image_size:
            raise ValueError(f"image_size is {self.image_size}, the profile's size {self.profile.size}")
        keras = [self.keras.weights, self.keras.architecture] if self.keras else []
        check_file_names([self.network.file, *keras], self.files)
        return self


@dataclass(frozen=True)
class SegmenterBundle:
    """A segmenter whose files are what its description says. `path`: the folder that file names start from."""

    path: Path
    manifest: SegmenterManifest

    @property
    def network_path(self) -> Path:
        return self.path / self.manifest.network.file


def load_segmenter_bundle(path: Path) -> SegmenterBundle:
    """Read a bundle's folder, or a single `.onnx` file with its `.onnx.meta.json` beside it.

    A single file has no hash to be compared with and no gate.

    Raises MissingArtifactError (no bundle, a file gone, no metadata), StaleArtifactError (another schema version),
    UsageError (a bundle of another system), CorruptArtifactError (a file that was changed, a description that does not
    fit itself or its graph's metadata).
    """
    if path.suffix == ".onnx" and path.is_file():
        return _single_file(path)
    document = read_description(path)
    require_system(path, document, SEGMENTER)
    manifest = validated(SegmenterManifest, document, path / MANIFEST_FILE)
    verify_files(path, manifest.files)
    bundle = SegmenterBundle(path, manifest)
    _compare_with_metadata(bundle, read_network_meta(bundle.network_path))
    return bundle


def read_network_meta(network: Path) -> NetworkMeta:
    """The metadata beside an ONNX file.

    Raises MissingArtifactError where there is none, CorruptArtifactError where it cannot be read or lacks an entry.
    """
    source = network.with_name(network.name + META_SUFFIX)
    remedy = "It tells class names, image size and layout: export the network with this program, or write it by hand."
    if not source.is_file():
        raise MissingArtifactError(f"{network} has no metadata: {source.name} is not beside it.", remedy)
    try:
        return NetworkMeta.model_validate(json.loads(source.read_bytes()))
    except ValidationError as cause:
        fault = cause.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise CorruptArtifactError(f"{source}: {place}: {fault['msg']}.", remedy) from cause
    except (ValueError, OSError) as cause:
        raise CorruptArtifactError(f"{source}: cannot be read as JSON ({cause}).", remedy) from cause


def _single_file(network: Path) -> SegmenterBundle:
    meta = read_network_meta(network)
    document = {
        "class_names": meta.class_names,
        "image_size": meta.img_size,
        "profile": meta.profile or Profile(modality="xray", size=meta.img_size),
        "threshold": meta.threshold,
        "lung_pieces": meta.lung_pieces,
        "mirror_average": meta.mirror_average,
        "network": NetworkFile(file=network.name, layout=meta.layout, opset=meta.opset),
        "files": {network.name: StoredFile(sha256=sha256_file(network), bytes=network.stat().st_size)},
    }
    return SegmenterBundle(network.parent, validated(SegmenterManifest, document, network))


def _compare_with_metadata(bundle: SegmenterBundle, meta: NetworkMeta) -> None:
    """The two descriptions travel together: one edited by hand must not swap the classes."""
    manifest = bundle.manifest
    pairs = {
        "class_names": (meta.class_names, manifest.class_names),
        "img_size": (meta.img_size, manifest.image_size),
        "layout": (meta.layout, manifest.network.layout),
    }
    said_twice = meta.model_fields_set & {"profile", "threshold", "lung_pieces", "mirror_average"}
    pairs |= {name: (getattr(meta, name), getattr(manifest, name)) for name in sorted(said_twice)}
    for name, (beside, described) in pairs.items():
        if beside != described:
            raise CorruptArtifactError(
                f"{bundle.network_path}: {name} is {beside} in its metadata, {described} in {MANIFEST_FILE}.", MEND
            )
