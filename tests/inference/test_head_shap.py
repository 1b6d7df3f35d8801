"""SHAP values of a head taken from a graph: exact where it is linear, adding up everywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_classifier import BINARY, CHANNELS, NETWORK, THREE, head_of, write_classifier

from pipeline.engine.errors import MissingPackageError
from pipeline.inference.activation.graph_parts import GraphParts
from pipeline.inference.classifier.head_shap import (
    BACKGROUND_ROWS,
    EXACT,
    SAMPLED,
    Head,
    explain_head,
    strongest_features,
)  # fmt: skip

WIDTH = 5


def rows(count: int, seed: int, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def head_graph(path: Path, first: np.ndarray, second: np.ndarray, between: str = "Relu") -> Head:
    """image → features (the image itself) → standardized → hidden → classification."""
    stored = {"mean": np.full(WIDTH, 0.3, np.float32), "scale": np.full(WIDTH, 1.7, np.float32),
              "first": first.astype(np.float32), "second": second.astype(np.float32),
              "bias": np.arange(second.shape[1], dtype=np.float32)}  # fmt: skip
    nodes = [
        helper.make_node("Identity", ["image"], ["features"]),
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "first"], ["hidden"]),
        helper.make_node(between, ["hidden"] if between != "Mul" else ["hidden", "hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "second"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["classification"]),
    ]
    doors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])
             for name, width in (("image", WIDTH), ("features", WIDTH), ("classification", second.shape[1]))]  # fmt: skip
    graph = helper.make_graph(
        nodes, "head", doors[:1], doors[1:], [numpy_helper.from_array(value, name) for name, value in stored.items()]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return Head(GraphParts(path))


def test_a_linear_head_is_explained_in_closed_form(tmp_path):
    first, second = rows(4, 1, WIDTH).T, rows(4, 2, 3)
    head = head_graph(tmp_path / "head.onnx", first, second, "Identity")
    features, named = rows(9, 3), np.arange(9) % 3
    explained = explain_head(head, features, named)
    weights = (first.astype(np.float64) @ second) / 1.7
    expected = weights[:, named].T * (features - features.mean(axis=0, dtype=np.float64))
    assert head.is_linear and explained.method == EXACT and explained.background_rows == 9
    np.testing.assert_allclose(explained.values, expected, atol=1e-5)
    np.testing.assert_allclose(explained.values.sum(axis=1), explained.logits - explained.expected, atol=1e-5)


@pytest.mark.parametrize("names", [BINARY, THREE])
def test_the_head_of_a_bundle_is_found_in_its_graph(tmp_path, names):
    bundle = write_classifier(tmp_path / "bundle", names)
    head = Head(GraphParts(bundle / NETWORK))
    features = np.abs(rows(6, 4, CHANNELS))
    explained = explain_head(head, features, [len(names) - 1] * 6)
    weights = head_of(len(names)).astype(np.float64)[:, -1]
    assert explained.method == EXACT
    np.testing.assert_allclose(explained.values, weights * (features - features.mean(axis=0)), atol=1e-4)


def test_one_image_is_compared_with_no_features_at_all_and_that_is_said(tmp_path):
    head = head_graph(tmp_path / "head.onnx", rows(4, 1, WIDTH).T, rows(4, 2, 3), "Identity")
    explained = explain_head(head, rows(1, 5), [1])
    assert "0 for every feature" in explained.background and explained.background_rows == 1
    nothing = head.logits(np.zeros((1, WIDTH)))[0, 1]
    assert explained.expected[0] == pytest.approx(nothing)
    assert explained.values.sum() == pytest.approx(explained.logits[0] - nothing, abs=1e-5)


@pytest.mark.parametrize("between", ["Relu", "Mul"])
def test_a_deeper_head_is_sampled_and_adds_up(tmp_path, between):
    head = head_graph(tmp_path / "head.onnx", rows(4, 1, WIDTH).T, rows(4, 2, 3), between)
    features, named = rows(BACKGROUND_ROWS + 7, 3), np.arange(BACKGROUND_ROWS + 7) % 3
    before = np.random.get_state()[1].copy()
    explained = explain_head(head, features, named)
    assert not head.is_linear and explained.method == SAMPLED and explained.background_rows == BACKGROUND_ROWS
    np.testing.assert_allclose(explained.values.sum(axis=1), explained.logits - explained.expected, atol=1e-4)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    again = explain_head(head, features, named)
    np.testing.assert_array_equal(explained.values, again.values)


def test_a_deeper_head_s_values_are_those_of_all_coalitions(tmp_path):
    """Against one baseline, the Shapley values by their definition: each feature's mean gain over all orders."""
    from itertools import permutations

    head = head_graph(tmp_path / "head.onnx", rows(4, 1, WIDTH).T, rows(4, 2, 3))
    features = rows(1, 5)
    gains = np.zeros(WIDTH)
    orders = list(permutations(range(WIDTH)))
    for order in orders:
        stages = np.zeros((WIDTH + 1, WIDTH), np.float32)
        for step, place in enumerate(order):
            stages[step + 1 :, place] = features[0, place]
        found = head.logits(stages)[:, 2]
        gains[list(order)] += np.diff(found)
    explained = explain_head(head, features, [2])
    exact = gains / len(orders)
    assert np.abs(explained.values[0] - exact).max() < 0.35 * np.abs(exact).max()
    assert explained.values.sum() == pytest.approx(exact.sum(), abs=1e-4)


def test_the_feature_that_the_head_reads_is_the_strongest(tmp_path):
    first = np.zeros((WIDTH, 4))
    first[3] = 1.0
    head = head_graph(tmp_path / "head.onnx", first, np.array([[-1.0, 1.0]] * 4))
    places = strongest_features(explain_head(head, rows(6, 1), [1] * 6).values, count=2)
    assert places[0][0] == 3 and places[0][1] > 0.2 and places[1][1] < 1e-6


def test_images_that_are_the_background_itself_add_nothing(tmp_path):
    head = head_graph(tmp_path / "head.onnx", rows(4, 1, WIDTH).T, rows(4, 2, 3))
    assert not explain_head(head, np.repeat(rows(1, 1), 3, axis=0), [0, 1, 2]).values.any()
    assert not explain_head(head, np.zeros((1, WIDTH), np.float32), [0]).values.any()


def test_without_the_library_only_linear_heads_are_explained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    linear = head_graph(tmp_path / "linear.onnx", rows(4, 1, WIDTH).T, rows(4, 2, 3), "Identity")
    assert explain_head(linear, rows(3, 0), [0, 1, 2]).method == EXACT
    deeper = head_graph(tmp_path / "deeper.onnx", rows(4, 1, WIDTH).T, rows(4, 2, 3))
    with pytest.raises(MissingPackageError, match=r"pip install '.\[explain\]'"):
        explain_head(deeper, rows(3, 0), [0, 1, 2])
