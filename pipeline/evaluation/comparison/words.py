"""What people are told for a test, an effect and a family of tests; documents keep the names."""

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
