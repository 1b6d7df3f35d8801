"""A reader study: what AI changes in sensitivity, specificity and AUC, for each reader and for readers at large."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.comparison.tests import judge
from pipeline.evaluation.metrics.classification import binary_counts
from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes, cluster_note
from pipeline.evaluation.statistics.intervals import Sizes, difference_interval, metric_intervals
from pipeline.evaluation.statistics.paired_tests import mcnemar_midp
from pipeline.evaluation.studies.mrmc import MRMC_METRICS, mrmc_analysis
from pipeline.evaluation.studies.reader_agreement import reader_agreement
from pipeline.evaluation.studies.reader_calls import ARMS, ReaderCalls
from pipeline.evaluation.tables.rows import UNNAMED, Rows

READER_METRICS = ("sensitivity", "specificity", "accuracy", "auc")
FAMILIES = {
    "readers": "McNemar mid-p of the sensitivity and of the specificity of every reader",
    "study": "the multi-reader multi-case tests of sensitivity, specificity and AUC",
}
BINARY_NOTE = "the calls are 0 or 1, so the AUC is no more than the mean of sensitivity and specificity"
FEW_READERS = "{count} readers: an analysis that generalises to other readers is weak with fewer than four"


@dataclass(frozen=True)
class ReaderStudySettings(Sizes):
    """Sizes and levels. A score of `threshold` or more is a positive call."""

    threshold: float = 0.5


def reader_study(study: ReaderCalls, settings: ReaderStudySettings | None = None) -> dict:
    """The document of a study, ready for json.dump.

    Keys: schema_version, readers, counts, scored (any call more than 0/1), per_reader (reader -> "without", "with":
    {metric: interval, "confusion"}, "difference": {metric: interval}), mean_reader (the same of the mean over these
    readers), mrmc (metric -> `mrmc_analysis`), agreement, tests (family "readers": McNemar's mid-p for each reader;
    "study": Obuchowski-Rockette; Holm within each), families, settings, warnings. Differences are with minus without AI;
    intervals are by bootstrap over patients (`mrmc`: by Student's t). Raises DataError.
    """
    settings = settings or ReaderStudySettings()
    codes = cluster_codes(study.patient_ids)
    weights = bootstrap_weights(codes, settings.resamples, settings.seed).astype(np.float64)
    per_reader = {name: _arms(study, study.calls[:, place : place + 1], settings) for place, name in enumerate(study.readers)}
    mrmc = {
        metric: mrmc_analysis(study.truth, study.calls, study.patient_ids, metric, settings.threshold, settings.level)
        for metric in MRMC_METRICS
    }
    tests = [*_reader_tests(study, per_reader, settings), *_study_tests(mrmc)]
    return {
        "schema_version": 1,
        "readers": list(study.readers),
        "counts": {
            "cases": int(study.truth.size),
            "positive": int(study.truth.sum()),
            "patients": int(codes.max()) + 1,
            "readers": len(study.readers),
        },
        "scored": study.scored,
        "per_reader": per_reader,
        "mean_reader": _arms(study, study.calls, settings),
        "mrmc": mrmc,
        "agreement": reader_agreement(study, weights, settings.threshold, settings.level),
        "tests": judge(tests, settings, FAMILIES, ("reading without AI", "reading with AI")),
        "families": dict(FAMILIES),
        "settings": dict(vars(settings)),
        "warnings": _warnings(study),
    }


def _arms(study: ReaderCalls, calls: NDArray[np.float64], settings: ReaderStudySettings) -> dict:
    """Metrics of the arms and of their difference: of one reader (2, 1, N), or the mean over several (2, J, N)."""
    sizes = (binary_names(UNNAMED[1], READER_METRICS), settings.resamples, settings.seed, settings.level)
    arms = [Rows.binary(study.truth, arm, study.patient_ids, threshold=settings.threshold) for arm in calls]
    made: dict = {name: dict(metric_intervals(rows, *sizes)) for name, rows in zip(ARMS, arms, strict=True)}
    if calls.shape[1] == 1:
        for name, rows in zip(ARMS, arms, strict=True):
            made[name]["confusion"] = binary_counts(rows)
    made["difference"] = difference_interval(*arms, *sizes)
    return made


def _reader_tests(study: ReaderCalls, per_reader: dict, settings: ReaderStudySettings) -> Iterator[dict]:
    called = study.calls >= settings.threshold
    for place, name in enumerate(study.readers):
        for metric, rows in (("sensitivity", study.truth), ("specificity", ~study.truth)):
            right = called[:, place, rows] == (metric == "sensitivity")
            lost, gained = int(np.sum(right[0] & ~right[1])), int(np.sum(~right[0] & right[1]))
            yield {
                "family": "readers",
                "reader": name,
                "metric": metric,
                "test": "mcnemar_midp",
                "statistic": float(min(lost, gained)),
                "p": mcnemar_midp(lost, gained),
                "discordant": {"only_without_right": lost, "only_with_right": gained},
                "difference": per_reader[name]["difference"][metric],
                "n": int(rows.sum()),
                "rows": int(rows.sum()),
                "n_unit": "cases, taken as independent",
                "df": None,
            }


def _study_tests(mrmc: dict) -> Iterator[dict]:
    for metric, analysis in mrmc.items():
        difference = analysis["difference"]
        yield {
            "family": "study",
            "reader": None,
            "metric": metric,
            "test": "obuchowski_rockette_hillis",
            "statistic": difference["statistic"],
            "p": difference["p"],
            "difference": {key: difference[key] for key in ("value", "low", "high", "standard_error")},
            "n": len(analysis["estimates"][0]),
            "n_unit": "readers",
            "df": difference["df"],
        }


def _warnings(study: ReaderCalls) -> list[str]:
    few = FEW_READERS.format(count=len(study.readers)) if len(study.readers) < 4 else ""
    return [*study.warnings, *filter(None, ["" if study.scored else BINARY_NOTE, few, cluster_note(study.patient_ids)])]
