"""The sentence that a test may say: a difference shown, or none shown at this sample size."""

from collections.abc import Mapping

from pipeline.evaluation.comparison.words import FAMILIES
from pipeline.evaluation.metrics.names import metric_words

Number = float | None
# in pixels: the others lie in [0, 1]
UNBOUNDED = frozenset({"hd95", "mean_surface_distance"})
NEVER_SHOWN = "none could be shown, however large"


def verdict(
    metric: str,
    a: str,
    b: str,
    p_adjusted: Number,
    difference: dict[str, Number],
    smallest_detectable: Number,
    alpha: float = 0.05,
) -> str:
    """One sentence on one test.

    difference: {"value", "low", "high"} of b - a in the metric's unit. A p that is not below `alpha` is never
    turned into evidence of equality: the sentence gives the smallest difference that would have been seen.
    """
    name = metric_words(metric)
    if p_adjusted is None:
        return f"not tested: the {name} of {a} and {b} could not be compared on these rows"
    if p_adjusted < alpha:
        return (
            f"difference shown: {name} of {b} minus {a} {_signed(difference['value'])} "
            f"(interval {_signed(difference['low'])} to {_signed(difference['high'])}, "
            f"adjusted p = {p_adjusted:.2g})"
        )
    return _no_difference({metric: smallest_detectable})


def overall_verdict(tests: list[dict], alpha: float = 0.05) -> str:
    """One sentence on one modality and one pair of arms, from its tests as `compare --json` lists them.

    It rests on the tests that respect patients (clustered permutation, resplits). McNemar's test, which takes
    scans as independent, is named only where it alone shows a difference.
    """
    made = [test for test in tests if test["p_adjusted"] is not None]
    rested = [test for test in made if test["test"] != "mcnemar_midp"]
    if not made:
        return "not tested: no comparison could be made on these rows"
    shown = [test for test in rested if test["p_adjusted"] < alpha]
    parts = [f"{test['verdict']} {FAMILIES[test['family']]}" for test in shown]
    silent = [test for test in rested if test["p_adjusted"] >= alpha]
    if silent and not shown:
        parts.append(_no_difference(_limits(silent)))
    for family, where in FAMILIES.items():
        quiet = [test for test in silent if test["family"] == family]
        if shown and quiet:
            parts.append(_no_difference(_limits(quiet), f" {where}"))
    if any(test["test"] == "mcnemar_midp" and test["p_adjusted"] < alpha for test in made) and not any(
        test["metric"] == "accuracy" and test["family"] == "given_split" for test in shown
    ):
        parts.append(
            "McNemar's test alone shows an accuracy difference, which clustering by patient does not"
        )
    return "; ".join(parts)


def is_beyond_reach(metric: str, limit: Number) -> bool:
    """Whether no difference whatever in a metric in [0, 1] could have been shown."""
    return limit is not None and limit > 1 and metric not in UNBOUNDED


def _no_difference(limits: Mapping[str, Number], where: str = "") -> str:
    """limits: the smallest detectable difference of each metric."""
    known = {metric: limit for metric, limit in limits.items() if limit is not None and not is_beyond_reach(metric, limit)}
    never = [metric_words(metric) for metric, limit in limits.items() if is_beyond_reach(metric, limit)]
    unknown = [metric_words(metric) for metric, limit in limits.items() if limit is None]
    said = [
        "smallest detectable " + ", ".join(f"{limit:.3f} in {metric_words(metric)}" for metric, limit in known.items()),
        f"in {' and '.join(never)} {NEVER_SHOWN}",
        f"smallest detectable in {' and '.join(unknown)} unknown: the arms do not vary",
    ]
    told = [words for words, metrics in zip(said, (known, never, unknown), strict=True) if metrics]
    return f"no difference shown at this sample size{where} ({'; '.join(told)})"


def _limits(tests: list[dict]) -> dict[str, Number]:
    """The smallest known detectable difference of each metric."""
    limits: dict[str, Number] = {}
    for test in tests:
        known, limit = limits.get(test["metric"]), test["smallest_detectable"]
        limits[test["metric"]] = limit if known is None or (limit is not None and limit < known) else known
    return limits


def _signed(value: Number) -> str:
    return "?" if value is None else f"{value:+.3f}"
