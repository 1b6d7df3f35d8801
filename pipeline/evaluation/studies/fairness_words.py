"""What a fairness analysis says: verdicts on gaps, and warnings."""

import numpy as np
from numpy.typing import ArrayLike

from pipeline.evaluation.comparison.verdicts import NEVER_SHOWN, is_beyond_reach
from pipeline.evaluation.metrics.names import metric_words
from pipeline.evaluation.statistics.clusters import cluster_note
from pipeline.evaluation.studies.patient_groups import PatientGroups

MIXES_DIFFER = (
    "the groups differ in their mix of classes (share of {name} {low:.0%} to {high:.0%}): accuracy, precision, F1 and Brier "
    "score change with the mix alone; sensitivity, specificity and AUC do not"
)


def no_gap(smallest: int) -> dict:
    """The entry of a metric that cannot be compared between groups."""
    names = ("best", "worst", "value", "low", "high", "standard_error", "p", "p_adjusted", "smallest_detectable")
    reason = f"not tested: fewer than two groups have {smallest} patients to this metric and a value of it"
    return {**dict.fromkeys(names), "verdict": reason}


def gap_verdict(metric: str, gap: dict, alpha: float) -> str:
    """One sentence on one gap; a gap that is not shown is never called absent."""
    name = metric_words(metric)
    if gap["p_adjusted"] is None:
        return f"not tested: the gap in {name} could not be permuted"
    if gap["p_adjusted"] < alpha:
        return (
            f"gap shown: {name} of {gap['worst']} is {gap['value']:.3f} worse than of {gap['best']} "
            f"(adjusted p = {gap['p_adjusted']:.2g})"
        )
    limit = gap["smallest_detectable"]
    seen = "smallest detectable " + ("unknown" if limit is None else f"about {limit:.3f} between two groups")
    return (
        f"no gap shown at this sample size ({NEVER_SHOWN if is_beyond_reach(metric, limit) else seen}), "
        "which does not show that there is none"
    )


def fairness_warnings(document: dict, groups: PatientGroups, clusters: ArrayLike, smallest: int) -> list[str]:
    """Sentences on rows without a group, small groups, unequal mixes of classes, rows without a patient."""
    notes = []
    missing = int(np.sum(groups.codes < 0))
    if missing:
        notes.append(f"{missing} of {groups.codes.size} rows have no {groups.column} and belong to no group")
    small = [name for name, group in document["groups"].items() if group["small"]]
    if small:
        notes.append(f"fewer than {smallest} patients, shown but not ranked: {', '.join(small)}")
    shown = document["positive_class"] or document["class_names"][0]
    large = [group for group in document["groups"].values() if not group["small"]]
    shares = [group["by_class"][shown] / group["rows"] for group in large]
    if shares and max(shares) - min(shares) > 0.1:
        notes.append(MIXES_DIFFER.format(name=shown, low=min(shares), high=max(shares)))
    note = cluster_note(clusters)
    return [*notes, *([note] if note else [])]
