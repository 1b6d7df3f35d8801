"""What every scan passes before a bundle looks at it: is it what it is given as, and how near to what was learnt from?"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from threading import Lock

from pipeline.data.gate.kinds import KIND_WORDS, NEITHER, NOT_ASKED, PLURALS
from pipeline.data.scans import MODALITIES
from pipeline.engine.errors import PipelineError
from pipeline.engine.given_path import FileKey
from pipeline.inference.answers import TITLES
from pipeline.inference.bundle import Bundle, Manifest, open_bundle
from pipeline.inference.gate.gate import Gate, Verdict, open_gate, own_measures
from pipeline.inference.gate.measures import Seen
from pipeline.inference.given_scan import GivenScan, Judged
from pipeline.inference.opened_bundle import OpenedBundle
from pipeline.inference.seen.seen_scans import seen_scans
from pipeline.inference.seen.words import WARNINGS
from pipeline.inference.sessions import Device

REMEMBERED = 4096


class Door:
    """Looks at the scans that are given to one bundle. Safe to use from several threads.

    Questions, told apart. *What is it?* is the shipped gate's, and a scan that is not what it was given as is refused;
    where the bundle was learnt from scans of which the gate takes too few for what they are, what is near to those passes,
    too. *How near is it to what the bundle learnt from?* is the section's, and is told: a distance beyond its threshold is
    warned of, and refused only by a strict door. A scan that it learnt from itself, as the section `seen` tells, is warned of.
    """

    def __init__(
        self, bundle: Bundle[Manifest], doors: Sequence[str], device: Device = "auto", *, asks: bool = True, strict: bool = False,
        refuses: bool = True, gate: Path | Gate | None = None,
    ) -> None:  # fmt: skip
        """doors: of the bundle. asks: ask what it is at all. strict: let the nine simple checks and the bundle's own distance
        refuse too. refuses: False only marks what would be. gate: one that is open already, or its folder; the shipped one where
        none is given, opened in a thread.

        Raises as `open_gate`.
        """
        self._doors, self.asks, self.strict, self.refuses = tuple(doors), asks, strict, refuses
        shipped = gate if isinstance(gate, Gate) else open_gate(gate, device) if asks else None
        shared = next((measure.network for measure in shipped.measures.values()), None) if shipped is not None else None
        try:
            self.own, widening = own_measures(bundle, device, shared)
        except PipelineError:
            # Whoever asks for no gate is not kept out by a section that cannot be read.
            if asks:
                raise
            self.own, widening = {}, []
        self.seen = seen_scans(bundle)
        self.gate: Gate | None = shipped.widened({kind: self.own[kind] for kind in widening}) if shipped and asks else None
        self._remembered: OrderedDict[tuple[FileKey, str], Judged] = OrderedDict()
        self._lock = Lock()

    def unasked(self) -> Door:
        """The same door, with the statistics that are read, which does not ask what a scan is."""
        twin = copy(self)
        twin.asks, twin.gate, twin._remembered, twin._lock = False, None, OrderedDict(), Lock()
        return twin

    def look(self, scan: GivenScan, modality: str) -> Judged:
        """What is said of a scan given as `modality`; files are remembered. Raises DataError: unreadable."""
        key = (scan.key, modality) if scan.key is not None else None
        with self._lock:
            if key is not None and key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        judged = self._judged(scan, modality)
        if key is not None:
            with self._lock:
                self._remembered[key] = judged
                while len(self._remembered) > REMEMBERED:
                    self._remembered.popitem(last=False)
        return judged

    def _judged(self, scan: GivenScan, modality: str) -> Judged:
        read, seen = scan.read, Seen()
        verdict = None
        if self.gate is not None:
            verdict = self.gate.judge(read.gray, read.colour, read.header, with_checks=self.strict, seen=seen)
        own = self.own.get(modality)
        distance = own.distance(read.gray, seen) if own is not None else None
        threshold = own.threshold if own is not None else None
        refusal = self._refusal(verdict, modality) if verdict is not None else None
        warnings = list(read.warnings)
        if distance is not None and threshold is not None and distance > threshold:
            far = f"lies {distance:.2f} from the {TITLES[modality]}s that the bundle learnt from, beyond {threshold:.2f}"
            if self.strict and refusal is None:
                refusal = f"{far}."
            if refusal is None or not self.refuses:
                warnings.append(f"it {far}: the answer rests on nothing like it.")
        known = self.seen[modality].look(read.gray) if modality in self.seen else None
        if known in WARNINGS:
            warnings.append(WARNINGS[known])
        kind = verdict.kind if verdict is not None else NOT_ASKED
        return Judged(kind, refusal, distance, threshold, known, tuple(warnings))

    def _refusal(self, verdict: Verdict, modality: str) -> str | None:
        """Why it is not what it was given as, and what to do."""
        if verdict.kind == modality:
            return f"fails simple checks: {verdict.complaints}" if self.strict and verdict.failed else None
        if verdict.kind == NEITHER:
            return f"{verdict.message}: give {KIND_WORDS[modality]}."
        if verdict.kind in self._doors:
            return f"{verdict.message}: give it as --{verdict.kind}."
        read = " and ".join(PLURALS[name] for name in MODALITIES if name in (*self._doors, modality))
        others = f"{PLURALS[verdict.kind]} (predict --{verdict.kind})"
        return f"{verdict.message}, and this bundle reads {read}: ask one that reads {others}."


def open_guarded(
    path: Path, device: Device = "auto", command: str | None = None, *, asks: bool = True, strict: bool = False,
    refuses: bool = True, gate: Gate | None = None,
) -> OpenedBundle[Manifest]:  # fmt: skip
    """A bundle behind its door: how every command opens one, and Python. command: see `open_bundle`; the others: see `Door`.

    Raises as `open_bundle` and `open_gate`.
    """
    opened = open_bundle(path, device, command=command)
    opened.guard(Door(opened.bundle, opened.doors, device, asks=asks, strict=strict, refuses=refuses, gate=gate))
    return opened
