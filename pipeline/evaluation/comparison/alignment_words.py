"""What fresh probes found, in a sentence: always that of the strongest. Importable without TensorFlow or scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.engine.interval_text import interval_text

PROBE_TITLES = {"linear": "linear", "mlp": "MLP of 128", "neighbours": "5 nearest neighbours"}
# What nothing but chance reaches, in balanced accuracy where every cell of modality × label weighs alike, or in AUC.
CHANCE = 0.5
# Up to here above chance a strongest probe counts as blind where its interval cannot tell it from chance either way.
AT_THE_FLOOR = 0.1


def strongest_probe(scores: Mapping) -> dict:
    """Interval of the strongest probe's balanced accuracy."""
    return scores["probes"][scores["strongest"]]["balanced_accuracy"]


def is_hidden(scores: Mapping) -> bool:
    """Whether the strongest probe is within 0.1 of what the label alone tells."""
    return bool(strongest_probe(scores)["value"] <= scores["floor"] + AT_THE_FLOOR)


def alignment_sentence(
    scores: Mapping[str, Mapping], variant: str = "adversarial", hidden: str = "modality", told: str = "X-ray from CT"
) -> str:
    """One sentence on whether a variant's features hide the modality.

    scores: ``{"raw": probe_scores, variant: probe_scores, …}``; "raw" may lack. hidden, told: what is to be hidden, and what it
    tells apart.
    """
    if variant not in scores:
        return f"The {variant} variant was not part of this run."
    mine = scores[variant]
    found = (
        f"the strongest of {len(mine['probes'])} fresh probes ({PROBE_TITLES[mine['strongest']]}) tells {told} with "
        f"balanced accuracy {interval_text(strongest_probe(mine))}, where {mine['floor']:g} is chance"
    )
    if not is_hidden(mine):
        return f"The {hidden} still shows in the {variant} features: {found}. They are not aligned."
    unhidden = scores.get("raw")
    if unhidden is not None and is_hidden(unhidden):
        return f"The {hidden} hardly shows in the {variant} features ({found}); but neither did it before, so the credit is open."
    before = "" if unhidden is None else f", and {strongest_probe(unhidden)['value']:.3f} before"
    return f"The {variant} features hide the {hidden}: {found}{before}."
