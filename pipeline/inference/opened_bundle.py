"""A bundle that answers: one verb for every system."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

import numpy as np

from pipeline.data.gate.kinds import NOT_ASKED
from pipeline.data.preprocessing import Profile, preprocess
from pipeline.data.scans import MODALITIES, PAIRED
from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, DataError, UsageError
from pipeline.engine.given_path import type_name
from pipeline.inference.answers import TITLES, Answer, Finding
from pipeline.inference.bundle import AnyManifest, Bundle, Manifest
from pipeline.inference.given_scan import GivenScan, Judged, RefusedScanError, Scan
from pipeline.inference.seen.words import strongest
from pipeline.inference.sessions import Device, Sessions, thread_count

if TYPE_CHECKING:
    from pipeline.inference.gate.door import Door

IMAGE, NOTE = "image", "note"
DOORS = {IMAGE: "an image", "xray": "an X-ray", "ct": "a CT", NOTE: "a note"}


class OpenedBundle(ABC, Generic[AnyManifest]):
    """A bundle on onnxruntime. The preprocessing is that of training.

    doors: what it can be asked about, of DOORS. methods: the heat maps it can draw. has_features: whether its answers carry
    them.
    """

    doors: ClassVar[tuple[str, ...]] = (IMAGE,)
    methods: ClassVar[tuple[str, ...]] = ()
    has_features: ClassVar[bool] = False

    def __init__(self, bundle: Bundle[AnyManifest], device: Device = "auto") -> None:
        """Raises UsageError where there is no such device."""
        self.bundle, self._device = bundle, device
        self._door: Door | None = None
        self._process = os.getpid()
        self._sessions = Sessions(bundle.path, bundle.graph_facts(), device)

    @property
    def path(self) -> Path:
        return self.bundle.path

    @property
    def manifest(self) -> AnyManifest:
        return self.bundle.manifest

    @property
    def profile(self) -> Profile | None:
        """How a scan becomes the network's image, where one network looks at it."""
        return self.manifest.profile

    @property
    def modalities(self) -> tuple[str, ...]:
        """What its scans are: "xray", "ct" or both."""
        return (self.profile.modality if self.profile is not None else "xray",)

    @property
    def system(self) -> str:
        """Its name in `pipeline.systems`."""
        return self.bundle.system

    def answer(
        self, image: Scan | None = None, *, xray: Scan | None = None, ct: Scan | None = None, note: str | None = None,
        methods: Sequence[str] | str = (),
    ) -> Answer:  # fmt: skip
        """What the bundle says of a case. A scan is a path, an array (see `read_array`), or what `read_scan` gives.

        note: what is written of the case, where the bundle reads notes. methods: the heat maps wanted beside it, or one.
        May be called from several threads, but only in the process that opened the bundle.

        Raises UsageError where nothing is given, what it does not read or draw, or what is no scan at all (a list, bytes, a
        batch); DataError where the case cannot be used or a door refuses it (a bundle of several modalities names it in the
        finding's `error` instead); CorruptArtifactError for a graph that does not fit.
        """
        self._require_own_process()
        methods = (methods,) if isinstance(methods, str) else tuple(methods)
        case: dict[str, Any] = {IMAGE: image, "xray": xray, "ct": ct, NOTE: note}
        if image is None and IMAGE in self.doors:
            case[IMAGE] = case.pop(self.modalities[0])  # what it reads may be called by its name
        given: dict[str, Any] = {door: value for door, value in case.items() if value is not None}
        self.require(given, methods)
        if not given:
            what = [DOORS[door] for door in self.doors]
            raise UsageError(
                f"Neither {' nor '.join(what)} was given." if len(what) > 1 else f"{what[0].capitalize()} is needed.",
                "Give one or both." if len(what) > 1 else "",
            )
        if not isinstance(note, str | None):
            raise UsageError(f"A note is text, not {type_name(note)}.", "Give a str.")
        strict = self._door is not None and self._door.strict
        scans = {name: GivenScan(scan, with_colour=strict) for name, scan in given.items() if name != NOTE}
        self._prepare(tuple(given))
        looked = {self._modality(name): judged for name, scan in scans.items() if (judged := self._looked_at(name, scan))}
        answer = self._answer({**given, **scans}, methods)
        return _marked(answer, {self._modality(name): scan for name, scan in scans.items()}, looked)

    def guard(self, door: Door) -> None:
        """Let every scan pass a door from now on."""
        self._door = door

    def behind(self, door: Door) -> Self:
        """The same bundle, with the graphs that are open, behind another door."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        twin.guard(door)
        return twin

    def require(self, doors: Sequence[str] | Mapping[str, object], methods: Sequence[str] = ()) -> None:
        """Raise UsageError where the bundle does not read one of `doors`, or does not draw one of `methods`."""
        for door in doors:
            if door not in self.doors:
                read = " and ".join(DOORS[known] for known in self.doors)
                named = " or ".join(f"{known}=" for known in self.doors if known != NOTE)
                mend = f"Say which it is: {named}." if door == IMAGE else f"Leave the {door} out, or give another bundle."
                raise UsageError(f"{self.path} reads {read}, not {DOORS[door]}.", mend)
        for method in methods:
            if method not in self.methods:
                drawn = ", ".join(self.methods) or "no heat map"
                raise UsageError(f"{self.path} does not draw {method}.", f"A bundle of {self.system} draws {drawn}.")

    def __repr__(self) -> str:
        read = " and ".join(DOORS[door] for door in self.doors)
        return f"<bundle {self.path} of {self.system}: reads {read}, names {', '.join(self.manifest.class_names)}>"

    def __reduce__(self) -> Any:
        raise UsageError(f"{self.path}: an opened bundle does not go to another process.", "Open it there, from its path.")

    def _require_own_process(self) -> None:
        """Raise UsageError in a fork: the threads that compute did not come along, and would be waited for for ever."""
        if os.getpid() != self._process:
            raise UsageError(f"{self.path} was opened in another process.", "Open it in the process that asks.")

    @property
    def placement(self) -> dict[str, str | int | None]:
        """{"device": what computed the answers so far, "threads": how many of the processor's}."""
        return {"device": " and ".join(sorted(self._sessions.devices)) or None, "threads": thread_count()}

    def _modality(self, name: str) -> str:
        """What is given at one of `doors`."""
        return name if name in MODALITIES else self.modalities[0]

    def _looked_at(self, name: str, scan: GivenScan) -> Judged | None:
        """What the door says of a scan, None where there is none or it cannot be read; the scan knows its fault then."""
        if self._door is None:
            return None
        try:
            judged = self._door.look(scan, self._modality(name))
        except DataError as unreadable:
            scan.fault = unreadable
            return None
        if judged.refusal is not None and self._door.refuses:
            scan.fault = RefusedScanError(judged, str(scan.path or ""))
        return judged

    def _prepare(self, names: tuple[str, ...]) -> None:
        """Start opening what an answer to scans at these doors needs, and return at once."""

    @abstractmethod
    def _answer(self, given: Mapping[str, Any], methods: tuple[str, ...]) -> Answer:
        """given: a GivenScan at each door that one was given at, and the note."""


def _marked(answer: Answer, scans: Mapping[str, GivenScan], looked: Mapping[str, Judged]) -> Answer:
    """The answer with what the door said of each scan, by modality, and what was assumed while it was read."""
    judged = {name: looked.get(name, Judged(NOT_ASKED, warnings=scan.warnings)) for name, scan in scans.items()}
    findings = [
        replace(judged[each.modality].mark(each), preview=scans[each.modality].preview()) if each.modality in judged else each
        for each in answer.findings
    ]
    # A pair is as little new as its halves are.
    seen = strongest(judge.seen for judge in judged.values())
    findings = [replace(each, seen=seen) if each.modality == PAIRED else each for each in findings]
    of = {name: f"{TITLES[name]}: " if len(scans) > 1 else "" for name in scans}
    told = [f"{of[name]}{sentence}" for name, said in judged.items() for sentence in said.warnings]
    return replace(answer, findings=tuple(findings), warnings=(*answer.warnings, *told))


def finding_of(
    manifest: Manifest, modality: str, probabilities: Array, activations: Mapping[str, Array] | None = None
) -> Finding:
    """(K,) probabilities in the order of the manifest's classes, and the class that they name."""
    shares = np.asarray(probabilities, np.float64)
    by_class = dict(zip(manifest.class_names, map(float, shares), strict=True))
    predicted = manifest.class_names[manifest.decide(shares)]
    positive = by_class[manifest.positive_class] if manifest.positive_class is not None else None
    threshold = manifest.class_threshold
    return Finding(modality, by_class, positive, predicted, by_class[predicted], activations or {}, threshold=threshold)


def network_image(gray: Array, profile: Profile) -> Array:
    """uint8 (H, W) → float32 (1, size, size, 1) in [0, 1], as the networks are fed."""
    return batch_image(preprocess(gray, profile)[None])


def batch_image(pixels: Array) -> Array:
    """Preprocessed scans uint8 (n, size, size) → float32 (n, size, size, 1) in [0, 1]."""
    return (pixels.astype(np.float32) / np.float32(255))[..., None]


def class_shares(logits: Array, class_names: Sequence[str], source: Path) -> Array:
    """(K,) logits → (K,) float64 probabilities.

    Raises CorruptArtifactError where there are not as many as classes, DataError where they are no numbers.
    """
    if logits.shape[-1] != len(class_names):
        raise CorruptArtifactError(
            f"{source}: the network tells {logits.shape[-1]} classes apart, its description names {', '.join(class_names)}.",
            "Export it again.",
        )
    if not np.isfinite(logits).all():
        raise DataError("The network answered with values that are no numbers.", "Check the bundle with another image.")
    return softmax(logits)


def softmax(logits: Array) -> Array:
    """(K,) logits → (K,) float64 probabilities."""
    powers = np.exp(logits.astype(np.float64) - float(logits.max()))
    return powers / powers.sum()
