"""What every system's bundle has in common: a described folder whose files are compared with their hashes before use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError, UsageError
from pipeline.engine.files import sha256_file

SCHEMA_VERSION = 1
MANIFEST_FILE = "bundle.json"
MULTI_TASK, SEGMENTER, CLASSIFIER, VISION_TEXT = "respiratory_mtl", "radiography_unet", "classifier", "vision_text"
# What a bundle is for; a bundle that names no system is of the first.
COMMANDS = {MULTI_TASK: "predict", SEGMENTER: "segment", CLASSIFIER: "classify", VISION_TEXT: "classify"}
MEND = "Fetch the bundle again, or export it again: export --run DIR --out DIR."


class Entry(BaseModel):
    """A part of `bundle.json`. A bundle may carry more than its reader knows (figures, training, parity)."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class StoredFile(Entry):
    """What a file must be."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


Manifest = TypeVar("Manifest", bound=Entry)


def read_description(path: Path) -> dict[str, Any]:
    """`bundle.json` of the folder `path`, its values not yet looked at.

    Raises MissingArtifactError (no bundle), StaleArtifactError (another schema version), CorruptArtifactError (no JSON).
    """
    source = path / MANIFEST_FILE
    if not source.is_file():
        if (path / "run.json").is_file():
            raise MissingArtifactError(f"{path} is a run, not a bundle.", f"Give it as --run {path}.")
        what = "holds no bundle.json" if path.is_dir() else "no such folder"
        raise MissingArtifactError(f"{path}: {what}.", "Give a bundle's folder; export --run DIR --out DIR makes one.")
    try:
        document = json.loads(source.read_bytes())
    except (ValueError, OSError) as cause:
        raise CorruptArtifactError(f"{source}: cannot be read as JSON ({cause}).", MEND) from cause
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise StaleArtifactError(
            f"{source}: schema_version is {version!r}, this program reads {SCHEMA_VERSION}.",
            "Use the program that exported it, or export the bundle again.",
        )
    return document


def system_of(document: Mapping[str, Any]) -> str:
    """The system that a description speaks of."""
    return str(document.get("system", MULTI_TASK))


def require_system(path: Path, document: Mapping[str, Any], wanted: str) -> None:
    """Raise UsageError for the bundle of another system, naming the command that reads it."""
    found = system_of(document)
    if found != wanted:
        fitting = f"Use {COMMANDS[found]}: {COMMANDS[found]} --bundle {path}" if found in COMMANDS else "Use another bundle."
        raise UsageError(f"{path} is a bundle of {found!r}; {COMMANDS[wanted]} reads those of {wanted!r}.", fitting)


def validated(manifest: type[Manifest], document: Mapping[str, Any], source: Path) -> Manifest:
    """A description as its system's manifest. Raises CorruptArtifactError naming the file and the place in it."""
    try:
        return manifest.model_validate(document)
    except ValidationError as cause:
        fault = cause.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise CorruptArtifactError(f"{source}: {place + ': ' if place else ''}{fault['msg']}.", MEND) from cause


def check_file_names(needed: Iterable[str], files: Mapping[str, StoredFile]) -> None:
    """Raise ValueError, for a manifest's validator, where a needed file has no hash or a name leads out of the bundle."""
    for name in {*needed, *files}:
        if name not in files:
            raise ValueError(f"files gives no hash for {name!r}")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"file {name!r} lies outside the bundle")


def verify_files(path: Path, files: Mapping[str, StoredFile]) -> None:
    """Compare every file with its hash. Raises MissingArtifactError, CorruptArtifactError naming both hashes."""
    for name, stored in files.items():
        _verify(path / name, stored)


def _verify(path: Path, stored: StoredFile) -> None:
    try:
        found = sha256_file(path)
    except FileNotFoundError as cause:
        raise MissingArtifactError(f"{path} is missing from the bundle.", MEND) from cause
    except OSError as cause:
        raise CorruptArtifactError(f"{path}: cannot be read ({cause.strerror}).", MEND) from cause
    if found != stored.sha256:
        raise CorruptArtifactError(
            f"{path} was changed: its SHA-256 is {found}, bundle.json says {stored.sha256}.", MEND
        )
