"""A classifier's metrics by group of patients, the gap between best and worst group, and a test of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.metrics.names import LOWER_IS_BETTER
from pipeline.evaluation.statistics.clusters import bootstrap_weights
from pipeline.evaluation.statistics.effect_sizes import smallest_detectable_difference
from pipeline.evaluation.statistics.intervals import Sizes, difference_of, interval_of, metric_draws
from pipeline.evaluation.statistics.p_values import holm
from pipeline.evaluation.studies.fairness_metrics import fairness_metrics, group_support
from pipeline.evaluation.studies.fairness_words import fairness_warnings, gap_verdict, no_gap
from pipeline.evaluation.studies.group_permutation import gap_permutation
from pipeline.evaluation.studies.patient_groups import PatientGroups, patient_groups
from pipeline.evaluation.tables.rows import Rows


@dataclass(frozen=True)
class FairnessSettings(Sizes):
    """Sizes and levels. A group with fewer than `smallest` patients to a metric is shown, but not ranked by it."""

    permutations: int = 2000
    smallest: int = 10


def fairness(
    rows: Rows, groups: PatientGroups | ArrayLike, column: str = "group", settings: FairnessSettings | None = None
) -> dict:
    """The document of one column, ready for json.dump.

    rows: one answer a row; without probabilities there is no AUC and no Brier score. groups: (N,) values or
    `patient_groups` of them. Two classes with a positive one give its sensitivity, specificity and so on, else the macro
    means and each class's sensitivity ("sensitivity:VIRAL").

    Returns {"schema_version", "column", "groups": {name: {"rows", "patients", "by_class", "small", "metrics": {metric:
    {"value", "low", "high", "patients", "ranked"}}}}, "overall": {metric: interval}, "gaps": {metric: {"best", "worst",
    "value", "low", "high", "standard_error", "p", "p_adjusted", "smallest_detectable", "verdict"}}, "worst_group":
    {"group", "metric"}, "settings", "warnings"}. A gap is best minus worst (>= 0), among groups with `smallest` patients
    to the metric. Its interval is that of these two groups' difference by bootstrap over patients; they were chosen for
    being extreme, which the permutation p accounts for and the interval does not. Holm runs over the metrics.
    Raises DataError.
    """
    settings = settings or FairnessSettings()
    codes = rows.clusters
    found = groups if isinstance(groups, PatientGroups) else patient_groups(groups, column)
    if found.codes.size != codes.size:
        raise DataError(f"{found.codes.size} group values for {codes.size} rows.", "Pass one for each row.")
    metrics = fairness_metrics(rows)
    masks = np.stack([found.codes == place for place in range(len(found.names))]).astype(np.float64)
    weights = bootstrap_weights(codes, settings.resamples, settings.seed)
    values = metric_draws(rows, masks, metrics)
    draws = {name: metric_draws(rows, weights * mask, metrics) for name, mask in zip(found.names, masks, strict=True)}
    everyone = np.ones((1, codes.size))
    whole, whole_draws = metric_draws(rows, everyone, metrics), metric_draws(rows, weights, metrics)
    support = {name: group_support(rows, codes, mask > 0, metrics) for name, mask in zip(found.names, masks, strict=True)}
    ranked = {
        m: [g for g, name in enumerate(found.names) if np.isfinite(values[m][g]) and support[name][m] >= settings.smallest]
        for m in metrics
    }
    document = {
        "schema_version": 1,
        "column": found.column,
        "banded": found.banded,
        "class_names": list(rows.class_names),
        "positive_class": rows.positive_class,
        "groups": {
            name: {
                **_counts(rows, codes, masks[place] > 0, settings),
                "metrics": {
                    m: {
                        **interval_of(values[m][place], draws[name][m], settings.level),
                        "patients": support[name][m],
                        "ranked": place in ranked[m],
                    }
                    for m in metrics
                },
            }
            for place, name in enumerate(found.names)
        },
        "overall": {m: interval_of(whole[m][0], whole_draws[m], settings.level) for m in metrics},
    }
    document["gaps"] = _gaps(rows, codes, found, metrics, values, draws, ranked, settings)
    document["worst_group"] = _worst(document["gaps"])
    document["settings"] = dict(vars(settings))
    document["warnings"] = fairness_warnings(document, found, rows.patients, settings.smallest)
    return document


def _counts(rows: Rows, codes: NDArray[np.intp], inside: NDArray[np.bool_], settings: FairnessSettings) -> dict:
    by_class = np.bincount(rows.truth[inside], minlength=len(rows.class_names))
    patients = int(np.unique(codes[inside]).size)
    return {
        "rows": int(inside.sum()),
        "patients": patients,
        "by_class": {name: int(count) for name, count in zip(rows.class_names, by_class, strict=True)},
        "small": patients < settings.smallest,
    }


def _gaps(
    rows: Rows,
    codes: NDArray[np.intp],
    groups: PatientGroups,
    metrics: Mapping[str, str],
    values: Mapping[str, NDArray[np.float64]],
    draws: Mapping[str, Mapping[str, NDArray[np.float64]]],
    ranked: Mapping[str, list[int]],
    settings: FairnessSettings,
) -> dict:
    tested = {metric: places for metric, places in ranked.items() if len(places) > 1}
    p_values = gap_permutation(rows, codes, groups, metrics, tested, settings.permutations, settings.seed)
    adjusted = dict(zip(metrics, holm([p_values.get(metric) for metric in metrics]), strict=True))
    gaps = {}
    for metric in metrics:
        if metric not in tested:
            gaps[metric] = no_gap(settings.smallest)
            continue
        sign = -1 if metric in LOWER_IS_BETTER else 1
        best, worst = (function(tested[metric], key=lambda g: sign * values[metric][g]) for function in (max, min))
        spread = sign * (draws[groups.names[best]][metric] - draws[groups.names[worst]][metric])
        gap = {
            "best": groups.names[best],
            "worst": groups.names[worst],
            **difference_of(sign * (values[metric][best] - values[metric][worst]), spread, settings.level),
            "p": p_values[metric],
            "p_adjusted": adjusted[metric],
        }
        alpha = settings.alpha / len(tested)
        gap["smallest_detectable"] = smallest_detectable_difference(gap["standard_error"], alpha, settings.power)
        gaps[metric] = {**gap, "verdict": gap_verdict(metric, gap, settings.alpha)}
    return gaps


def _worst(gaps: Mapping[str, dict]) -> dict:
    """The group worst by balanced accuracy, which a group's mix of classes does not move; else by accuracy."""
    for metric in ("balanced_accuracy", "accuracy"):
        if gaps[metric]["worst"] is not None:
            return {"group": gaps[metric]["worst"], "metric": metric}
    return {"group": None, "metric": None}
