"""Is a fusion better than both of its halves? The planned tests of a vision-and-text comparison, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.comparison.words import TESTS as TEST_WORDS
from pipeline.evaluation.statistics.p_values import holm
from pipeline.evaluation.tables.resplits import Resplits
from pipeline.evaluation.tables.rows import Arms

WHAT = "vision_text"
TESTS = ("clustered_permutation", "corrected_resampled_t")
PLANNED = {
    "given_split": "clustered permutation of the out-of-fold AUC, each fused arm against each half",
    "resplits": "corrected resampled t of the AUC over the folds of all repeats, each fused arm against each half",
}


def fusion_document(
    arms: Arms,
    resplits: Resplits,
    fused: Sequence[str],
    halves: Sequence[str],
    settings: ComparisonSettings,
    warnings: Sequence[str] = (),
) -> dict:
    """The document of `compare --json` with only the planned tests: each fused arm against each half.

    arms: arm -> {"vision_text": rows of out-of-fold probabilities}. The question is one of ranking, so the AUC alone is
    tested, and Holm's families hold these tests alone: comparisons that nobody asked for would only cost power. Key
    beyond `build_comparison`: better_than_both. Raises DataError as `build_comparison`.
    """
    pairs = [(half, arm) for arm in fused for half in halves]
    document = build_comparison(arms, resplits, pairs=pairs, metrics=("auc",), settings=settings, warnings=warnings)
    document["families"] = dict(PLANNED)
    document["better_than_both"] = better_than_both(document["tests"], fused, halves, settings.alpha)
    return document


def _of(tests: Sequence[dict], a: str, b: str) -> list[dict]:
    return [test for test in tests if test["a"] == a and test["b"] == b]


def better_than_both(tests: Sequence[dict], fused: Sequence[str], halves: Sequence[str], alpha: float) -> list[dict]:
    """One entry a fused arm: {"arm", "gain": {half: difference}, "p", "p_adjusted", "shown": {test: …}, "sentence"}.

    An intersection-union test (Berger 1982, Technometrics 24): an arm is better than both halves where it is better
    than each, so the p of the claim is the larger of the two, and needs no adjustment for there being two. Holm's
    adjustment is over the fused arms.
    """
    entries = []
    for arm in fused:
        parts = {name: [test for half in halves for test in _of(tests, half, arm) if test["test"] == name] for name in TESTS}
        gain = {test["a"]: test["difference"] for test in parts[TESTS[0]]}
        entries.append({"arm": arm, "gain": gain, "p": {name: _larger_p(parts[name]) for name in TESTS}})
    adjusted = {name: holm([entry["p"][name] for entry in entries]) for name in TESTS}
    for position, entry in enumerate(entries):
        entry["p_adjusted"] = {name: adjusted[name][position] for name in TESTS}
        gains = all(gain["value"] > 0 for gain in entry["gain"].values())
        entry["shown"] = {name: gains and p is not None and p < alpha for name, p in entry["p_adjusted"].items()}
        entry["sentence"] = both_sentence(entry)
    return entries


def _larger_p(parts: Sequence[dict]) -> float | None:
    values = [test["p"] for test in parts]
    return None if not values or any(p is None for p in values) else max(values)


def both_sentence(entry: Mapping) -> str:
    """What may be said of one fused arm against both halves."""
    gains = ", ".join(f"{interval_text(gain, signed=True)} against {half}" for half, gain in entry["gain"].items())
    if all(entry["shown"].values()):
        return f"{entry['arm']} is better than both halves by both tests (AUC {gains})"
    if any(entry["shown"].values()):
        seen = " and ".join(TEST_WORDS[name] for name, shown in entry["shown"].items() if shown)
        return f"{entry['arm']} better than both halves: shown by {seen} alone, so not settled (AUC {gains})"
    return f"{entry['arm']} better than both halves: not shown (AUC {gains})"
