"""The sentence that a test may say: a difference shown, or none shown at this sample size."""

from pipeline.evaluation.metrics.names import TESTED_WORDS

Number = float | None
FAMILY_NAMES = {"given_split": "on the given split", "resplits": "over the resplits", "measures": "over patients"}
# in pixels: the others lie in [0, 1]
UNBOUNDED = frozenset({"hd95", "mean_surface_distance"})


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
    name = name_of(metric)
    if p_adjusted is None:
        return f"not tested: the {name} of {a} and {b} could not be compared on these rows"
    if p_adjusted < alpha:
        return (
            f"difference shown: {name} of {b} minus {a} {_signed(difference['value'])} "
            f"(interval {_signed(difference['low'])} to {_signed(difference['high'])}, "
            f"adjusted p = {p_adjusted:.2g})"
        )
    return (
        f"no difference shown at this sample size (smallest detectable {_limit(metric, smallest_detectable)})"
    )


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
    parts = [f"{test['verdict']} {FAMILY_NAMES[test['family']]}" for test in shown]
    silent = [test for test in rested if test["p_adjusted"] >= alpha]
    if silent and not shown:
        parts.append(f"no difference shown at this sample size (smallest detectable {_limits(silent)})")
    for family in FAMILY_NAMES:
        quiet = [test for test in silent if test["family"] == family]
        if shown and quiet:
            metrics = f"smallest detectable {_limits(quiet)}"
            parts.append(f"no difference shown at this sample size {FAMILY_NAMES[family]} ({metrics})")
    if any(test["test"] == "mcnemar_midp" and test["p_adjusted"] < alpha for test in made) and not any(
        test["metric"] == "accuracy" and test["family"] == "given_split" for test in shown
    ):
        parts.append(
            "McNemar's test alone shows an accuracy difference, which clustering by patient does not"
        )
    return "; ".join(parts)


def _limits(tests: list[dict]) -> str:
    """The smallest known detectable difference of each metric."""
    limits: dict[str, Number] = {}
    for test in tests:
        known, limit = limits.get(test["metric"]), test["smallest_detectable"]
        limits[test["metric"]] = limit if known is None or (limit is not None and limit < known) else known
    return ", ".join(_limit(metric, limit) for metric, limit in limits.items())


def name_of(metric: str) -> str:
    """A metric in a sentence."""
    return TESTED_WORDS.get(metric, metric.replace("_", " "))


def _limit(metric: str, limit: Number) -> str:
    name = name_of(metric)
    if limit is None:
        return f"{name} unknown: the arms do not vary"
    # Of a metric in [0, 1] a larger limit says that no difference whatever could have been shown.
    return f"{limit:.3f} {name}" if limit <= 1 or metric in UNBOUNDED else f"none: not even 1 {name}"


def _signed(value: Number) -> str:
    return "?" if value is None else f"{value:+.3f}"
