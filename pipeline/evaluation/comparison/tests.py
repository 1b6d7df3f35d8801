"""The tests of one pair of arms on one modality, as rows of `compare --json`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.comparison.verdicts import verdict
from pipeline.evaluation.comparison.words import (
    ENSEMBLE,
    FAMILIES,
    GIVEN_SPLIT,
    MEASURES,
    RESPLIT,
    RESPLITS,
    TRAINING,
    TRAININGS,
)
from pipeline.evaluation.metrics.names import tested_metrics
from pipeline.evaluation.statistics.clusters import bootstrap_weights
from pipeline.evaluation.statistics.effect_sizes import (
    cohens_g,
    paired_d,
    smallest_attainable_difference,
    smallest_detectable_difference,
)
from pipeline.evaluation.statistics.intervals import Interval, Sizes, difference_interval, difference_of
from pipeline.evaluation.statistics.original_anova import CAUTION, original_anova
from pipeline.evaluation.statistics.p_values import holm
from pipeline.evaluation.statistics.paired_tests import (
    PERMUTATIONS,
    clustered_permutation,
    mcnemar_midp,
    patient_differences,
    right_rows,
    sign_flip_permutation,
    signed_rank,
)
from pipeline.evaluation.statistics.resampled_tests import corrected_resampled_t
from pipeline.evaluation.tables.resplits import Resplits
from pipeline.evaluation.tables.rows import MeasuredRows, Rows


@dataclass(frozen=True)
class ComparisonSettings(Sizes):
    """Sizes and levels of a comparison. The arms know their thresholds."""

    permutations: int = PERMUTATIONS


@dataclass(frozen=True)
class Pair:
    """Two arms of one modality on the same rows, and the metrics that are tested; None: all of `tested_metrics`.

    A test's `a` is the first arm, and every difference is second - first.
    """

    modality: str
    a: str
    b: str
    first: Rows | MeasuredRows
    second: Rows | MeasuredRows
    metrics: tuple[str, ...] | None = None

    def row(self, metric: str, test: str, family: str | None, **more: object) -> dict:
        """A row of the document; `of`: of what its arms are the answers, None where that is no question."""
        more = {"of": None} | more
        return {"modality": self.modality, "a": self.a, "b": self.b, "metric": metric, "test": test, "family": family, **more}

    def judged(self) -> tuple[Rows, Rows, str]:
        """The rows of both arms as a test takes them, and what these are: the trainings where there are as many of each, whose
        mean is tested, as the table beside it gives it; else the answers averaged over them."""
        counts = [len(rows.predicted) for rows in (self.first, self.second)]
        if counts[0] == counts[1]:
            return self.first, self.second, TRAINING if counts[0] == 1 else TRAININGS
        return self.first.mean(), self.second.mean(), ENSEMBLE

    def of_means(self) -> str:
        """What the answers averaged over the trainings are."""
        return TRAINING if len(self.first.predicted) == len(self.second.predicted) == 1 else ENSEMBLE

    def tested(self) -> Mapping[str, str]:
        """{name in the document: name in the grammar} of the metrics of classes that are tested."""
        names = tested_metrics(self.first) if isinstance(self.first, Rows) else {}
        return {name: source for name, source in names.items() if self.metrics is None or name in self.metrics}


def given_split_tests(pair: Pair, settings: ComparisonSettings) -> Iterator[dict]:
    """Of classes: McNemar, the permutation test of each metric and, of two classes, the original's ANOVA; of measures: sign
    flips and signed ranks over patients."""
    if isinstance(pair.first, MeasuredRows):
        yield from _measure_tests(pair, settings)
        return
    first, second, of = pair.judged()
    sizes = (settings.resamples, settings.seed, settings.level)
    tested, rows = pair.tested(), int(first.truth.size)
    differences = difference_interval(first, second, tested, *sizes)
    if "accuracy" in tested:
        means, accuracy = (first.mean(), second.mean()), {"accuracy": tested["accuracy"]}
        right = right_rows(*means)
        difference = differences if len(first.predicted) == 1 else difference_interval(*means, accuracy, *sizes)
        only_a, only_b = int(np.sum(right[0] & ~right[1])), int(np.sum(~right[0] & right[1]))
        yield pair.row(
            "accuracy", "mcnemar_midp", GIVEN_SPLIT, statistic=float(min(only_a, only_b)), p=mcnemar_midp(only_a, only_b),
            effect=cohens_g(*right, first.clusters, settings.level), n=rows, n_unit="scans, taken as independent", rows=rows,
            discordant={"a_only_right": only_a, "b_only_right": only_b}, difference=difference["accuracy"],
            of=pair.of_means(),
        )  # fmt: skip
    for metric, result in clustered_permutation(first, second, tested, settings.permutations, settings.seed).items():
        yield pair.row(
            metric, "clustered_permutation", GIVEN_SPLIT, statistic=result.statistic, p=result.p,
            effect=_effect(differences[metric]), n=result.clusters, n_unit="patients", rows=rows,
            trainings=len(first.predicted), difference=differences[metric], of=of,
        )  # fmt: skip
    if first.is_binary and first.scored and pair.metrics is None:
        yield _anova_row(pair)


def resplit_tests(pair: Pair, resplits: Resplits, settings: ComparisonSettings) -> Iterator[dict]:
    """Corrected resampled t of each tested metric that the resplits hold for both arms."""
    for metric in pair.tested():
        columns = [resplits.column(arm, pair.modality, metric) for arm in (pair.a, pair.b)]
        if columns[0] is None or columns[1] is None:
            continue
        differences = columns[1] - columns[0]
        differences = differences[np.isfinite(differences)]
        if differences.size < 2:
            continue
        ratio = resplits.ratio(pair.modality)
        result = corrected_resampled_t(differences, ratio, settings.level)
        difference = {"value": result.mean, "low": result.low, "high": result.high, "standard_error": result.standard_error}
        yield pair.row(
            metric, "corrected_resampled_t", RESPLITS, statistic=result.statistic, p=result.p,
            effect=paired_d(result, ratio, settings.level), n=result.folds, n_unit="patient-grouped resplits",
            difference=difference, of=RESPLIT,
        )  # fmt: skip


def _measure_tests(pair: Pair, settings: ComparisonSettings) -> Iterator[dict]:
    """Of each measure: sign flips of the patients' mean differences, and Wilcoxon's signed ranks of them."""
    codes = pair.first.clusters
    count = int(codes.max()) + 1
    weights = bootstrap_weights(np.arange(count), settings.resamples, settings.seed) / count
    for measure, column in pair.first.values.items():
        if measure not in pair.second.values or (pair.metrics is not None and measure not in pair.metrics):
            continue
        differences = patient_differences(column, pair.second.values[measure], codes)
        difference = difference_of(float(differences.mean()), weights @ differences, settings.level)
        shared = {"n": count, "n_unit": "patients, of whose scans the mean counts", "difference": difference}
        flipped = sign_flip_permutation(differences, settings.permutations, settings.seed)
        yield pair.row(
            measure, "sign_flip_permutation", MEASURES, statistic=flipped.statistic, p=flipped.p,
            effect=_effect(difference), **shared,
        )  # fmt: skip
        statistic, p, correlation = signed_rank(differences)
        effect = {"name": "rank_biserial", "value": correlation, "low": None, "high": None}
        yield pair.row(measure, "wilcoxon_signed_rank", MEASURES, statistic=statistic, p=p, effect=effect, **shared)


def judge(
    tests: Sequence[dict], sizes: Sizes, families: Iterable[str] = FAMILIES, arms: tuple[str, str] | None = None
) -> list[dict]:
    """The tests with `p_adjusted` (Holm within each family), `smallest_detectable` and `verdict` added.

    The smallest detectable difference holds for a test at alpha / family size, Holm's first step. arms: what a and b are
    called where the tests do not say it; df: degrees of freedom of a test of t, K - 1 over K resplits.
    """
    judged = [dict(test) for test in tests]
    for family in families:
        members = [test for test in judged if test["family"] == family]
        alpha = sizes.alpha / max(1, sum(test["p"] is not None for test in members))
        for test, adjusted in zip(members, holm([test["p"] for test in members]), strict=True):
            a, b = arms or (test["a"], test["b"])
            freedom = test.get("df", test["n"] - 1 if family == RESPLITS else None)
            limit = smallest_detectable_difference(test["difference"]["standard_error"], alpha, sizes.power, freedom)
            if "rows" in test and (test["metric"] == "accuracy" or test["test"] == "mcnemar_midp"):
                # arms that hardly ever differ have hardly any standard error, yet a test needs a few answers, of which each
                # of several trainings gives one a row
                answers = test["rows"] * test.get("trainings", 1)
                limit = max(limit or 0.0, smallest_attainable_difference(answers, alpha))
            test["p_adjusted"], test["smallest_detectable"] = adjusted, limit
            test["verdict"] = verdict(test["metric"], a, b, adjusted, test["difference"], limit, sizes.alpha)
    return judged


def _anova_row(pair: Pair) -> dict:
    vectors = np.concatenate([arm.probabilities[..., arm.positive_place] for arm in (pair.first, pair.second)])
    result = None if vectors.shape[1] < 2 else original_anova(vectors)
    effect = {"name": "eta_squared", "value": result.eta_squared if result else None, "low": None, "high": None}
    return pair.row(
        "probability", "original_anova", None, statistic=result.statistic if result else None, p=result.p if result else None,
        p_adjusted=None, effect=effect, n=int(vectors.shape[0]), n_unit="probability vectors", caution=CAUTION, difference=None,
        smallest_detectable=None, verdict=f"no verdict on the arms: {CAUTION}",
    )  # fmt: skip


def _effect(difference: Interval) -> dict:
    return {"name": "difference", **{key: difference[key] for key in ("value", "low", "high")}}
