"""MODEL_CARD.md of the gate: what it tells apart, how well, and where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.data.gate.kinds import NEITHER
from pipeline.data.scans import CT, XRAY
from pipeline.evaluation.studies.gate_figures import GateFigure
from pipeline.export.card import tables
from pipeline.export.card.facts import NOT_A_DEVICE

_HEADS = ["pictures", "n", "as X-ray", "as CT", "as neither", "as what they are [95 %]", "refused in another's place [95 %]"]


def gate_card(document: Mapping[str, Any], figures: Sequence[GateFigure], files: Mapping[str, Mapping]) -> str:
    """The whole card as Markdown."""
    kinds = document["kinds"]
    learnt = "\n".join(
        f"- **{tables.TITLES[kind]}**: {entry['method']}; threshold {entry['threshold']:.3f}, within which "
        f"{entry['accepted_on_validation']:.1%} of the validation scans lie." for kind, entry in kinds.items()
    )  # fmt: skip
    return f"""# Chest X-ray, CT slice of the chest, or neither

What stands before every bundle and refuses what is not what it was given as: `predict`, `segment`, `classify`, `evaluate`
and `validate` ask it, `--no-gate` does without.

{NOT_A_DEVICE}

## How it tells

A picture passes through a frozen EfficientNet-Lite0 (ImageNet weights, up to its last block, pooled behind five of its
stages: 744 numbers at 224 px). Two clouds of such numbers are known, of X-rays and of CT slices; the picture is of the kind
whose Mahalanobis distance is the smallest part of its threshold, and *neither* where both distances are beyond. No
picture of a third kind was used to learn it, nor to set a threshold.

{learnt}

## Figures

Out of fold by patient, five folds: each picture is judged by a gate that saw no scan of its patient, learnt from three
fifths of the patients, thresholds from one fifth. Foreign pictures are judged by the five in turn. Intervals: Clopper and
Pearson, by picture.

{tables.table(_HEADS, [_row(figure) for figure in figures])}

## Limits

- X-rays: frontal, of `cxr4`, `cxr_nih` and `cxr_ieee_other`; CT: windowed slices of `ct_covidct`, figures cut from publications.
  Other body parts, lateral views and CT of other windows were not available. A scan turned by 90° is often *neither*.
- It says what a picture is, not whether a bundle's answer to it can be trusted; how near a scan lies to what a bundle learnt
  from is that bundle's own section `gate`.
- The project's generated scans (phantoms) are mostly *neither*.

## Files

{tables.files_table(files)}
"""


def _row(figure: GateFigure) -> list[str]:
    counts = [f"{figure.taken.get(kind, 0):,}" for kind in (XRAY, CT, NEITHER)]
    elsewhere = [f"as {tables.TITLES[kind]}: {_share(*share)}" for kind, share in figure.elsewhere.items()]
    return [figure.group, f"{figure.count:,}", *counts, _share(figure.right, figure.low, figure.high), "; ".join(elsewhere)]


def _share(value: float, low: float, high: float) -> str:
    return f"{100 * value:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"
