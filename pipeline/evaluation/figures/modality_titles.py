"""What tables and figures call the modalities."""

TITLES = {
    "xray": "X-ray", "ct": "CT", "paired": "Paired", "shuffled_pairs": "Shuffled pairs (control)", "images": "Images",
    "out_of_fold": "Out of fold", "lungs": "Lung masks", "vision_text": "Vision and text",
}  # fmt: skip


def title_of(modality: str) -> str:
    """The title of a modality, or its name in words."""
    return TITLES.get(modality, modality.replace("_", " "))
