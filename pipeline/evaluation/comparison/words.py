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
# of what a test's arms, or a table's figures, are the answers
TRAINING, TRAININGS, ENSEMBLE, RESPLIT = "one training", "mean of trainings", "ensemble of trainings", "one training a resplit"
GIVEN_SPLIT, RESPLITS, MEASURES = "given_split", "resplits", "measures"
FAMILIES = {GIVEN_SPLIT: "on the given split", RESPLITS: "over the resplits", MEASURES: "over patients"}


def estimand_words(counts: Collection[int], estimand: str = TRAININGS) -> str:
    """What figures of arms of that many trainings each are: "one training", "mean of 10 trainings", "ensemble of 5 to 10
    trainings"."""
    fewest, most = min(counts, default=1), max(counts, default=1)
    said = str(most) if fewest == most else f"{fewest} to {most}"
    return TRAINING if most == 1 else estimand.replace("of trainings", f"of {said} trainings")


def choice_words(candidates: Collection[str], chosen: str, what: str = "variant") -> str:
    """How an arm came to be the run's: where there was one candidate, nothing was chosen. chosen: as it is to be written."""
    return f"validation chose {chosen}" if len(candidates) > 1 else f"{chosen} is the only {what} that was trained"


def sentence(words: str) -> str:
    """The words with a capital at their head."""
    return words[:1].upper() + words[1:]
