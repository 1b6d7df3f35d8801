"""What people are told for a test, an effect, a family of tests and a chosen arm; documents keep the names."""

from collections.abc import Collection

TESTS = {
    "mcnemar_midp": "McNemar mid-p",
    "clustered_permutation": "clustered permutation",
    "corrected_resampled_t": "corrected resampled t",
    "original_anova": "original ANOVA",
    "sign_flip_permutation": "sign-flip permutation",
    "wilcoxon_signed_rank": "Wilcoxon signed ranks",
}
EFFECTS = {
    "difference": "difference", "cohens_g": "Cohen's g", "paired_d": "paired d", "eta_squared": "eta squared",
    "rank_biserial": "rank-biserial correlation",
}  # fmt: skip
FAMILIES = {"given_split": "on the given split", "resplits": "over the resplits", "measures": "over patients"}


def choice_words(candidates: Collection[str], chosen: str, what: str = "variant") -> str:
    """How an arm came to be the run's: where there was one candidate, nothing was chosen. chosen: as it is to be written."""
    return f"validation chose {chosen}" if len(candidates) > 1 else f"{chosen} is the only {what} that was trained"


def sentence(words: str) -> str:
    """The words with a capital at their head."""
    return words[:1].upper() + words[1:]
