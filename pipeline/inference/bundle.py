"""A bundle: a described folder whose files are compared with their hashes before anything of it is used.

`bundle.json` names a system, its classes and its files; optional sections with a version of their own stand beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline import systems
from pipeline.data.preprocessing import Profile
from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError, UsageError
from pipeline.engine.exchange import put_back
from pipeline.engine.files import sha256_file

if TYPE_CHECKING:
    from pipeline.inference.opened_bundle import OpenedBundle
    from pipeline.inference.sessions import Device
    from pipeline.inference.trust.scored_part import ScoredPart

SCHEMA_VERSION = 1
MANIFEST_FILE = "bundle.json"
# What may stand in bundle.json beside what answering needs.
SECTIONS = ("gate", "seen", "calibration", "audit")
# Who reads a graph that lies by itself, with its metadata beside it and no bundle around it.
SINGLE_GRAPH, SINGLE_GRAPH_COMMAND = ".onnx", "segment"
NO_BUNDLE = "Give a bundle's folder; export --run DIR --out DIR makes one."
MEND = "Fetch the bundle again, or export it again: export --run DIR --out DIR."


class Entry(BaseModel):
    """A part of `bundle.json`. A bundle may carry more than its reader knows (figures, training, parity)."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Section(Entry):
    """A top-level part with a version of its own. VERSION: the newest that this program reads."""

    VERSION: ClassVar[int] = 1
    version: int = Field(default=1, ge=1)


class StoredFile(Entry):
    """What a file must be."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(Entry):
    """What every system's `bundle.json` says.

    threshold: the positive class of two is named from this probability on; without one, the most probable class. profile: how
    a scan becomes the network's image, where one network looks at it.
    """

    class_names: tuple[str, ...] = Field(min_length=2)
    positive_class: str | None = None
    threshold: float | None = Field(default=None, ge=0, le=1)
    profile: Profile | None = None
    figures: dict[str, Any] = {}
    files: dict[str, StoredFile]

    def needed_files(self) -> list[str]:
        """The files that answering needs."""
        return []

    def scored_parts(self) -> tuple[ScoredPart, ...]:
        """How these weights did on their own test part, by modality; () where `figures` does not say."""
        return ()

    def check_parts(self) -> None:
        """Raises ValueError where the parts of a system's own do not fit each other."""

    @model_validator(mode="after")
    def _fits_together(self) -> Manifest:
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("a class name stands twice in class_names")
        if self.positive_class is not None and self.positive_class not in self.class_names:
            raise ValueError(f"positive_class {self.positive_class!r} is not among class_names")
        self.check_parts()
        check_file_names(self.needed_files(), self.files)
        return self

    @property
    def class_threshold(self) -> float | None:
        """The probability from which the positive class of two is named; None where the most probable one is."""
        return self.threshold if self.positive_class is not None else None

    def decide(self, probabilities: Array) -> int:
        """Index of the class that (K,) probabilities, in the order of class_names, name."""
        if self.positive_class is None or self.class_threshold is None:
            return int(np.argmax(probabilities))
        positive = self.class_names.index(self.positive_class)
        return positive if probabilities[positive] >= self.class_threshold else 1 - positive


AnyEntry = TypeVar("AnyEntry", bound=Entry)
AnySection = TypeVar("AnySection", bound=Section)
AnyManifest = TypeVar("AnyManifest", bound=Manifest, covariant=True)


@dataclass(frozen=True)
class Bundle(Generic[AnyManifest]):
    """A bundle whose files are what its description says. path: the folder that file names start from."""

    path: Path
    manifest: AnyManifest
    document: Mapping[str, Any]

    @property
    def system(self) -> str:
        return system_of(self.document)

    def section(self, name: str, schema: type[AnySection]) -> AnySection | None:
        """See `read_section`."""
        return read_section(self.document, name, schema, self.path / MANIFEST_FILE)

    def graph_facts(self) -> dict[str, str | None]:
        """What a graph may repeat of the description: one edited by hand must not swap the classes."""
        return {"class_names": json.dumps(list(self.manifest.class_names)), "positive_class": self.manifest.positive_class}


def open_bundle(
    path: Path, device: Device = "auto", system: str | None = None, command: str | None = None
) -> OpenedBundle[Manifest]:
    """A bundle's folder, or a single `.onnx` with its metadata, ready to answer.

    system, command: what it must be of, where that matters.

    Raises MissingArtifactError (no bundle, a file gone), StaleArtifactError (another schema version), UsageError (a bundle
    of another or an unknown system; a device that is not there), CorruptArtifactError (a file that was changed, a
    description that does not fit itself).
    """
    found = system_of_bundle(path)
    if system not in (None, found.name) or command not in (None, found.command):
        wanted = [row.name for row in systems.SYSTEMS if system in (None, row.name) and command in (None, row.command)]
        raise UsageError(
            f"{path} is a bundle of {found.name!r}; {command or 'this'} reads those of {' and '.join(map(repr, wanted))}.",
            f"Use {found.command}: {found.command} --bundle {path}",
        )
    return found.load("opener")(path, device)


def system_of_bundle(path: Path) -> systems.System:
    """The row of the system that reads it. Raises as `read_description` does, and UsageError for an unknown system."""
    if path.suffix == SINGLE_GRAPH and path.is_file():
        return next(row for row in systems.SYSTEMS if row.command == SINGLE_GRAPH_COMMAND)
    try:
        return systems.system_named(system_of(read_description(path)))
    except UsageError as unknown:
        from pipeline.inference.gate.description import GATE

        if read_description(path).get("system") == GATE:
            raise UsageError(f"{path} is a gate: it judges scans, and answers nothing.", f"validate --bundle {path}") from unknown
        raise UsageError(f"{path / MANIFEST_FILE}: {unknown.message}", unknown.remedy) from unknown


def system_of(document: Mapping[str, Any]) -> str:
    """The system that a description speaks of; the first, where it names none."""
    return str(document.get("system", systems.SYSTEMS[0].name))


def load_bundle(path: Path, manifest: type[AnyManifest]) -> Bundle[AnyManifest]:
    """Read a folder's description as a system's manifest, and compare every file with its hash. Raises as `open_bundle`."""
    document = read_description(path)
    described = validated(manifest, document, path / MANIFEST_FILE)
    verify_files(path, described.files)
    return Bundle(path, described, document)


def read_description(path: Path) -> dict[str, Any]:
    """`bundle.json` of the folder `path`, its values not yet looked at.

    Raises MissingArtifactError (no bundle), StaleArtifactError (another schema version), CorruptArtifactError (no JSON).
    """
    source = path / MANIFEST_FILE
    put_back(path)
    if not source.is_file():
        raise _no_bundle(path)
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
    return dict(document)


def _no_bundle(path: Path) -> MissingArtifactError:
    """The error for a path at which no description lies: what is there instead, and what to give."""
    if (path / "run.json").is_file():
        return MissingArtifactError(
            f"{path} is a run, not a bundle.", f"Give it as --run {path}, or export it: export --run {path} --out DIR."
        )
    if path.is_file():
        inside = path.name == MANIFEST_FILE
        mend = f"Give {path.parent}." if inside else NO_BUNDLE
        return MissingArtifactError(f"{path} is a file, and a bundle a folder.", mend)
    below = sorted(found.parent.name for found in path.glob(f"*/{MANIFEST_FILE}")) if path.is_dir() else []
    what = f"holds no {MANIFEST_FILE}" if path.is_dir() else "no such folder"
    mend = f"Give one of the bundles in it: {', '.join(below)}." if below else NO_BUNDLE
    return MissingArtifactError(f"{path}: {what}.", mend)


def read_section(
    document: Mapping[str, Any], name: str, schema: type[AnySection], source: Path | str = MANIFEST_FILE
) -> AnySection | None:
    """A top-level section of a description; None where it has none. A section without a version is of the first.

    Raises StaleArtifactError for a version newer than `schema` reads, CorruptArtifactError for what does not fit it.
    """
    entry = document.get(name)
    if entry is None:
        return None
    version = entry.get("version", 1) if isinstance(entry, Mapping) else None
    if isinstance(version, int) and version > schema.VERSION:
        raise StaleArtifactError(
            f"{source}: its section {name!r} is of version {version}, this program reads up to {schema.VERSION}.",
            "Use the program that wrote it, or write the section again with bundle amend.",
        )
    return validated(schema, entry, source, name)


def validated(
    schema: type[AnyEntry], document: object, source: Path | str, place: str = "", mend: str = MEND
) -> AnyEntry:
    """A description, or the part of it at `place`, as `schema`. Raises CorruptArtifactError naming the file and the place."""
    try:
        return schema.model_validate(document)
    except ValidationError as cause:
        fault = cause.errors()[0]
        where = ".".join(str(part) for part in (*filter(None, [place]), *fault["loc"]))
        raise CorruptArtifactError(f"{source}: {where + ': ' if where else ''}{fault['msg']}.", mend) from cause


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
