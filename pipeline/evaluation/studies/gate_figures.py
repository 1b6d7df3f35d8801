"""How many pictures of each kind an X-ray gate accepts: real X-rays, CT slices, and what is no scan at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.data.gate.gate_pictures import gate_pictures
from pipeline.data.gate.xray_checks import CHECK_NAMES

WANTED = 0.99


class Verdict(Protocol):
    """What is read of a verdict."""

    valid: bool
    failed: tuple[str, ...]


class Gate(Protocol):
    """What decides whether a picture is a chest X-ray (`pipeline.inference.gate.xray_gate`)."""

    def judge(self, gray: np.ndarray, rgb: np.ndarray | None, strict: bool = False) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class GateFigure:
    """One kind of pictures.

    is_xray: whether they are chest X-rays. right: how many of `count` the gate judged rightly: accepted X-rays, refused
    others. low, high: 95 % interval of right / count (Clopper & Pearson 1934). checks_accepted: how many pass all nine
    simple checks. checks_accepted_any_size: the same, the size left out. failed: {check: how many fail it}.
    """

    kind: str
    is_xray: bool
    count: int
    right: int
    low: float
    high: float
    checks_accepted: int
    checks_accepted_any_size: int
    failed: dict[str, int]

    @property
    def is_met(self) -> bool:
        """Whether at least 99 % were judged rightly."""
        return self.right >= WANTED * self.count


def gate_figures(
    data: Path, gate: Gate, learnt_from: Collection[str] = (), every: int = 1, foreign: int = 400, seed: int = 11
) -> list[GateFigure]:
    """The gate on the real scans under `data` and on `foreign` pictures of each other kind.

    learnt_from: patient ids to leave out, those that the gate has seen in training. every: only each n-th CT slice.
    Raises DataError, and MissingArtifactError where scikit-image is not installed.
    """
    verdicts: dict[tuple[str, bool], list[Verdict]] = {}
    for picture in gate_pictures(data, frozenset(learnt_from), every, foreign, seed):
        verdicts.setdefault((picture.kind, picture.is_xray), []).append(gate.judge(picture.gray, picture.colour))
    return [_figure(kind, is_xray, found) for (kind, is_xray), found in verdicts.items()]


def gate_table(figures: list[GateFigure]) -> str:
    """The figures as lines for people."""
    heads = f"{'pictures':<26}{'n':>6}  {'gate: right [95 %]':<28}{'nine checks accept':>19}{'size aside':>12}  most often failed"
    lines = [heads]
    for figure in figures:
        said = f"{100 * figure.right / figure.count:.1f} % [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"
        verb = "accepted" if figure.is_xray else "refused"
        checks, any_size = (100 * n / figure.count for n in (figure.checks_accepted, figure.checks_accepted_any_size))
        nine = {name: n for name, n in figure.failed.items() if name in CHECK_NAMES}
        worst = max(nine, key=nine.__getitem__, default="")
        often = f"{worst} {nine[worst]}" if worst else "-"
        often += "" if figure.is_met else "  MISSED"
        lines.append(f"{figure.kind:<26}{figure.count:>6}  {verb:<9}{said:<24}{checks:>14.1f} %{any_size:>10.1f} %  {often}")
    return "\n".join(lines)


def _figure(kind: str, is_xray: bool, verdicts: list[Verdict]) -> GateFigure:
    from statsmodels.stats.proportion import proportion_confint

    right = sum(verdict.valid == is_xray for verdict in verdicts)
    low, high = proportion_confint(right, len(verdicts), method="beta")
    nine = [set(verdict.failed) & set(CHECK_NAMES) for verdict in verdicts]
    failed = Counter(name for verdict in verdicts for name in verdict.failed)
    return GateFigure(
        kind, is_xray, len(verdicts), right, float(low), float(high),
        sum(not names for names in nine), sum(names <= {"dimension"} for names in nine), dict(failed),
    )  # fmt: skip
