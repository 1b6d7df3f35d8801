"""Multi-reader multi-case analysis: does the difference hold for new readers and new cases?"""

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from scipy.stats import t as student

from pipeline.engine.errors import DataError, UsageError
from pipeline.evaluation.metrics.classification import defined, metric_arrays
from pipeline.evaluation.metrics.names import BINARY_METRICS
from pipeline.evaluation.statistics.clusters import cluster_codes
from pipeline.evaluation.tables.rows import UNNAMED, Rows, checked_labels

MRMC_METRICS = ("sensitivity", "specificity", "auc")


@dataclass(frozen=True)
class ErrorCovariances:
    """Of the estimates of one study: variance, same reader across arms (cov1), two readers in one arm (cov2), two readers
    across arms (cov3); `within`: cov2 of each arm alone. Squares of the metric's unit."""

    variance: float
    cov1: float
    cov2: float
    cov3: float
    within: tuple[float, float]


def mrmc_analysis(
    truth: ArrayLike, scores: ArrayLike, clusters: ArrayLike, metric: str, threshold: float = 0.5, level: float = 0.95
) -> dict:
    """Difference of arm 1 minus arm 0 of a fully crossed study in one of MRMC_METRICS.

    truth: (N,) 0/1; scores: (2, J, N) in [0, 1], arm, reader, case (calls of 0/1 will do); clusters: (N,) patient ids.
    Covariances by jackknife over patients. Returns `or_analysis` and "estimates" (2 lists of J), "metric". With calls of
    0/1 the AUC is (sensitivity + specificity) / 2. Raises DataError, UsageError for another metric.
    """
    if metric not in MRMC_METRICS:
        raise UsageError(f"There is no reader analysis of {metric!r}.", f"Name one of {', '.join(MRMC_METRICS)}.")
    positive = checked_labels(truth)
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 3 or values.shape[0] != 2 or values.shape[2] != positive.size:
        raise DataError(
            f"Scores have shape {values.shape}, expected (2, readers, {positive.size}).", "Every reader reads every case twice."
        )
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise DataError("A reader's score is not a number in [0, 1].", "Divide ratings by their highest value.")
    estimates, jackknifed = jackknife(positive, values, cluster_codes(clusters), metric, threshold)
    result = or_analysis(estimates, error_covariances(jackknifed), level)
    return {"metric": metric, "estimates": estimates.tolist(), **result}


def jackknife(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], codes: NDArray[np.intp], metric: str, threshold: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimates (2, J) and what they are without each patient (C, 2, J).

    Only patients that the metric looks at are left out in turn: those with a positive case for the sensitivity, with a
    negative one for the specificity. Raises DataError where a class has fewer than two such patients.
    """
    seen = {"sensitivity": positive, "specificity": ~positive, "auc": np.ones_like(positive)}[metric]
    patients = np.unique(codes[seen])
    for name, rows in (("positive", positive), ("negative", ~positive)):
        if (metric == "auc" or rows is seen) and np.unique(codes[rows]).size < 2:
            raise DataError(f"The {metric} needs {name} cases of two patients or more.", "Read more cases.")
    arms, readers, rows = scores.shape
    weights = np.concatenate([np.ones((1, rows)), (codes[None, :] != patients[:, None]).astype(np.float64)])
    source = BINARY_METRICS[metric].format(UNNAMED[1])
    every = Rows.binary(positive, scores.reshape(arms * readers, rows), threshold=threshold)
    values = metric_arrays(every, weights, [source])[source]
    values = values.reshape(-1, arms, readers)
    if not np.isfinite(values).all():
        raise DataError(f"The {metric} is undefined without one of the patients.", "Read more cases.")
    return values[0], values[1:]


def error_covariances(jackknifed: NDArray[np.float64]) -> ErrorCovariances:
    """Means of the jackknife's covariances (C, 2, J) over the pairs that share reader, arm, or neither."""
    count, arms, readers = jackknifed.shape
    flat = jackknifed.reshape(count, arms * readers)
    centred = flat - flat.mean(axis=0)
    matrix = ((count - 1) / count * centred.T @ centred).reshape(arms, readers, arms, readers)
    same_arm = [matrix[arm, :, arm, :] for arm in range(arms)]
    apart = ~np.eye(readers, dtype=bool)
    within = [float(block[apart].mean()) if readers > 1 else 0.0 for block in same_arm]
    across = matrix[0, :, 1, :]
    return ErrorCovariances(
        variance=float(np.mean([np.diag(block).mean() for block in same_arm])),
        cov1=float(np.diag(across).mean()),
        cov2=float(np.mean(within)),
        cov3=float(across[apart].mean()) if readers > 1 else 0.0,
        within=(within[0], within[1]),
    )


def or_analysis(estimates: NDArray[np.float64], errors: ErrorCovariances, level: float = 0.95) -> dict:
    """Obuchowski & Rockette's analysis (1995, Commun Stat B 24) with Hillis' degrees of freedom (2007, Stat Med 26).

    estimates: (2, J) of one metric. Returns {"without", "with": {"value", "low", "high"}, "difference": {"value", "low",
    "high", "standard_error", "df", "statistic", "p"} for new readers and new cases, "fixed_readers": the same for these
    readers and new cases, "fixed_cases": for new readers and these cases, "components"}. With one reader only
    "fixed_readers" can be said; what cannot is None. Intervals of a single arm are cut at 0 and 1. Negative estimates of
    cov2 - cov3 and of cov2 count as 0, as Hillis has it. Equals the DBM analysis of pseudo-values.
    """
    readers = estimates.shape[1]
    arm_means, reader_means = estimates.mean(axis=1), estimates.mean(axis=0)
    gap = float(arm_means[1] - arm_means[0])
    shared = readers * max(errors.cov2 - errors.cov3, 0.0)
    interaction = estimates - arm_means[:, None] - reader_means[None, :] + estimates.mean()
    crossed = float(np.sum(interaction**2) / (readers - 1)) if readers > 1 else math.nan
    fixed = 2 / readers * (errors.variance - errors.cov1 + (readers - 1) * max(errors.cov2 - errors.cov3, 0.0))
    singles = [_single_arm(estimates[arm], errors.within[arm], level) for arm in (0, 1)]
    return {
        "without": singles[0],
        "with": singles[1],
        "difference": _test(gap, 2 / readers * (crossed + shared), _hillis_df(crossed, shared, readers), level),
        "fixed_readers": _test(gap, max(fixed, 0.0), math.inf, level),
        "fixed_cases": _test(gap, 2 / readers * crossed, float(readers - 1), level),
        "components": {
            "ms_arm": float(readers * np.sum((arm_means - arm_means.mean()) ** 2)),
            "ms_arm_reader": defined(crossed),
            **{name: value for name, value in asdict(errors).items() if name != "within"},
        },
    }


def _hillis_df(mean_square: float, shared: float, readers: int) -> float:
    if not mean_square > 0:
        # readers who all gain alike leave only the cases' spread, which the jackknife knows well
        return math.inf
    return (mean_square + shared) ** 2 / (mean_square**2 / (readers - 1))


def _test(gap: float, variance: float, freedom: float, level: float) -> dict:
    names = ("low", "high", "standard_error", "df", "statistic", "p")
    if not math.isfinite(variance):
        return {"value": gap, **dict.fromkeys(names)}
    error = math.sqrt(variance)
    if error <= 1e-12:
        same = abs(gap) <= 1e-12
        made = (gap, gap, 0.0, None, 0.0 if same else None, 1.0 if same else None)
        return {"value": gap, **dict(zip(names, made, strict=True))}
    law = norm if math.isinf(freedom) else student(freedom)
    half = float(law.ppf((1 + level) / 2)) * error
    statistic = gap / error
    made = (gap - half, gap + half, error, defined(freedom), statistic, float(2 * law.sf(abs(statistic))))
    return {"value": gap, **dict(zip(names, made, strict=True))}


def _single_arm(estimates: NDArray[np.float64], cov2: float, level: float) -> dict:
    value, readers = float(estimates.mean()), estimates.size
    if readers < 2:
        return {"value": value, "low": None, "high": None}
    mean_square, shared = float(estimates.var(ddof=1)), readers * max(cov2, 0.0)
    test = _test(value, (mean_square + shared) / readers, _hillis_df(mean_square, shared, readers), level)
    return {"value": value, "low": max(0.0, test["low"]), "high": min(1.0, test["high"])}
