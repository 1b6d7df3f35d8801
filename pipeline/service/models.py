"""The bundles that are served: opened and verified beside each other, each asked once before the first request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import systems
from pipeline.data.reading.assumptions import ReadScan
from pipeline.engine.arrays import Array
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.files import sha256_file
from pipeline.inference.answers import Answer
from pipeline.inference.bundle import MANIFEST_FILE, Manifest
from pipeline.inference.bundle import open_bundle as open_by_path
from pipeline.inference.gate.door import Door
from pipeline.inference.gate.gate import SHIPPED, Gate, open_gate
from pipeline.inference.given_bundle import shipped_bundles
from pipeline.inference.opened_bundle import IMAGE, NOTE, OpenedBundle
from pipeline.inference.sessions import Device
from pipeline.service.problems import Belongs, Problem, unknown_bundle

DIGEST_DIGITS = 12
WARM_NOTE = "fever and cough"
WARM_SIDE = 256
# The commands whose bundles a call of that name asks.
CLASSIFY, SEGMENT = "classify", "segment"


@dataclass(frozen=True, eq=False)
class Served:
    """One bundle. version: its name, and what its description's hash begins with: other bytes, another version."""

    name: str
    version: str
    guarded: OpenedBundle[Manifest]
    unguarded: OpenedBundle[Manifest]

    @property
    def doors(self) -> tuple[str, ...]:
        """See `OpenedBundle`."""
        return self.guarded.doors

    @property
    def command(self) -> str:
        """The command that asks bundles of its system."""
        return systems.system_named(self.guarded.system).command

    def reads(self, doors: Sequence[str]) -> bool:
        """Whether it reads what is given at these doors; one that reads an image is asked about its modality by name, too."""
        return set(doors) <= {*self.doors, *(self.guarded.modalities if IMAGE in self.doors else ())}

    def by_modality(self, scans: Mapping[str, ReadScan]) -> dict[str, Array]:
        """Gray uint8 (H, W) of scans that were given at its doors."""
        return {self.guarded.modalities[0] if door == IMAGE else door: scan.gray for door, scan in scans.items()}

    def answer(self, case: Mapping[str, Any], methods: Sequence[str] = (), *, gate: bool = True) -> Answer:
        """`OpenedBundle.answer` of what is given at each door, behind the gate or without it."""
        return (self.guarded if gate else self.unguarded).answer(**case, methods=methods)


class Models:
    """What is served, by name, in the order in which it was named."""

    def __init__(self, served: Sequence[Served], gate: Gate) -> None:
        self.by_name = {each.name: each for each in served}
        self.gate = gate
        # Whoever names none is answered by what names classes, before the rest.
        self._in_turn = sorted(served, key=lambda each: each.command != CLASSIFY)

    def for_case(
        self, doors: Sequence[str], name: str | None, command: str | None = None, methods: Sequence[str] = ()
    ) -> Served:  # fmt: skip
        """The bundle of that name, else the first that reads what is given: at doors of those names, or an image by its modality.

        command: the one that has to ask it; None: any. methods: the heat maps that it has to draw.
        Raises Problem: 404 no such bundle; 422 another command's, or it, or none here, reads or draws this.
        """
        if name is not None:
            found = self._known(name)
            if command not in (None, found.command):
                remedy = f"Ask there, or name another: {self._told(command)}."
                raise Problem(422, "other-bundle", f"{found.name} is asked by /{found.command}.", remedy)
            if not found.reads(doors):
                reads = f"{found.name} reads {_fields(found.doors)}, not {_fields(doors)}."
                raise Problem(422, "not-answerable", reads, f"Send that, or name another: {self._told(command)}.")
        else:
            fitting = [each for each in self._in_turn if command in (None, each.command)]
            if not fitting:
                raise Problem(422, "no-bundle", f"No bundle here answers /{command}.", f"Served are: {self._told()}.")
            exact = [each for each in fitting if set(doors) <= {*each.doors}]
            reading = exact or [each for each in fitting if each.reads(doors)]
            if not reading:
                raise Problem(422, "no-bundle", f"No bundle here reads {_fields(doors)}.", f"Served are: {self._told()}.")
            found = reading[0]
        for method in methods:
            if method not in found.guarded.methods:
                drawn = ", ".join(found.guarded.methods) or "no heat map"
                raise Problem(422, "not-answerable", f"{found.name} does not draw {method}.", f"It draws {drawn}.")
        return found

    def _known(self, name: str) -> Served:
        found = self.by_name.get(name)
        if found is None:
            raise unknown_bundle(name, list(self.by_name))
        return found

    def _told(self, command: str | None = None) -> str:
        return ", ".join(each.name for each in self.by_name.values() if command in (None, each.command)) or "none"

    def default(self) -> Served | None:
        """What `/predict` asks of one image, where it is not told otherwise; None where nothing here reads one."""
        return next((each for each in self._in_turn if IMAGE in each.doors), None)

    def belongs(self, kind: str) -> Belongs:
        """Where a scan belongs that the gate took for this kind."""
        reading = [each.name for each in self.by_name.values() if kind in each.guarded.modalities]
        field = kind if any(kind in each.doors for each in self.by_name.values()) else "file" if reading else None
        return Belongs(kind=kind, field=field, bundles=reading)


def field_of(door: str) -> str:
    """What a form calls what is given at a door."""
    return "file" if door == IMAGE else door


def _fields(doors: Sequence[str]) -> str:
    return " and ".join(map(field_of, doors))


def open_models(paths: Sequence[Path], device: Device = "auto") -> Models:
    """The bundles that `bundle_folders` names, verified and warm.

    Raises as that, `pipeline.inference.bundle.open_bundle` and `open_gate`.
    """
    folders = bundle_folders(paths)
    with ThreadPoolExecutor(max(2, len(folders)), thread_name_prefix="open") as threads:
        opening = threads.submit(open_gate, None, device)
        bundles = [threads.submit(open_by_path, folder, device) for folder in folders]
        gate = opening.result()
        warming = threads.submit(gate.judge, warm_picture())
        served = [threads.submit(_served, bundle.result(), gate, device) for bundle in bundles]
        warming.result()
        return Models([each.result() for each in served], gate)


def bundle_folders(paths: Sequence[Path]) -> list[Path]:
    """Each path where it is a bundle, the bundles in it where it is a folder of them; none: those that come with the program.

    Raises UsageError where two are called the same, or there is none.
    """
    folders: list[Path] = [] if paths else _in_order(shipped_bundles())
    for path in map(Path.resolve, paths):
        within = sorted(found.parent for found in path.glob(f"*/{MANIFEST_FILE}") if found.parent.name != SHIPPED.name)
        folders += within if within and not (path / MANIFEST_FILE).is_file() else [path]
    names = [folder.name for folder in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not folders:
        what = f"Two bundles are called {twice[0]}." if twice else "There is no bundle to serve."
        raise UsageError(what, "Name folders with --bundles DIR, once for each.")
    return folders


def _in_order(shipped: Mapping[str, Path]) -> list[Path]:
    """The default ones first."""
    first = [Path(system.default_bundle).name for system in systems.SYSTEMS if system.default_bundle is not None]
    return [shipped[name] for name in (*(name for name in first if name in shipped), *(set(shipped) - set(first)))]


def _served(opened: OpenedBundle[Manifest], gate: Gate, device: Device) -> Served:
    door = Door(opened.bundle, opened.doors, device, gate=gate)
    opened.guard(door)
    unguarded = opened.behind(door.unasked())
    _warm(unguarded)
    digest = sha256_file(_description(opened.path))[:DIGEST_DIGITS]
    return Served(opened.path.name, f"{opened.path.name}@sha256:{digest}", opened, unguarded)


def _description(path: Path) -> Path:
    return path / MANIFEST_FILE if path.is_dir() else path


def _warm(opened: OpenedBundle[Manifest]) -> None:
    """Ask it once about a made-up picture, so that every graph is open; what it answers does not matter."""
    case: dict[str, Any] = {door: WARM_NOTE if door == NOTE else warm_picture() for door in opened.doors}
    try:
        opened.answer(**case)
    except DataError:
        return  # the gate takes it for what it is


def warm_picture() -> Array:
    """uint8 (H, W) of noise."""
    return np.random.default_rng(0).integers(0, 256, (WARM_SIDE, WARM_SIDE), np.uint8)


