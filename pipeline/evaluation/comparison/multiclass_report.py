"""Everything said of one classifier of K classes on labelled rows: a document, figures, and text for people."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from pipeline.evaluation.figures.multiclass import confusion_matrix_figure, interval_text, one_vs_rest_roc_figure
from pipeline.evaluation.figures.precision_recall import precision_recall_figure
from pipeline.evaluation.metrics.multiclass import multiclass_metrics
from pipeline.evaluation.statistics.clusters import cluster_note
from pipeline.evaluation.statistics.intervals import RESAMPLES
from pipeline.evaluation.statistics.multiclass_intervals import multiclass_intervals
from pipeline.evaluation.tables.text_grid import text_grid

HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "cohen_kappa", "log_loss", "brier")
BY_CLASS = ("sensitivity", "specificity", "precision", "f1", "auc", "average_precision")


def classifier_report(
    true_index: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    clusters: ArrayLike,
    positive_class: str | None = None,
    predicted: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[dict, dict[str, Figure]]:
    """The document, ready for json.dump, and the figures "confusion", "roc", "precision_recall".

    Arguments as in `multiclass_metrics` and `multiclass_intervals`. The document is that of `multiclass_metrics` with
    "schema_version", "intervals" (as `multiclass_intervals`), "settings" and "warnings". Raises DataError.
    """
    document = multiclass_metrics(true_index, probabilities, class_names, positive_class, predicted)
    intervals = multiclass_intervals(true_index, probabilities, class_names, clusters, seed, resamples, predicted=predicted)
    absent = document["classes_without_rows"]
    notes = [f"no rows of {', '.join(absent)}: macro means run over the other classes"] if absent else []
    note = cluster_note(clusters)
    shared = (true_index, probabilities, class_names, clusters, positive_class, intervals)
    figures = {
        "confusion": confusion_matrix_figure(document["confusion"], class_names),
        "roc": one_vs_rest_roc_figure(*shared, seed=seed),
        "precision_recall": precision_recall_figure(*shared, seed=seed),
    }
    return {
        "schema_version": 1,
        **document,
        "intervals": intervals,
        "settings": {"resamples": resamples, "seed": seed, "level": 0.95},
        "warnings": notes + ([note] if note else []),
    }, figures


def report_text(document: dict) -> str:
    """A `classifier_report` document as two Markdown tables that also line up on a terminal."""
    made = document["intervals"]
    headline = [[name.replace("_", " "), interval_text(made[name])] for name in HEADLINE]
    by_class = [
        [name, str(document["per_class"][name]["support"]), *(interval_text(made["per_class"][name][m]) for m in BY_CLASS)]
        for name in document["class_names"]
    ]
    columns = ["class", "rows", *(name.replace("_", " ") for name in BY_CLASS)]
    notes = "".join(f"\nnote: {warning}" for warning in document["warnings"])
    return f"{text_grid(['metric', 'value [95 %]'], headline)}\n\n{text_grid(columns, by_class)}\n{notes}"


def comparison_text(document: dict) -> str:
    """A `compare_classifiers` document as Markdown: metrics of the arms, the tests, one verdict for each pair."""
    arms, counts = document["arms"], document["counts"]
    metrics = [[name.replace("_", " "), *(interval_text(document["metrics"][arm][name]) for arm in arms)] for name in HEADLINE]
    tests = [
        [
            f"{test['b']} - {test['a']}",
            test["metric"].replace("_", " "),
            test["test"].replace("_", " "),
            interval_text(test["difference"]),
            *("-" if test[key] is None else f"{test[key]:.3g}" for key in ("p", "p_adjusted")),
        ]
        for test in document["tests"]
    ]
    parts = [f"{counts['rows']} rows of {counts['clusters']} patients\n\n{text_grid(['metric', *arms], metrics)}"]
    if tests:
        parts.append(text_grid(["arms", "metric", "test", "difference", "p", "Holm p"], tests))
        parts.append("\n".join(f"- {entry['b']} against {entry['a']}: {entry['sentence']}" for entry in document["verdicts"]))
    parts += [f"note: {warning}" for warning in document["warnings"]]
    return "\n\n".join(parts) + "\n"
