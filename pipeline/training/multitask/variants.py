"""The variants of the shared extractor, which are the arms of a comparison. Importable without TensorFlow."""

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
