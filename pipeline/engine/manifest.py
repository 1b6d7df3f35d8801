"""The manifest of a committed stage: what made its artifacts, and what they are."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.engine.arrays import read_layout
from pipeline.engine.contract import MANIFEST_NAME, Artifact
from pipeline.engine.errors import CorruptArtifactError
from pipeline.engine.files import sha256_file, write_json

SCHEMA_VERSION = 1
RECORDED_PACKAGES = {
    "numpy": "numpy", "pandas": "pandas", "scipy": "scipy", "sklearn": "scikit-learn",
    "cv2": "opencv-python-headless", "tensorflow": "tensorflow", "keras": "keras", "keras_cv": "keras-cv",
    "statsmodels": "statsmodels", "onnx": "onnx", "tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime-gpu",
    "matplotlib": "matplotlib", "pydicom": "pydicom",
}  # fmt: skip


@dataclass(frozen=True)
class Output:
    """A committed artifact: files (path inside the stage's folder → SHA-256) and what they hold."""

    file: str
    sha256: str
    size: int
    files: dict[str, str]
    shape: list[int] | None = None
    dtype: str | None = None
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Manifest:
    """Everything recorded of one committed stage. `inputs` maps artifact names to their SHA-256."""

    stage: str
    config: dict[str, Any]
    seed: int
    code: str
    modules: dict[str, str]
    inputs: dict[str, str]
    external: str
    external_count: int
    outputs: dict[str, Output]
    duration_s: float
    warnings: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    accepted: list[dict[str, str]] = field(default_factory=list)
    finished_at: str = ""
    schema_version: int = SCHEMA_VERSION

    def write(self, folder: Path) -> None:
        write_json(folder / MANIFEST_NAME, asdict(self))

    def accepting(self, code: str, modules: Mapping[str, str], entry: dict[str, str]) -> Manifest:
        """Return the manifest re-stamped with another code hash; `entry` says why."""
        return replace(self, code=code, modules=dict(modules), accepted=[*self.accepted, entry])


def read_manifest(folder: Path) -> Manifest | None:
    """Read a stage folder's manifest; None where there is none. Raises CorruptArtifactError."""
    path = folder / MANIFEST_NAME
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        outputs = {name: Output(**output) for name, output in record.pop("outputs").items()}
        return Manifest(outputs=outputs, **record)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptArtifactError(
            f"{path} is not a manifest of this version ({error}).",
            f"Move the folder {folder} away and run its stage again.",
        ) from error


def describe_output(folder: Path, artifact: Artifact) -> Output:
    """Hash an output that was just written, and read shape and dtype from its header."""
    path = folder / artifact.file
    files = sorted(p for p in path.rglob("*") if p.is_file()) if artifact.is_folder else [path]
    hashes = {file.relative_to(folder).as_posix(): sha256_file(file) for file in files}
    layout = read_layout(path) if artifact.is_array else None
    return Output(
        file=artifact.file,
        sha256=combined_hash(hashes) if artifact.is_folder else hashes[artifact.file],
        size=sum(file.stat().st_size for file in files),
        files=hashes,
        shape=list(layout.shape) if layout else None,
        dtype=str(layout.dtype) if layout else None,
        unit=artifact.unit,
        meaning=artifact.meaning,
    )


def combined_hash(hashes: Mapping[str, str]) -> str:
    """Return one SHA-256 of many named hashes, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(hashes):
        digest.update(f"{hashes[name]}  {name}\n".encode())
    return digest.hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the recorded packages that this process has imported."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for module, package in RECORDED_PACKAGES.items():
        if module in sys.modules:
            loaded = getattr(sys.modules[module], "__version__", None)
            versions[package] = str(loaded) if loaded else metadata.version(package)
    return versions
