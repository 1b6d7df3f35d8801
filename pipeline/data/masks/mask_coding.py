"""What the values of a set of masks mean: one rule over the whole set.

- Two values: the lighter is lung (0/1, 0/255, red on black). Where the lighter fills more than half of the pictures and of
  their frames, on average over the set, the masks are inverted and the darker is lung, which is said.
- One value: it is lung unless it is 0.
- 0 in every file, and beside it one value that differs from file to file (0/1 here, 0/255 there): whatever is not 0 is lung,
  unless two of those values are below SMALL, as the numbers of labels are.
- More values, or soft ones without plain areas: refused, until `--mask-labels` or `mask_labels` says which are lung.

Whatever lies between two labels (soft edges, a JPEG's ringing) goes to the nearer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.masks.mask_labels import Span, read_mask_labels
from pipeline.data.masks.mask_levels import RINGING, MaskLevels, find_levels, level_distance, nearest_level
from pipeline.data.masks.mask_pixels import COLOUR, channels_of, read_mask_pixels, value_name
from pipeline.engine.errors import DataError
from pipeline.engine.listing import listed

OPTION = "Say which values are lung: --mask-labels VALUES of evaluate, mask_labels in s01's data."
SOFT_SHARE = 0.1
SMALL = 16
NAMED = 12


@dataclass(frozen=True, slots=True)
class MaskCoding:
    """levels: the labels of the set, by luminance. lungs: those that are lung. spans: ranges that are lung whatever the labels.
    said: how the masks were taken, "" where they are 0 and 255."""

    levels: tuple[int, ...]
    lungs: frozenset[int]
    spans: tuple[Span, ...] = ()
    said: str = ""

    def lungs_of(self, values: np.ndarray) -> np.ndarray:
        """uint8 ``(H, W)``, 1 = lung, of the values of a file, int64 ``(H, W)``."""
        if self.spans:
            return np.any([(values >= low) & (values <= high) for low, high in self.spans], axis=0).astype(np.uint8)
        place, _ = nearest_level(values, np.array(self.levels, np.int64))
        return np.array([level in self.lungs for level in self.levels], np.uint8)[place]


def read_mask_coding(paths: Iterable[Path], labels: Sequence[str | int] = (), name: str = "the masks") -> MaskCoding:
    """What the values of a data set's masks mean, by the rule above over all files; those that cannot be read are left aside.

    labels: the values that are lung, where somebody says so (see `read_mask_labels`). name: of the set, in messages.

    Raises DataError: more than the rule can tell, or a label that occurs in no file; UsageError: no label.
    """
    spans = read_mask_labels(labels)
    if any(low != high for low, high in spans):
        return MaskCoding((), frozenset(), spans)
    files = list(_surveyed(paths))
    return _named(files, [low for low, _ in spans], name) if spans else _ruled(files, name)


def _surveyed(paths: Iterable[Path]) -> Iterable[MaskLevels]:
    for path in paths:
        try:
            yield find_levels(read_mask_pixels(path))
        except DataError:
            continue


def _named(files: Sequence[MaskLevels], labels: Sequence[int], name: str) -> MaskCoding:
    exact = {value for file in files for value in file.present if file.exact}
    levels = sorted(exact | set(_merged([file for file in files if not file.exact])), key=_luminance)
    lungs = set()
    for label in labels if levels else ():
        nearest = min(levels, key=lambda level: int(level_distance(np.array(label), level)))
        if nearest != label and (nearest in exact or level_distance(np.array(label), nearest) > RINGING):
            raise DataError(f"{name}: no mask holds the label {value_name(label)}.", f"They hold {_listed(levels)}.")
        lungs.add(nearest)
    said = f"{name}: of the values {_listed(levels)}, {_listed(sorted(lungs))} are taken as lung, as was said"
    return MaskCoding(tuple(levels) or (0,), frozenset(lungs), said=said)


def _ruled(files: Sequence[MaskLevels], name: str) -> MaskCoding:
    levels = sorted(_merged(files), key=_luminance)
    soft = float(np.mean([file.between for file in files])) if files else 0.0
    if soft > SOFT_SHARE:
        raise DataError(f"{name}: {soft:.0%} of the pixels are no plain label but values between.",
                        f"{OPTION} A range is possible: 128-255.")  # fmt: skip
    if len(levels) > 2 and not _one_beside_zero(files, levels):
        raise DataError(f"{name}: {len(levels)} labels, {_listed(levels)}; which of them are lung is not told.", OPTION)
    if len(levels) < 2:
        (only,) = levels or (0,)
        return MaskCoding((0, only) if only else (0,), frozenset({only} - {0}))
    dark, *light = levels
    shares = [_share_beside(file.area, levels) for file in files]
    frames = [_share_beside(file.frame, levels) for file in files]
    if np.mean(shares) > 0.5 and np.mean(frames) > 0.5:
        return MaskCoding(tuple(levels), frozenset({dark}), said=(
            f"{name}: inverted: {_listed(light)} fills {np.mean(shares):.0%} of the pictures and {np.mean(frames):.0%} of "
            f"their frames, so {value_name(dark)} is taken as lung"))  # fmt: skip
    said = "" if levels == [0, 255] else f"{name}: of the values {_listed(levels)}, {_listed(light)} is taken as lung"
    return MaskCoding(tuple(levels), frozenset(light), said=said)


def _one_beside_zero(files: Sequence[MaskLevels], levels: Sequence[int]) -> bool:
    """Whether each file has 0 and at most one other value, of which no two are small numbers."""
    others = [{level for level in file.even if level} for file in files]
    return levels[0] == 0 and all(len(each) <= 1 for each in others) and sum(level < SMALL for level in levels) <= 2


def _merged(files: Sequence[MaskLevels]) -> list[int]:
    """The labels of all files; one that only files with ringing have is that of another file within RINGING of it."""
    weight: Counter[int] = Counter()
    for file in files:
        weight.update(file.even)
    exact = {level for file in files if file.exact for level in file.even}
    kept = sorted(exact)
    for level in sorted(set(weight) - exact, key=lambda each: (-weight[each], each)):
        twins = [other for other in kept if level_distance(np.array(level), other) <= RINGING]
        if not any(_apart(files, level, other) for other in twins) and twins:
            continue
        kept.append(level)
    return kept


def _apart(files: Sequence[MaskLevels], first: int, second: int) -> bool:
    """Whether one file has both as labels of their own."""
    return any(first in file.even and second in file.even for file in files)


def _share_beside(shares: dict[int, float], levels: Sequence[int]) -> float:
    """The share of a file's labels that are nearest to another level than the first."""
    every = np.array(levels)
    return sum(share for level, share in shares.items() if nearest_level(np.array([level]), every)[0].any())


def _luminance(value: int) -> tuple[float, int]:
    red, green, blue = channels_of(np.array(value)).tolist()
    return (0.299 * red + 0.587 * green + 0.114 * blue, value) if value >= COLOUR else (float(value), value)


def _listed(values: Sequence[int]) -> str:
    return listed([value_name(value) for value in values], NAMED)
