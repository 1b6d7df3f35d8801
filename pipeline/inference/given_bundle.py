"""The face of every bundle for Python: opened from a path or by the name of one that comes with the program, behind its gate."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.engine.errors import MissingArtifactError, did_you_mean
from pipeline.engine.exchange import put_back
from pipeline.engine.given_path import path_given
from pipeline.engine.shipped_files import shipped
from pipeline.inference.bundle import MANIFEST_FILE, Manifest
from pipeline.inference.gate.door import open_guarded
from pipeline.inference.gate.gate import SHIPPED
from pipeline.inference.opened_bundle import OpenedBundle
from pipeline.inference.sessions import Device

PRETRAINED = "pretrained"


def open_bundle(
    path: str | os.PathLike[str], *, gate: bool = True, strict: bool = False, device: Device = "auto"
) -> OpenedBundle[Manifest]:
    """A bundle of any system, ready to `answer` as the command line does.

    path: a bundle's folder, or a segmenter's single `.onnx`; where nothing lies there, the name of a bundle that comes with the
    program ("pneumonia_binary", with or without "pretrained/"). gate: ask of every scan what it is, and refuse what is not what
    the bundle reads; False is the commands' --no-gate. strict: let the simple checks and the bundle's own distance refuse, too.
    device: "auto" takes an NVIDIA device where there is one, else the CPU.

    Raises MissingArtifactError (no bundle there, a run, a file of it gone), StaleArtifactError (another schema version),
    CorruptArtifactError (a file was changed), UsageError (an unknown system or device; no path).
    """
    return open_guarded(_found(path_given(path, "a bundle")), device, asks=gate, strict=strict)


def shipped_bundles() -> dict[str, Path]:
    """The bundles that come with the program, by name; the gate answers nothing, and is not among them."""
    folders = sorted(found.parent for found in shipped(PRETRAINED).glob(f"*/{MANIFEST_FILE}"))
    return {folder.name: folder for folder in folders if folder.name != SHIPPED.name}


def _found(path: Path) -> Path:
    """The path where something lies there, else the shipped bundle of that name."""
    put_back(path)
    if path.exists():
        return path
    known, is_name = shipped_bundles(), path.parent in (Path(), Path(PRETRAINED))
    if is_name and path.name in known:
        return known[path.name]
    near = did_you_mean(path.name, known)
    listed = f"With the program come: {', '.join(known)}. " if known else ""
    raise MissingArtifactError(f"{path}: no such folder.{near}", f"{listed}export --run DIR --out DIR makes a bundle of a run.")
