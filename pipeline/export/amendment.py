"""One optional section of a bundle put in, replaced or taken out; graphs, and all else in the bundle, stay as they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pipeline.engine.errors import DataError, MissingArtifactError, UsageError, did_you_mean
from pipeline.engine.files import atomic_write_bytes, sha256_file, write_json
from pipeline.export.bundle_folder import DESCRIPTION, staged_bundle
from pipeline.export.card.rendering import with_files
from pipeline.export.checked_run import CheckedRun
from pipeline.export.gate.distance_section import fit_section, profiles_of
from pipeline.export.seen.section import refuse_other_split, write_seen
from pipeline.export.template import CARD
from pipeline.inference.bundle import (
    SECTIONS,
    Section,
    StoredFile,
    read_description,
    read_section,
    validated,
    verify_files,
)
from pipeline.inference.gate.description import SECTION as GATE
from pipeline.inference.gate.description import GateSection
from pipeline.inference.gate.gate import open_gate
from pipeline.inference.seen.description import SECTION as SEEN
from pipeline.inference.seen.description import SeenSection
from pipeline.inference.seen.seen_scans import open_section
from pipeline.inference.trust.audit import SECTION as AUDIT
from pipeline.inference.trust.audit import AuditSection


class Known(NamedTuple):
    """What this program knows of a section: its schema, and what opens it in a bundle's folder where something does."""

    schema: type[Section] = Section
    opens: Callable[[Path], Any] | None = None


KNOWN = {GATE: Known(GateSection, open_gate), SEEN: Known(SeenSection, open_section), AUDIT: Known(AuditSection)}


class Amendment(NamedTuple):
    """What was done. version: of the section; None where it was taken out. added, removed: files."""

    section: str
    version: int | None
    added: list[str]
    removed: list[str]


def amend_bundle(bundle: Path, section: str, source: Path | None) -> Amendment:
    """Put a section in the place of the one that the bundle has, if any; without a source, take it out.

    source: the section's JSON file, or a folder with ``<section>.json``. The files in that folder which the entry names are
    copied into the bundle. The bundle's own files are compared with their hashes first, and the new bundle takes the old
    one's place in one exchange, at the end.

    Raises UsageError (no such section; a file that the entry names lies outside of the folder, or would replace one of the
    bundle's; nothing to take out), MissingArtifactError (no bundle, no source), DataError (no JSON object),
    StaleArtifactError (a version newer than this program reads), CorruptArtifactError (a bundle that was changed; an entry
    that does not fit its schema, or whose files do not open).
    """
    if section not in SECTIONS:
        near = did_you_mean(section, SECTIONS)
        raise UsageError(f"No section is called {section!r}.{near}", f"There are: {', '.join(SECTIONS)}.")
    document = read_description(bundle)
    files = document["files"]
    verify_files(bundle, {name: validated(StoredFile, stored, bundle / DESCRIPTION) for name, stored in files.items()})
    former = document.pop(section, None)
    if source is None and former is None:
        raise UsageError(f"{bundle} has no section {section!r}.", "There is nothing to take out.")
    elsewhere = set(_strings({name: part for name, part in document.items() if name != "files"}))
    outgoing = {name for name in _strings(former) if name in files and name not in elsewhere}
    entry, incoming = _read(source, section) if source is not None else (None, {})
    taken = sorted(name for name in incoming if name in files and name not in outgoing)
    if taken:
        raise UsageError(f"{taken[0]} is a file of the bundle already, and not of its {section}.", "Give it another name.")
    known = KNOWN.get(section, Known())
    described = read_section({section: entry}, section, known.schema, source or DESCRIPTION)
    with staged_bundle(bundle) as folder:
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        for name in outgoing:
            (folder / name).unlink()
        for name, path in incoming.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
        kept = {name: stored for name, stored in files.items() if name not in outgoing}
        added = {name: {"sha256": sha256_file(folder / name), "bytes": (folder / name).stat().st_size} for name in incoming}
        amended = document if entry is None else {**document, section: entry}
        write_json(folder / DESCRIPTION, {**amended, "files": _told_on_card(folder, {**kept, **added})})
        if described is not None and known.opens is not None:
            known.opens(folder)
    version = described.version if described is not None else None
    return Amendment(section, version, sorted(incoming), sorted(outgoing - incoming.keys()))


def amend_from_run(bundle: Path, section: str, run: Path) -> Amendment:
    """`amend_bundle` with the section `gate` or `seen` as it is made of a run's scans, whose s01 is all that must be done.

    Raises as `amend_bundle` and `CheckedRun`; UsageError: another section, or for `seen` a run of other scans or another split
    than the bundle's; DataError: too few scans.
    """
    if section not in (GATE, SEEN):
        raise UsageError(f"{section} is not made of a run's scans.", f"Give --from, or --section {GATE} or {SEEN}.")
    document, checked = read_description(bundle), CheckedRun(run)
    with TemporaryDirectory() as folder:
        if section == GATE:
            entry = fit_section(checked, profiles_of(document), Path(folder))
        else:
            refuse_other_split(checked, document, bundle)
            entry = write_seen(checked, document, profiles_of(document), Path(folder))
        if entry is None:
            short = "too few scans to learn from, or no shipped gate to see them with" if section == GATE else "none of its scans"
            raise DataError(f"{run}: {short}.", "Give another run.")
        write_json(Path(folder) / f"{section}.json", entry)
        return amend_bundle(bundle, section, Path(folder))


def _told_on_card(folder: Path, files: dict[str, Any]) -> dict[str, Any]:
    """The table of files, after the card says the same."""
    if CARD not in files:
        return files
    others = {name: stored for name, stored in files.items() if name != CARD}
    card = folder / CARD
    atomic_write_bytes(card, with_files(card.read_text(encoding="utf-8"), others).encode())
    return {**others, CARD: {"sha256": sha256_file(card), "bytes": card.stat().st_size}}


def _read(source: Path, section: str) -> tuple[dict[str, Any], dict[str, Path]]:
    """The entry, and the files beside it that it names, by the names that they get."""
    path = source / f"{section}.json" if source.is_dir() else source
    if not path.is_file():
        raise MissingArtifactError(f"{path}: no such file.", f"Give --from the section's JSON, or a folder with {section}.json.")
    try:
        entry = json.loads(path.read_bytes())
    except ValueError as cause:
        raise DataError(f"{path}: cannot be read as JSON ({cause}).", "Give one JSON object.") from cause
    if not isinstance(entry, dict):
        raise DataError(f"{path}: holds no JSON object.", "Give one JSON object.")
    return entry, {name: found for name in _strings(entry) if (found := _beside(path.parent, name)) is not None}


def _beside(folder: Path, name: str) -> Path | None:
    """The file of that name in the folder; None for a text that names none. Raises UsageError where it leads out."""
    place = PurePosixPath(name)
    if "\0" in name or "\n" in name or len(name) > 255:
        return None
    path = folder / place
    leads_out = place.is_absolute() or ".." in place.parts or not path.resolve().is_relative_to(folder.resolve())
    if leads_out and path.is_file():
        raise UsageError(f"{name} lies outside of {folder}.", "Put the section's files beside its JSON.")
    return path if path.is_file() else None


def _strings(value: Any) -> Iterator[str]:
    """Every text in nested JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(inner)
