"""SHAP values of a classifier's head: what each pooled feature adds to each logit. Off unless asked for."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np

from pipeline.engine.errors import MissingArtifactError, UsageError

INSTALL = "pip install shap"


class HeadShap(NamedTuple):
    """values: ``(n, F, K)`` float32; expected: ``(K,)``, the mean logits of the background; logits: ``(n, K)``.

    ``expected + values.sum(axis=1)`` is ``logits``, up to the sampling error of the expected gradients.
    """

    values: np.ndarray
    expected: np.ndarray
    logits: np.ndarray


def explain_head(head: keras.Model, background: np.ndarray, features: np.ndarray, seed: int = 0, samples: int = 200) -> HeadShap:
    """SHAP values of a head's logits by expected gradients (Erion et al. 2021), shap's GradientExplainer.

    Args:
        head: of ``build_head``: features ``(B, F)`` → logits ``(B, K)``.
        background: ``(m, F)`` float32, training rows that stand for an absent feature; a hundred or so do.
        features: ``(n, F)`` float32, the rows to be explained. seed, samples: of the gradients drawn for each row.

    Raises:
        MissingArtifactError: shap is not installed. UsageError: features of another width than the head's.
    """
    try:
        import shap
    except ImportError as cause:
        raise MissingArtifactError("shap is not installed.", INSTALL) from cause
    width = head.input_shape[-1]
    if background.shape[1:] != (width,) or features.shape[1:] != (width,):
        raise UsageError(
            f"The head reads {width} features; given are {background.shape} and {features.shape}.", "Pass pooled features."
        )
    explainer = shap.GradientExplainer(head, background.astype(np.float32))
    values = np.asarray(explainer.shap_values(features.astype(np.float32), nsamples=samples, rseed=seed), np.float32)
    expected = np.asarray(head(background, training=False)).mean(axis=0)
    return HeadShap(values, expected, np.asarray(head(features, training=False)))


def strongest_features(explained: HeadShap, class_index: int, count: int = 20) -> list[tuple[int, float]]:
    """(feature, mean |SHAP value|) of one class's logit, strongest first."""
    strength = np.abs(explained.values[:, :, class_index]).mean(axis=0)
    return [(int(place), float(strength[place])) for place in np.argsort(-strength, kind="stable")[:count]]
