"""The tests of one pair of arms on one modality, as rows of `compare --json`."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.comparison.verdicts import verdict
from pipeline.evaluation.statistics.effect_sizes import (
    cohens_g,
    paired_d,
    smallest_attainable_difference,
    smallest_detectable_difference,
)
from pipeline.evaluation.statistics.intervals import RESAMPLES, difference_interval
from pipeline.evaluation.statistics.multiplicity import holm
from pipeline.evaluation.statistics.original_anova import CAUTION, original_anova
from pipeline.evaluation.statistics.paired_tests import PERMUTATIONS, clustered_permutation, mcnemar_midp, right_rows
from pipeline.evaluation.statistics.resampled_tests import corrected_resampled_t
from pipeline.evaluation.tables.prediction_table import PredictionTable
from pipeline.evaluation.tables.resplits import Resplits

TESTED_METRICS = ("accuracy", "auc")
FAMILIES = {
    "given_split": "McNemar mid-p and both clustered permutation tests, of every modality and pair of arms",
    "resplits": "the corrected resampled t-tests of accuracy and AUC, of every modality and pair of arms",
}


@dataclass(frozen=True)
class ComparisonSettings:
    """Sizes and levels of the tests; seed is the bootstrap's and the permutations'."""

    resamples: int = RESAMPLES
    permutations: int = PERMUTATIONS
    level: float = 0.95
    alpha: float = 0.05
    power: float = 0.8
    threshold: float = 0.5
    seed: int = 0


def given_split_tests(
    modality: str, a: str, b: str, tables: dict[str, PredictionTable], settings: ComparisonSettings
) -> Iterator[dict]:
    """McNemar, permutation (accuracy, AUC) and the original's ANOVA on aligned tables of arms `a` and `b`."""
    first, second = tables[a], tables[b]
    names = {"modality": modality, "a": a, "b": b}
    differences = difference_interval(
        first.labels,
        first.seed_mean,
        second.seed_mean,
        first.clusters,
        settings.resamples,
        settings.seed,
        settings.level,
        settings.threshold,
    )
    right = right_rows(first.labels, first.seed_mean, second.seed_mean, settings.threshold)
    only_a, only_b = int(np.sum(right[0] & ~right[1])), int(np.sum(~right[0] & right[1]))
    yield {
        **names,
        "metric": "accuracy",
        "test": "mcnemar_midp",
        "statistic": float(min(only_a, only_b)),
        "p": mcnemar_midp(only_a, only_b),
        "effect": cohens_g(*right, first.clusters, settings.level),
        "n": int(first.labels.size),
        "n_unit": "scans, taken as independent",
        "family": "given_split",
        "rows": int(first.labels.size),
        "discordant": {"a_only_right": only_a, "b_only_right": only_b},
        "difference": differences["accuracy"],
    }
    permuted = clustered_permutation(
        first.labels,
        first.seed_mean,
        second.seed_mean,
        first.clusters,
        settings.permutations,
        settings.seed,
        settings.threshold,
    )
    for metric in TESTED_METRICS:
        yield {
            **names,
            "metric": metric,
            "test": "clustered_permutation",
            "statistic": permuted[metric].statistic,
            "p": permuted[metric].p,
            "effect": {"name": "difference", **_bounds(differences[metric])},
            "n": permuted[metric].clusters,
            "n_unit": "patients",
            "rows": int(first.labels.size),
            "family": "given_split",
            "difference": differences[metric],
        }
    yield _anova_row(names, first, second)


def resplit_tests(
    modality: str, a: str, b: str, resplits: Resplits, settings: ComparisonSettings
) -> Iterator[dict]:
    """Corrected resampled t of each tested metric that the resplits hold for both arms."""
    for metric in TESTED_METRICS:
        columns = [resplits.column(arm, modality, metric) for arm in (a, b)]
        if columns[0] is None or columns[1] is None:
            continue
        differences = columns[1] - columns[0]
        differences = differences[np.isfinite(differences)]
        if differences.size < 2:
            continue
        ratio = resplits.ratio(modality)
        result = corrected_resampled_t(differences, ratio, settings.level)
        yield {
            "modality": modality,
            "a": a,
            "b": b,
            "metric": metric,
            "test": "corrected_resampled_t",
            "statistic": result.statistic,
            "p": result.p,
            "effect": paired_d(result, ratio, settings.level),
            "n": result.folds,
            "n_unit": "patient-grouped resplits",
            "family": "resplits",
            "difference": {
                "value": result.mean,
                "low": result.low,
                "high": result.high,
                "standard_error": result.standard_error,
            },
        }


def judge(tests: list[dict], settings: ComparisonSettings) -> list[dict]:
    """The tests with `p_adjusted` (Holm within each family), `smallest_detectable` and `verdict` added.

    The smallest detectable difference holds for a test at alpha / family size, Holm's first step.
    """
    judged = [dict(test) for test in tests]
    for family in FAMILIES:
        members = [test for test in judged if test["family"] == family]
        size = sum(test["p"] is not None for test in members)
        for test, adjusted in zip(members, holm([test["p"] for test in members]), strict=True):
            limit = _detectable(test, settings.alpha / max(1, size), settings.power)
            test["p_adjusted"] = adjusted
            test["smallest_detectable"] = limit
            test["verdict"] = verdict(
                test["metric"], test["a"], test["b"], adjusted, test["difference"], limit, settings.alpha
            )
    return judged


def _detectable(test: dict, alpha: float, power: float) -> float | None:
    freedom = test["n"] - 1 if test["family"] == "resplits" else None
    limit = smallest_detectable_difference(test["difference"]["standard_error"], alpha, power, freedom)
    if test["metric"] == "accuracy" and freedom is None:
        # arms that hardly ever differ have hardly any standard error, yet a test needs a few rows
        return max(limit or 0.0, smallest_attainable_difference(test["rows"], alpha))
    return limit


def _anova_row(names: dict, first: PredictionTable, second: PredictionTable) -> dict:
    vectors = np.concatenate([first.probabilities, second.probabilities])
    small = vectors.shape[1] < 2
    result = None if small else original_anova(vectors)
    return {
        **names,
        "metric": "probability",
        "test": "original_anova",
        "statistic": result.statistic if result else None,
        "p": result.p if result else None,
        "p_adjusted": None,
        "effect": {
            "name": "eta_squared",
            "value": result.eta_squared if result else None,
            "low": None,
            "high": None,
        },
        "n": int(vectors.shape[0]),
        "n_unit": "probability vectors",
        "family": None,
        "caution": CAUTION,
        "difference": None,
        "smallest_detectable": None,
        "verdict": f"no verdict on the arms: {CAUTION}",
    }


def _bounds(interval: dict) -> dict:
    return {key: interval[key] for key in ("value", "low", "high")}
