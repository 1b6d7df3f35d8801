"""What tables and figures call the modalities."""

TITLES = {"xray": "X-ray", "ct": "CT", "paired": "Paired", "shuffled_pairs": "Shuffled pairs (control)"}


def title_of(modality: str) -> str:
    """The title of a modality, or its name in words."""
    return TITLES.get(modality, modality.replace("_", " "))
