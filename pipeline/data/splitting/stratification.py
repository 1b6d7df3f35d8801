"""Whole groups dealt to splits so that every stratum keeps its shares."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping

Stratum = tuple[str, str, str]


def place_groups(
    contents: Mapping[str, Counter[Stratum]], fractions: Mapping[str, float], seed: int
) -> dict[str, str]:
    """{group: split} for whole groups (patients), each stratum spread by `fractions`.

    contents: {group: {stratum: its scans}}; a stratum is (source, modality, label). fractions: {split:
    share}, summing to 1. Greedy, after iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011): the
    rarest stratum first; within it the largest groups first, each to the split that is furthest below its
    share of the stratum. Ties, and the order of groups of one size, fall by the seed; the order of
    `contents` has no say. A stratum of at least as many groups as splits is in each of them.
    """
    totals: Counter[Stratum] = Counter()
    for has in contents.values():
        totals.update(has)
    draw = random.Random(seed)
    lot = {group: draw.random() for group in sorted(contents)}
    filled: dict[Stratum, Counter[str]] = defaultdict(Counter)
    placed: dict[str, str] = {}
    for stratum in sorted(totals, key=lambda name: (totals[name], name)):
        waiting = [group for group, has in contents.items() if stratum in has and group not in placed]
        for group in sorted(waiting, key=lambda name: (-contents[name][stratum], lot[name])):
            split = _neediest(filled[stratum], fractions, totals[stratum], draw)
            placed[group] = split
            for other, count in contents[group].items():
                filled[other][split] += count
    return placed


def _neediest(filled: Counter[str], fractions: Mapping[str, float], total: int, draw: random.Random) -> str:
    shortfall = {split: 1 - filled[split] / (share * total) for split, share in fractions.items()}
    most = max(shortfall.values())
    tied = [split for split in sorted(shortfall) if most - shortfall[split] < 1e-9]
    return draw.choices(tied, [fractions[split] for split in tied])[0]
