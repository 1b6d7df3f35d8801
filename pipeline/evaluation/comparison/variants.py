"""The variants of the shared extractor, which are the arms of a comparison. Importable without TensorFlow."""

from collections.abc import Mapping
from typing import Any

PLAIN, ADVERSARIAL, ERASED, INVERTED, ORIGINAL = "plain", "adversarial", "erased", "inverted", "original"
VARIANTS = (PLAIN, ADVERSARIAL, ERASED, INVERTED, ORIGINAL)
ADVERSARIAL_VARIANTS = (ADVERSARIAL, INVERTED, ORIGINAL)
MEANINGS = {
    PLAIN: "without adversarial training",
    ADVERSARIAL: "with adversarial training, which hides the modality from the features",
    ERASED: "the plain extractor's features with what linearly tells the modality erased in closed form (LEACE)",
    INVERTED: "with adversarial training on the inverted modality label",
    ORIGINAL: "with adversarial training as published",
}


def generator_name(variant: str) -> str:
    """Name of the generator network of one of ADVERSARIAL_VARIANTS."""
    return "generator" if variant == ADVERSARIAL else f"generator_{variant}"


# Settings that only objective `sound` has: a section without them was written when `inverted` went by that name.
OF_SOUND = ("noise", "probe_every", "floor_tolerance")


def objective_in(section: Mapping[str, Any]) -> str:
    """The objective of a stored section of settings by its present name: what was stored as `sound` may be today's `inverted`."""
    stored = str(section.get("objective", "sound"))
    return "inverted" if stored == "sound" and not set(OF_SOUND) & set(section) else stored


def variant_meaning(document: Mapping[str, Any]) -> str:
    """How a bundle's shared features were learnt, with the objective where there was one; document: its `bundle.json`."""
    variant = document["variant"]
    section = document.get("training", {}).get("config", {}).get("s04", {}).get(variant)
    if section is None:
        return MEANINGS.get(variant, f"in the way called {variant}")
    objective = objective_in(section)
    meaning = MEANINGS[variant if objective == "sound" else objective]
    return f"{meaning} (objective `{objective}`)"
