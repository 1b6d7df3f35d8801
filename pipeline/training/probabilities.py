"""Logits as probabilities, stable at both ends."""

from __future__ import annotations

import numpy as np


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities float32 in [0, 1] of one-logit networks."""
    logits = np.asarray(logits, np.float64)
    return (0.5 * (1 + np.tanh(logits / 2))).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities ``(n, K)`` float32 of ``(n, K)`` logits."""
    return np.exp(log_softmax(logits)).astype(np.float32)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities ``(n, K)`` float64."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
