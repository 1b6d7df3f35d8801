"""Paired comparison of classifiers of K classes on the same scans, as one document."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.tests import ComparisonSettings, judge
from pipeline.evaluation.comparison.verdicts import overall_verdict
from pipeline.evaluation.metrics.multiclass import confusion_matrix
from pipeline.evaluation.statistics.clusters import cluster_note
from pipeline.evaluation.statistics.effect_sizes import cohens_g, paired_d
from pipeline.evaluation.statistics.multiclass_intervals import (
    checked_clusters,
    metric_draws,
    multiclass_difference,
    multiclass_intervals,
)
from pipeline.evaluation.statistics.multiclass_permutation import PERMUTED_METRICS, multiclass_permutation
from pipeline.evaluation.statistics.paired_tests import mcnemar_midp
from pipeline.evaluation.statistics.resampled_tests import corrected_resampled_t
from pipeline.evaluation.tables.multiclass_inputs import ClassifiedRows, checked_rows

FAMILIES = {
    "given_split": "McNemar mid-p and the clustered permutation tests of accuracy, macro F1 and macro AUC, of every pair of arms",
    "resplits": "the corrected resampled t-tests over the folds, of the same metrics and pairs",
}


def compare_classifiers(
    arms: Mapping[str, ArrayLike],
    true_index: ArrayLike,
    clusters: ArrayLike,
    class_names: Sequence[str],
    *,
    folds: ArrayLike | None = None,
    settings: ComparisonSettings | None = None,
    warnings: Sequence[str] = (),
) -> dict:
    """Arms, metrics with intervals, paired tests with Holm and one verdict for each pair; ready for json.dump.

    arms: name -> probabilities (N, K) of the same rows; true_index: (N,) int; clusters: (N,) patient ids; folds:
    (N,) number or name of the fold in which a row was tested, where the rows are out-of-fold answers: adds the
    corrected resampled t-test. A test's `a` comes before its `b`, every difference is b - a.

    Returns {"schema_version", "arms", "class_names", "metrics": {arm: as multiclass_intervals}, "confusion": {arm:
    K lists of K}, "counts", "tests", "verdicts": [{"a", "b", "sentence"}], "families", "settings", "warnings"};
    tests have the keys of `compare --json`. No test is ever evidence of equality: where none shows a difference the
    sentence names the smallest that would have been seen. Raises DataError.
    """
    settings = settings or ComparisonSettings()
    if not arms:
        raise DataError("There are no classifiers to compare.", "Name at least one arm with its probabilities.")
    rows = {name: checked_rows(true_index, values, class_names) for name, values in arms.items()}
    any_rows = next(iter(rows.values()))
    codes = checked_clusters(clusters, any_rows)
    fold_codes = None if folds is None else _checked_folds(folds, codes)
    tests: list[dict] = []
    for a, b in combinations(rows, 2):
        tests += _given_rows(a, b, rows, codes, settings)
        if fold_codes is not None:
            tests += _over_folds(a, b, rows, fold_codes, settings)
    tests = judge(tests, settings)
    note = cluster_note(clusters)
    return {
        "schema_version": 1,
        "arms": list(rows),
        "class_names": list(any_rows.class_names),
        "metrics": {
            name: multiclass_intervals(
                true_index, values, class_names, clusters, settings.seed, settings.resamples, settings.level
            )
            for name, values in arms.items()
        },
        "confusion": {name: confusion_matrix(arm).tolist() for name, arm in rows.items()},
        "counts": _counts(any_rows, codes),
        "tests": tests,
        "verdicts": [_overall(a, b, tests, settings.alpha) for a, b in combinations(rows, 2)],
        "families": {name: FAMILIES[name] for name in dict.fromkeys(test["family"] for test in tests)},
        "settings": dict(vars(settings)),
        "warnings": [*warnings, *([note] if note else [])],
    }


def _given_rows(
    a: str, b: str, arms: Mapping[str, ClassifiedRows], codes: NDArray[np.intp], settings: ComparisonSettings
) -> Iterator[dict]:
    first, second = arms[a], arms[b]
    right = [rows.predicted == rows.true_index for rows in (first, second)]
    only_a, only_b = int(np.sum(right[0] & ~right[1])), int(np.sum(~right[0] & right[1]))
    differences = multiclass_difference(first, second, codes, PERMUTED_METRICS, settings.seed, settings.resamples, settings.level)
    shared = {"a": a, "b": b, "rows": int(codes.size), "family": "given_split"}
    yield {
        **shared,
        "metric": "accuracy",
        "test": "mcnemar_midp",
        "statistic": float(min(only_a, only_b)),
        "p": mcnemar_midp(only_a, only_b),
        "effect": cohens_g(*right, codes, settings.level),
        "n": int(codes.size),
        "n_unit": "scans, taken as independent",
        "discordant": {"a_only_right": only_a, "b_only_right": only_b},
        "difference": differences["accuracy"],
    }
    permuted = multiclass_permutation(first, second, codes, settings.permutations, settings.seed)
    for metric, result in permuted.items():
        bounds = {key: differences[metric][key] for key in ("value", "low", "high")}
        yield {
            **shared,
            "metric": metric,
            "test": "clustered_permutation",
            "statistic": result.statistic,
            "p": result.p,
            "effect": {"name": "difference", **bounds},
            "n": result.clusters,
            "n_unit": "patients",
            "difference": differences[metric],
        }


def _over_folds(
    a: str, b: str, arms: Mapping[str, ClassifiedRows], folds: NDArray[np.intp], settings: ComparisonSettings
) -> Iterator[dict]:
    """Corrected resampled t of each metric; folds that leave a metric undefined are left out."""
    inside = (folds[None, :] == np.arange(folds.max() + 1)[:, None]).astype(np.float64)
    sizes = inside.sum(axis=1)
    ratio = float(np.mean(sizes / (folds.size - sizes)))
    draws = [metric_draws(arms[name], inside) for name in (a, b)]
    for metric in PERMUTED_METRICS:
        differences = draws[1][metric] - draws[0][metric]
        differences = differences[np.isfinite(differences)]
        if differences.size < 2:
            continue
        result = corrected_resampled_t(differences, ratio, settings.level)
        yield {
            "a": a,
            "b": b,
            "metric": metric,
            "test": "corrected_resampled_t",
            "statistic": result.statistic,
            "p": result.p,
            "effect": paired_d(result, ratio, settings.level),
            "n": result.folds,
            "n_unit": "patient-grouped folds",
            "family": "resplits",
            "difference": {
                "value": result.mean,
                "low": result.low,
                "high": result.high,
                "standard_error": result.standard_error,
            },
        }


def _checked_folds(folds: ArrayLike, codes: NDArray[np.intp]) -> NDArray[np.intp]:
    names, numbers = np.unique(np.asarray(folds), return_inverse=True)
    if numbers.shape != codes.shape or names.size < 2:
        raise DataError(
            f"Folds have shape {np.shape(folds)} and {names.size} value(s).", "Pass the fold of each row, two or more."
        )
    for cluster in np.unique(codes):
        if np.unique(numbers[codes == cluster]).size > 1:
            raise DataError("Rows of one patient were tested in different folds.", "Make the folds by patient.")
    return numbers


def _counts(rows: ClassifiedRows, codes: NDArray[np.intp]) -> dict:
    by_class = np.bincount(rows.true_index, minlength=len(rows.class_names))
    return {
        "rows": int(codes.size),
        "clusters": int(codes.max()) + 1,
        "by_class": {name: int(count) for name, count in zip(rows.class_names, by_class, strict=True)},
    }


def _overall(a: str, b: str, tests: list[dict], alpha: float) -> dict:
    mine = [test for test in tests if (test["a"], test["b"]) == (a, b)]
    return {"a": a, "b": b, "sentence": overall_verdict(mine, alpha)}
