import sys

import numpy as np
import pytest

from pipeline.engine.errors import MissingArtifactError, UsageError
from pipeline.models.classifier_networks import OUTPUT, Head, build_head
from pipeline.training.classifier.head_shap import explain_head, strongest_features


def rows(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)


def test_a_linear_head_is_explained_exactly():
    """Of a linear head the SHAP value of a feature is its weight times its distance from the background's mean."""
    pytest.importorskip("shap")
    head = build_head(5, 3, Head(hidden=()))
    background, features = rows(200, 0), rows(4, 1)
    explained = explain_head(head, background, features, samples=4000)
    kernel = np.asarray(head.get_layer(OUTPUT).kernel)
    expected = (features - background.mean(axis=0))[:, :, None] * kernel
    assert explained.values.shape == (4, 5, 3)
    np.testing.assert_allclose(explained.values, expected, atol=0.06)
    np.testing.assert_allclose(explained.expected + explained.values.sum(axis=1), explained.logits, atol=0.12)
    again = explain_head(head, background, features, samples=4000)
    np.testing.assert_array_equal(explained.values, again.values)


def test_the_feature_that_the_head_reads_is_the_strongest():
    pytest.importorskip("shap")
    head = build_head(5, 2, Head(hidden=(4,), dropout=0.0))
    first, second = head.get_layer("dense_1"), head.get_layer(OUTPUT)
    kernel = np.zeros((5, 4), np.float32)
    kernel[3] = 1.0
    first.set_weights([kernel, np.zeros(4, np.float32)])
    second.set_weights([np.array([[-1.0, 1.0]] * 4, np.float32), np.zeros(2, np.float32)])
    places = strongest_features(explain_head(head, rows(50, 0), rows(6, 1), samples=50), class_index=1, count=2)
    assert places[0][0] == 3 and places[0][1] > 0.2 and places[1][1] == 0


def test_what_does_not_fit_is_refused(monkeypatch):
    head = build_head(5, 2, Head(hidden=()))
    with pytest.raises(UsageError, match="reads 5 features"):
        explain_head(head, rows(3, 0)[:, :4], rows(3, 0))
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(MissingArtifactError, match="pip install shap"):
        explain_head(head, rows(3, 0), rows(3, 0))
