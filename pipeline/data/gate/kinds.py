"""The kinds of pictures that a gate tells apart, and the rule by which it does."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.data.scans import CT, XRAY

NEITHER = "neither"
# In the place of a kind, where no gate looked.
NOT_ASKED = "not asked"
PLURALS = {XRAY: "chest X-rays", CT: "CT slices of the chest"}
KIND_WORDS = {XRAY: "a chest X-ray", CT: "a CT slice of the chest"}


def nearest_kind(distances: Mapping[str, float], thresholds: Mapping[str, float]) -> str:
    """The kind whose distance is the smallest part of its threshold; NEITHER where every distance is beyond its own."""
    shares = {kind: distance / thresholds[kind] for kind, distance in distances.items()}
    nearest = min(shares, key=shares.__getitem__)
    return nearest if shares[nearest] <= 1 else NEITHER
