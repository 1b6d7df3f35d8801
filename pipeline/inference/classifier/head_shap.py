"""SHAP values of a classifier's head: what each pooled feature adds to the logit of the class that was named.

The head is the part of the bundle's graph from `features` to `classification`, so no TensorFlow is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.errors import UsageError
from pipeline.engine.extras import brought_by_extra
from pipeline.inference.answered_rows import AnsweredRow, feature_rows
from pipeline.inference.classifier.bundle import CLASSIFICATION, FEATURES
from pipeline.inference.classifier.classifier import Classifier
from pipeline.inference.opened_bundle import OpenedBundle
from pipeline.inference.sessions import Device

if TYPE_CHECKING:
    from pipeline.inference.activation.graph_parts import GraphParts

BACKGROUND_ROWS, PERMUTATIONS = 50, 10
# Of the head an image: as many permutations as it allows, one at least.
EVALUATIONS = 200_000
OF_AN_IMAGE = 10
EXACT, SAMPLED = "exact", "permutations"
_ROWS_AT_ONCE = 256
# Of these a combination with stored values is affine in the one operand that is not stored.
_OF_ONE_OPERAND = frozenset({"MatMul", "Gemm", "Mul"})
_AFFINE = _OF_ONE_OPERAND | {"Add", "Sub", "Sum", "Div", "Cast", "Identity", "Neg", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}


class Head:
    """The head of a classifier's graph as a function of pooled features, and whether it is linear by its operations."""

    def __init__(self, parts: GraphParts) -> None:
        """Raises CorruptArtifactError: the graph's classification does not come of its features alone."""
        self._parts = parts
        self._part = parts.part([FEATURES], [CLASSIFICATION])
        self.is_linear = self._is_affine(CLASSIFICATION)

    def logits(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, F) → (n, K)."""
        rows = [
            self._part.run({FEATURES: features[start : start + _ROWS_AT_ONCE].astype(np.float32)})[0]
            for start in range(0, len(features), _ROWS_AT_ONCE)
        ]
        return np.concatenate(rows).astype(np.float64)

    def weights(self, width: int) -> NDArray[np.float64]:
        """(F, K) of a linear head: its answers to each feature alone, less that to none."""
        return self.logits(np.eye(width)) - self.logits(np.zeros((1, width)))

    def _is_affine(self, tensor: str) -> bool:
        node = self._parts.maker_of(tensor)
        if node is None or tensor == FEATURES:
            return True
        reading = [name for name in node.input if self._reads_features(name)]
        if not reading:
            return True
        if node.op_type not in _AFFINE or (node.op_type in _OF_ONE_OPERAND and len(reading) > 1):
            return False
        if node.op_type == "Div" and reading != [node.input[0]]:
            return False
        return all(self._is_affine(name) for name in reading)

    def _reads_features(self, tensor: str) -> bool:
        node = None if tensor == FEATURES else self._parts.maker_of(tensor)
        return tensor == FEATURES or (node is not None and any(self._reads_features(name) for name in node.input))


def open_head(opened: OpenedBundle[Any], device: Device = "auto") -> Head:
    """The head of a bundle's network.

    Raises UsageError: the bundle has none that reads an image's features alone; MissingPackageError: it has hidden layers,
    and shap is not installed.
    """
    from pipeline.inference.activation.graph_parts import GraphParts

    if not isinstance(opened, Classifier):
        read = " and ".join(opened.doors)
        raise UsageError(
            f"{opened.path}: SHAP values are of a head that reads the pooled features of one image; this bundle joins what it "
            f"reads ({read}) before its logits, so that no feature of an image has a share of its own.",
            "Leave --shap out, or give a classifier of images alone.",
        )
    head = Head(GraphParts(opened.path / opened.manifest.network.file, device))
    if not head.is_linear:
        _library()
    return head


@dataclass(frozen=True)
class HeadShap:
    """SHAP values of one logit an image, that of the class which was named.

    values: (N, F) float64. logits, expected: (N,), the logit, and its mean over the background; `values.sum(axis=1)` is
    their difference. method: EXACT, or SAMPLED (which adds up just as exactly; what the features share is sampled).
    background: what stood for an absent feature, in words; background_rows: of how many feature vectors.
    """

    values: NDArray[np.float64]
    logits: NDArray[np.float64]
    expected: NDArray[np.float64]
    method: str
    background: str
    background_rows: int


def explain_head(head: Head, features: NDArray[np.floating], named: Sequence[int], seed: int = 0) -> HeadShap:
    """What each feature of each image adds to the logit of the class that was named.

    The background are the images' own features: a feature that is absent is as it is in another of them. A single image has
    no other: its background is 0 for every feature, which is a picture that stirs none.
    A linear head is explained in closed form, weight times distance from the background's mean. Any other by random
    permutations (Štrumbelj & Kononenko 2014) against at most BACKGROUND_ROWS of the background, drawn by `seed`.

    Args:
        features: (N, F), finite. named: (N,), the index of each image's class.

    Raises:
        MissingPackageError: the head is not linear, and shap is not installed.
    """
    count, chosen = len(features), np.asarray(named)
    if count > 1:
        background, words = np.asarray(features), f"features of the {count} images"
    else:
        background, words = np.zeros_like(features), "0 for every feature, since one image has no other to be compared with"
    if not head.is_linear and len(background) > BACKGROUND_ROWS:
        drawn = np.random.default_rng(seed).choice(len(background), BACKGROUND_ROWS, replace=False)
        background, words = background[np.sort(drawn)], f"features of {BACKGROUND_ROWS} of the {count} images, drawn"
    if head.is_linear:
        away = np.asarray(features, np.float64) - background.mean(axis=0, dtype=np.float64)
        values = away * head.weights(features.shape[1])[:, chosen].T
    else:
        values = _by_permutations(head, background, features, chosen, seed)
    rows, expected = np.arange(count), head.logits(background).mean(axis=0)
    method = EXACT if head.is_linear else SAMPLED
    return HeadShap(values, head.logits(features)[rows, chosen], expected[chosen], method, words, len(background))


def explain_rows(
    head: Head, rows: Sequence[AnsweredRow], class_names: Sequence[str]
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """(N, F) values of the answered rows, each of its named class's logit, NaN where there is no answer; and what
    `shap_document` says of them. Raises as `explain_head`."""
    features = feature_rows(rows)
    named = {place: name for place, row in enumerate(rows) if (name := row.answer.predicted) is not None}
    answered, order = list(named), list(class_names)
    explained = explain_head(head, features[answered], [order.index(name) for name in named.values()])
    values = np.full(features.shape, np.nan, np.float32)
    values[answered] = explained.values
    return values, shap_document(explained, [rows[place].id for place in answered], list(named.values()))


def strongest_features(values: NDArray[np.floating], count: int = 20) -> list[tuple[int, float, float]]:
    """(feature, mean |SHAP value|, mean SHAP value) over the images (n, F), strongest first."""
    strength, mean = np.abs(values).mean(axis=0), values.mean(axis=0)
    return [(int(place), float(strength[place]), float(mean[place])) for place in np.argsort(-strength, kind="stable")[:count]]


def _by_permutations(
    head: Head, background: NDArray[np.floating], features: NDArray[np.floating], named: NDArray[np.intp], seed: int
) -> NDArray[np.float64]:
    shap = _library()
    values, width = np.zeros(features.shape), features.shape[1]
    rounds = min(PERMUTATIONS, max(1, EVALUATIONS // ((2 * width + 1) * len(background))))
    masker = shap.maskers.Independent(background, max_samples=len(background))
    # The library draws from NumPy's one generator: whoever drew from it before goes on where it was.
    state = np.random.get_state()
    try:
        for index in np.unique(named):
            # A row that is the background itself differs in nothing, and the library cannot say so.
            mine = np.flatnonzero((named == index) & (features != background.mean(axis=0)).any(axis=1))
            if mine.size:
                explainer = shap.PermutationExplainer(lambda rows, index=index: head.logits(rows)[:, index], masker, seed=seed)
                values[mine] = explainer(features[mine], max_evals=rounds * (2 * width + 1), silent=True).values
    finally:
        np.random.set_state(state)
    return values


def shap_document(explained: HeadShap, ids: Sequence[str], named: Sequence[str]) -> dict[str, Any]:
    """The values in short, for JSON: how they were made, each class's strongest features, and each image's.

    ids, named: (N,), the images' names and the classes that they were given. Features are counted from 0.
    """
    classes, images = {}, []
    for name in dict.fromkeys(named):
        mine = [row for row, given in enumerate(named) if given == name]
        strongest = strongest_features(explained.values[mine])
        classes[name] = {
            "images": len(mine),
            "expected_logit": float(explained.expected[mine[0]]),
            "features": [
                {"feature": place, "mean_absolute": strength, "mean": mean} for place, strength, mean in strongest
            ],
        }
    for row, (key, name) in enumerate(zip(ids, named, strict=True)):
        strongest = strongest_features(explained.values[[row]], OF_AN_IMAGE)
        images.append({
            "image": key, "class": name, "logit": float(explained.logits[row]),
            "features": [{"feature": place, "value": value} for place, _, value in strongest],
        })  # fmt: skip
    return {
        "method": explained.method,
        "background": explained.background,
        "background_rows": explained.background_rows,
        "classes": classes,
        "images": images,
    }


def _library() -> Any:
    """To explain a head with hidden layers."""
    with brought_by_extra():
        import shap  # type: ignore[import-untyped]
    return shap
