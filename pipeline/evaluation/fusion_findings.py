"""Is a fusion better than both of its halves? The planned tests of a vision-and-text comparison, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.evaluation.comparison import Predictions, build_comparison
from pipeline.evaluation.comparison_tests import ComparisonSettings, given_split_tests, judge, resplit_tests
from pipeline.evaluation.resplits import Resplits
from pipeline.evaluation.verdicts import overall_verdict

WHAT = "vision_text"
TESTS = ("clustered_permutation", "corrected_resampled_t")


def fusion_document(
    predictions: Predictions,
    resplits: Resplits,
    fused: Sequence[str],
    halves: Sequence[str],
    settings: ComparisonSettings,
    warnings: Sequence[str] = (),
) -> dict:
    """The document of `compare --json` with only the planned tests: each fused arm against each half.

    predictions: arm -> {"vision_text": table of out-of-fold probabilities (R, N)}. Holm's families hold these tests
    alone: comparisons that nobody asked for would only cost power. Key beyond `build_comparison`: better_than_both.
    Raises DataError as `build_comparison`.
    """
    # A control is described and not tested; what is tested follows.
    document = build_comparison(predictions, resplits, controls=(WHAT,), settings=settings, warnings=warnings)
    tables = {arm: by_name[WHAT] for arm, by_name in predictions.items()}
    tests: list[dict] = []
    for arm in fused:
        for half in halves:
            tests += given_split_tests(WHAT, half, arm, tables, settings)
            tests += resplit_tests(WHAT, half, arm, resplits, settings)
    # The original's ANOVA belongs to the adversarial comparison that it came from.
    document["tests"] = judge([test for test in tests if test["family"] is not None], settings)
    document["verdicts"] = [
        {"modality": WHAT, "a": half, "b": arm, "sentence": overall_verdict(_of(document["tests"], half, arm), settings.alpha)}
        for arm in fused for half in halves
    ]  # fmt: skip
    document["settings"]["controls"] = []
    document["better_than_both"] = [_both_halves(document["tests"], arm, halves, settings.alpha) for arm in fused]
    return document


def _of(tests: Sequence[dict], a: str, b: str) -> list[dict]:
    return [test for test in tests if test["a"] == a and test["b"] == b]


def _both_halves(tests: Sequence[dict], arm: str, halves: Sequence[str], alpha: float) -> dict:
    """An intersection-union test (Berger 1982): better than both is shown only where better than each is shown.

    The p of the whole is the largest of its parts, each adjusted by Holm within its family.
    """
    entry: dict = {"arm": arm, "shown": {}, "p_adjusted": {}, "gain": {}}
    for name in TESTS:
        parts = [test for half in halves for test in _of(tests, half, arm) if test["test"] == name and test["metric"] == "auc"]
        entry["gain"] |= {test["a"]: test["difference"] for test in parts if name == TESTS[0]}
        known = len(parts) == len(halves) and all(test["p_adjusted"] is not None for test in parts)
        largest = max((test["p_adjusted"] for test in parts), default=None) if known else None
        is_shown = known and all(test["difference"]["value"] > 0 and test["p_adjusted"] < alpha for test in parts)
        entry["shown"][name], entry["p_adjusted"][name] = bool(is_shown), largest
    entry["sentence"] = both_sentence(entry)
    return entry


def both_sentence(entry: Mapping) -> str:
    """What may be said of one fused arm against both halves."""
    gains = ", ".join(f"{_signed(gain)} against {half}" for half, gain in entry["gain"].items())
    if all(entry["shown"].values()):
        return f"{entry['arm']} is better than both halves by both tests (AUC {gains})"
    if any(entry["shown"].values()):
        seen = " and ".join(name for name, shown in entry["shown"].items() if shown)
        return f"{entry['arm']} better than both halves: shown by {seen} alone, so not settled (AUC {gains})"
    return f"{entry['arm']} better than both halves: not shown (AUC {gains})"


def _signed(gain: Mapping) -> str:
    return f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
