"""What people are told for a metric, whichever name a document gives it."""

import pytest

from pipeline.evaluation.metrics.names import (
    BINARY_METRICS,
    COMPARED,
    MULTICLASS_METRICS,
    OVERALL,
    SEGMENTATION_METRICS,
    metric_title,
    metric_words,
)

SHORT = ("auc", "f1", "ppv", "npv", "iou", "mcc", "hd95", "brier")


@pytest.mark.parametrize(("name", "words", "title"), [
    ("auc", "AUC", "AUC"),
    ("macro_auc", "macro AUC", "Macro AUC"),
    ("macro_f1", "macro-F1", "Macro-F1"),
    ("weighted_f1", "weighted F1", "Weighted F1"),
    ("macro_average_precision", "macro average precision", "Macro average precision"),
    ("f1:VIRAL", "F1 of VIRAL", "F1 of VIRAL"),
    ("sensitivity:Lung_Opacity", "sensitivity of Lung_Opacity", "Sensitivity of Lung_Opacity"),
    ("balanced_accuracy", "balanced accuracy", "Balanced accuracy"),
    ("hd95", "HD95 (px)", "HD95 (px)"),
    ("cohen_kappa", "Cohen's kappa", "Cohen's kappa"),
])  # fmt: skip
def test_words_and_titles(name, words, title):
    assert (metric_words(name), metric_title(name)) == (words, title)


@pytest.mark.parametrize("name", [*OVERALL, *MULTICLASS_METRICS, *BINARY_METRICS, *COMPARED, *SEGMENTATION_METRICS])
def test_no_name_is_told_as_it_is_spelt(name):
    told = metric_words(name)
    assert "_" not in told
    for short in SHORT:
        assert short not in told.replace("-", " ").split(), told
