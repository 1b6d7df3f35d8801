"""The numbers by which a classifier's epochs are chosen."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from pipeline.training.probabilities import log_softmax


def validation_scores(class_index: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """``val_loss`` (unweighted cross-entropy, nats), ``val_accuracy``, ``val_macro_f1`` and ``val_auc``.

    The AUC is the mean of one class against the rest over the classes that have rows; of two classes both halves of
    that mean are equal. A network that has diverged scores the worst of each.

    Args:
        class_index: ``(n,)`` int. logits: ``(n, K)``.
    """
    if not np.isfinite(logits).all():
        return {"val_loss": float("inf"), "val_accuracy": 0.0, "val_macro_f1": 0.0, "val_auc": 0.0}
    log_probs = log_softmax(logits)
    predicted = logits.argmax(axis=1)
    present = [k for k in range(logits.shape[1]) if 0 < np.sum(class_index == k) < len(class_index)]
    against_rest = [roc_auc_score(class_index == k, log_probs[:, k]) for k in present]
    return {
        "val_loss": float(-log_probs[np.arange(len(class_index)), class_index].mean()),
        "val_accuracy": float(np.mean(predicted == class_index)),
        "val_macro_f1": float(f1_score(class_index, predicted, average="macro", zero_division=0)),
        "val_auc": float(np.mean(against_rest)) if against_rest else 0.0,
    }
