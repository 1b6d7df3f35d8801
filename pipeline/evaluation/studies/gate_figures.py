"""Whether a gate takes pictures for what they are: real X-rays, CT slices and what is no scan, out of fold by patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from pipeline.data.gate.distance_fit import fit_gate
from pipeline.data.gate.embedding_distance import GateStatistics
from pipeline.data.gate.gate_pictures import GatePicture
from pipeline.data.gate.kinds import NEITHER, nearest_kind
from pipeline.data.gate.xray_checks import CHECK_NAMES, check_xray
from pipeline.data.scans import CT, MODALITIES
from pipeline.engine.errors import DataError

FOLDS, SEED = 5, 0
# Of CT slices, whose windows differ from one publication to the next, a little less is asked.
WANTED = {CT: 0.98}
WANTED_OF_OTHERS = 0.99
Features = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SeenPictures:
    """What is kept of pictures: features (N, F), and of each its group, kind, patient, whether a gate may learn from it, and
    the names of the simple checks that it fails (none were made where `checked` is False)."""

    features: np.ndarray
    groups: Sequence[str]
    kinds: np.ndarray
    patients: np.ndarray
    learnable: np.ndarray
    failed: Sequence[frozenset[str]]
    checked: bool = False


@dataclass(frozen=True, slots=True)
class GateFigure:
    """One group of pictures.

    kind: what they are. taken: {kind: how many of `count` were taken for it}. right, low, high: the share taken for what they
    are, with its 95 % interval (Clopper & Pearson 1934). elsewhere: {another kind: (share that is refused in its place, low,
    high)}. failed: {simple check: how many fail it}; {} where none were made.
    """

    group: str
    kind: str
    count: int
    taken: dict[str, int]
    right: float
    low: float
    high: float
    elsewhere: dict[str, tuple[float, float, float]]
    failed: dict[str, int] = field(default_factory=dict)
    pass_all_checks: int | None = None

    @property
    def is_met(self) -> bool:
        """Whether enough were judged rightly: 99 %, 98 % of CT slices; and refused in another's place: 99 %."""
        refused = all(share >= WANTED_OF_OTHERS for share, _, _ in self.elsewhere.values())
        return refused and self.right >= WANTED.get(self.kind, WANTED_OF_OTHERS)

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def see_pictures(pictures: Iterable[GatePicture], features: Features, with_checks: bool = False) -> SeenPictures:
    """Look at each picture once and let go of its pixels. features: uint8 (H, W) → (F,). with_checks: make the nine too."""
    seen, rows = [], []
    for picture in pictures:
        checks = check_xray(picture.gray, picture.colour) if with_checks else []
        rows.append(features(picture.gray))
        failed = frozenset(check.name for check in checks if not check.passed)
        seen.append((picture.group, picture.kind, picture.patient, picture.learnable, failed))
    if not seen:
        raise DataError("There is no picture to look at.", "Give the folder of the real scans.")
    groups, kinds, patients, learnable, failed = zip(*seen, strict=True)
    return SeenPictures(np.stack(rows), groups, np.array(kinds), np.array(patients), np.array(learnable), failed, with_checks)


def fold_of_pictures(seen: SeenPictures, folds: int = FOLDS, seed: int = SEED) -> np.ndarray:
    """(N,) int: all pictures of one patient in one fold; those of no patient in turn."""
    names = np.unique(seen.patients[seen.patients != ""])
    place = dict(zip(np.random.default_rng(seed).permutation(names).tolist(), np.arange(len(names)) % folds, strict=True))
    return np.array([place.get(name, row % folds) for row, name in enumerate(seen.patients.tolist())])


def fit_kinds(seen: SeenPictures, train: np.ndarray, valid: np.ndarray) -> dict[str, GateStatistics]:
    """{kind: its statistics}, learnt from the rows `train` and `valid`, bool (N,), that can be. Raises DataError: too few."""
    mine = {kind: seen.learnable & (seen.kinds == kind) for kind in MODALITIES}
    return {
        kind: fit_gate(seen.features[of_kind & train], seen.features[of_kind & valid], stored=np.float16)
        for kind, of_kind in mine.items()
    }


def taken_out_of_fold(seen: SeenPictures, folds: int = FOLDS, seed: int = SEED) -> np.ndarray:
    """(N,) str: what each picture is taken for by a gate that saw none of its patient's: a fold judged, the next one sets the
    thresholds, the others are learnt from."""
    fold, taken = fold_of_pictures(seen, folds, seed), np.full(len(seen.kinds), NEITHER, dtype=object)
    for judged in range(folds):
        valid = fold == (judged + 1) % folds
        mine = np.flatnonzero(fold == judged)
        taken[mine] = take(fit_kinds(seen, ~valid & (fold != judged), valid), seen.features[mine])
    return taken


def take(statistics: Mapping[str, GateStatistics], features: np.ndarray) -> list[str]:
    """What a gate takes (n, F) features for."""
    distances = {kind: of_kind.distance(features) for kind, of_kind in statistics.items()}
    thresholds = {kind: of_kind.threshold for kind, of_kind in statistics.items()}
    return [nearest_kind({kind: d[row] for kind, d in distances.items()}, thresholds) for row in range(len(features))]


def gate_figures(seen: SeenPictures, taken: Sequence[str] | np.ndarray) -> list[GateFigure]:
    """A figure for every group, in the order in which the groups appear."""
    groups = np.array(seen.groups)
    return [_figure(seen, taken, np.flatnonzero(groups == group)) for group in dict.fromkeys(seen.groups)]


def gate_table(figures: Sequence[GateFigure]) -> str:
    """The figures as lines for people."""
    heads = f"{'pictures':<28}{'n':>6}{'X-ray':>8}{'CT':>6}{'neither':>9}  {'as what they are [95 %]':<25}"
    lines = [f"{heads}refused in another's place [95 %]"]
    for figure in figures:
        counts = "".join(f"{figure.taken.get(kind, 0):>{width}}" for kind, width in (("xray", 8), ("ct", 6), (NEITHER, 9)))
        elsewhere = "; ".join(f"as {kind} {_shown(*share)}" for kind, share in figure.elsewhere.items())
        missed = "" if figure.is_met else "  MISSED"
        right = _shown(figure.right, figure.low, figure.high)
        lines.append(f"{figure.group:<28}{figure.count:>6}{counts}  {right:<25}{elsewhere}{missed}")
    return "\n".join(lines)


def share_interval(hits: int, count: int) -> tuple[float, float, float]:
    """A share with its 95 % interval (Clopper & Pearson 1934)."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(hits, count, method="beta")
    return hits / count, float(low), float(high)


def _shown(share: float, low: float, high: float) -> str:
    return f"{100 * share:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"


def _figure(seen: SeenPictures, taken: Sequence[str] | np.ndarray, rows: np.ndarray) -> GateFigure:
    kind, counts = str(seen.kinds[rows[0]]), Counter(str(taken[row]) for row in rows)
    failed = [seen.failed[row] for row in rows]
    elsewhere = {other: share_interval(len(rows) - counts[other], len(rows)) for other in MODALITIES if other != kind}
    return GateFigure(
        seen.groups[rows[0]], kind, len(rows), dict(counts), *share_interval(counts[kind], len(rows)), elsewhere,
        {name: n for name in CHECK_NAMES if (n := sum(name in names for names in failed))},
        sum(not names for names in failed) if seen.checked else None,
    )  # fmt: skip
