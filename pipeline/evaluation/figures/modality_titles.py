"""What tables and figures call the modalities and the parts of a split."""

TITLES = {
    "xray": "X-ray", "ct": "CT", "paired": "Paired", "shuffled_pairs": "Shuffled pairs (control)", "images": "Images",
    "out_of_fold": "Out of fold", "lungs": "Lung masks", "vision_text": "Vision and text",
    "valid": "Validation part", "test": "Test part",
}  # fmt: skip


def title_of(modality: str) -> str:
    """The title of a modality or of a part, or its name in words."""
    return TITLES.get(modality, modality.replace("_", " "))
