"""A decision threshold chosen on the validation rows by a named rule."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError, UsageError, did_you_mean
from pipeline.evaluation.tables.rows import Rows

RULES = ("youden", "sensitivity", "specificity", "max_f1")
TARGETED = ("sensitivity", "specificity")


@dataclass(frozen=True)
class DecisionThreshold:
    """Positive where probability >= `value`. `rule` and `target` say why; the scores are the validation rows'."""

    rule: str
    target: float | None
    value: float
    sensitivity: float
    specificity: float
    f1: float


def choose_threshold(
    labels: ArrayLike, probabilities: ArrayLike, rule: str = "youden", target: float | None = None
) -> DecisionThreshold:
    """The threshold that `rule` picks on validation rows; never pass test rows.

    labels: (N,) 0/1 with both classes; probabilities: (N,) of the positive class in [0, 1]. Rules: "youden" (largest
    sensitivity + specificity - 1, Youden 1950, Cancer 3), "sensitivity" (the largest threshold whose sensitivity is at
    least `target`), "specificity" (the smallest whose specificity is), "max_f1". Candidates lie midway between
    neighbouring scores, so that no row sits on the edge; of equal candidates the one nearest 0.5 is taken.
    Raises UsageError for an unknown rule or a target out of place, DataError for one class or an unreachable target.
    """
    _check_rule(rule, target)
    rows = Rows.binary(labels, probabilities)
    positive, checked = rows.truth == 1, rows.probabilities[..., 1]
    if checked.shape[0] != 1:
        raise DataError(f"Probabilities have shape {checked.shape}, expected one vector.", "Average over training seeds first.")
    if positive.all() or not positive.any():
        raise DataError("A threshold needs validation rows of both classes.", "Check the validation split's labels.")
    thresholds = _candidates(checked[0])
    called = checked[0][None, :] >= thresholds[:, None]
    hits, alarms = (called & positive).sum(axis=1), (called & ~positive).sum(axis=1)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    scores = {
        "sensitivity": hits / positives,
        "specificity": 1 - alarms / negatives,
        "f1": 2 * hits / (hits + alarms + positives),
    }
    place = _pick(rule, target, thresholds, scores)
    made = {name: float(values[place]) for name, values in scores.items()}
    return DecisionThreshold(rule, target, float(thresholds[place]), **made)


def _check_rule(rule: str, target: float | None) -> None:
    if rule not in RULES:
        raise UsageError(f"There is no threshold rule {rule!r}.", f"Name one of {', '.join(RULES)}.{did_you_mean(rule, RULES)}")
    if rule in TARGETED and (target is None or not 0 < target <= 1):
        raise UsageError(f"The rule {rule!r} has the target {target}.", "Give it a target above 0, at most 1.")
    if rule not in TARGETED and target is not None:
        raise UsageError(f"The rule {rule!r} takes no target.", f"Leave it out, or use {' or '.join(TARGETED)}.")


def _candidates(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rising thresholds that call everybody, then one distinct score fewer each; nobody last where that can be."""
    distinct = np.unique(scores)
    between = (distinct[1:] + distinct[:-1]) / 2
    nobody = [(distinct[-1] + 1) / 2] if distinct[-1] < 1 else []
    return np.concatenate([[distinct[0] / 2], between, nobody])


def _pick(rule: str, target: float | None, thresholds: NDArray, scores: Mapping[str, NDArray[np.float64]]) -> int:
    if rule in TARGETED and target is not None:
        reached = np.flatnonzero(scores[rule] >= target - 1e-12)
        if reached.size == 0:
            raise DataError(
                f"No threshold has a {rule} of {target:g} on the validation rows (at most {scores[rule].max():.3f}).",
                "Lower the target.",
            )
        return int(reached[-1] if rule == "sensitivity" else reached[0])
    value = scores["f1"] if rule == "max_f1" else scores["sensitivity"] + scores["specificity"]
    best = np.flatnonzero(value >= value.max() - 1e-12)
    return int(best[np.argmin(np.abs(thresholds[best] - 0.5))])
