"""What notes give away besides what they are meant to say: length, presence, masked words, and the words left over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.statistics.intervals import metric_intervals
from pipeline.evaluation.tables.rows import UNNAMED, Rows

TOP_WORDS = 15
Fitted = Callable[[np.ndarray, np.ndarray], np.ndarray]


def probe_notes(
    notes: Sequence[str], labels: np.ndarray, patients: np.ndarray, folds: np.ndarray, resamples: int, seed: int
) -> dict:
    """AUC of a bag-of-words probe, each row judged out of its fold, and the words that it leans on.

    notes: N texts; labels: (N,) 0/1; patients: (N,) ids; folds: (N,) int. Words and word pairs of at least 3 notes,
    TF-IDF, balanced logistic regression. Returns {"auc": {"value", "low", "high"}, "top_words": {"positive",
    "negative": [word, …]}}; the words are those of a probe fitted on all rows, for reading only.
    """
    texts = np.array(notes, dtype=object)

    def fit_and_judge(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        return _word_probe().fit(texts[train], labels[train]).predict_proba(texts[test])[:, 1]

    whole = _word_probe().fit(texts, labels)
    words = whole[0].get_feature_names_out()
    order = np.argsort(whole[-1].coef_[0])
    top = {"positive": list(words[order[::-1][:TOP_WORDS]]), "negative": list(words[order[:TOP_WORDS]])}
    return {"auc": _interval(out_of_fold(folds, fit_and_judge), labels, patients, resamples, seed), "top_words": top}


def probe_numbers(
    values: np.ndarray, labels: np.ndarray, patients: np.ndarray, folds: np.ndarray, resamples: int, seed: int
) -> dict:
    """The same of numbers ``(N, F)``: a note's length, whether there is one, an embedding. Returns {"auc": interval}."""

    def fit_and_judge(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=3000))
        return probe.fit(values[train], labels[train]).predict_proba(values[test])[:, 1]

    return {"auc": _interval(out_of_fold(folds, fit_and_judge), labels, patients, resamples, seed)}


def out_of_fold(folds: np.ndarray, fit_and_judge: Fitted) -> np.ndarray:
    """``(N,)`` probabilities: each fold judged by what was fitted on the others."""
    answers = np.empty(len(folds))
    for fold in np.unique(folds):
        test = np.flatnonzero(folds == fold)
        answers[test] = fit_and_judge(np.flatnonzero(folds != fold), test)
    return answers


def label_shares(is_there: np.ndarray, labels: np.ndarray) -> Mapping[str, float]:
    """Share of the rows of each class of which something holds: {"positive", "negative"}."""
    return {name: float(is_there[labels == label].mean()) for name, label in (("positive", 1), ("negative", 0))}


def _word_probe():
    words = TfidfVectorizer(lowercase=True, min_df=3, ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    return make_pipeline(words, LogisticRegression(class_weight="balanced", max_iter=3000))


def _interval(answers: np.ndarray, labels: np.ndarray, patients: np.ndarray, resamples: int, seed: int) -> dict:
    rows = Rows.binary(labels, answers, patients)
    return metric_intervals(rows, binary_names(UNNAMED[1], ("auc",)), resamples, seed)["auc"]
