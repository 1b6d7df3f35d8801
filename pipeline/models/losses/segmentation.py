"""The loss of the multi-head UNet: 1.0 · (Dice + BCE) + 2.0 · cross-entropy.

Both terms are Keras losses weighted by sample, so that a scan without a mask adds nothing to the first, and
class weights act on the second as PyTorch's ``CrossEntropyLoss(weight=...)`` does. Reduced with
``mean_with_sample_weight``: the mean is over what counts, not over the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipeline.engine.errors import DataError

SMOOTHING = 1e-5
PROBABILITY_FLOOR = 1e-7
REDUCTION = "mean_with_sample_weight"
LOSS_WEIGHTS = {"segmentation": 1.0, "classification": 2.0}


def dice_loss(masks: Any, probs: Any) -> Any:
    """1 - Dice of each sample, over its pixels alone; ``(B,)`` float32 in [0, 1].

    MONAI's ``DiceLoss(sigmoid=False, squared_pred=True)``: (2 Σ m p + s) / (Σ m² + Σ p² + s) with s = 1e-5,
    after Milletari et al., *V-Net* (3DV 2016). An empty mask predicted empty has loss 0.

    Args:
        masks: ``(B, H, W, 1)`` of 0 and 1.
        probs: ``(B, H, W, 1)`` in [0, 1].
    """
    masks, probs = ops.cast(masks, "float32"), ops.cast(probs, "float32")
    pixels = (1, 2, 3)
    shared = ops.sum(masks * probs, axis=pixels)
    squares = ops.sum(ops.square(masks), axis=pixels) + ops.sum(ops.square(probs), axis=pixels)
    return 1.0 - (2.0 * shared + SMOOTHING) / (squares + SMOOTHING)


def pixel_crossentropy(masks: Any, probs: Any) -> Any:
    """Mean binary cross-entropy of each sample's pixels in nats; ``(B,)`` float32.

    Probabilities are kept 1e-7 away from 0 and 1, where a saturated sigmoid would have no finite gradient.
    Arguments as ``dice_loss``.
    """
    masks, probs = ops.cast(masks, "float32"), ops.cast(probs, "float32")
    probs = ops.clip(probs, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    nats = masks * ops.log(probs) + (1.0 - masks) * ops.log(1.0 - probs)
    return -ops.mean(nats, axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="respiratory")
class SegmentationLoss(keras.losses.Loss):
    """Dice + BCE of the scans that have a mask: call with ``sample_weight`` ``(B,)``, 1 with a mask and 0 without.

    A batch without any mask has loss 0.
    """

    def __init__(self, name: str = "segmentation_loss", reduction: str = REDUCTION, dtype: Any = None) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return dice_loss(y_true, y_pred) + pixel_crossentropy(y_true, y_pred)


def multi_head_losses() -> dict[str, keras.losses.Loss]:
    """The loss of each output, for ``compile(loss=..., loss_weights=LOSS_WEIGHTS)``; class targets are indices ``(B,)``."""
    crossentropy = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=REDUCTION, name="classification_loss"
    )
    return {"segmentation": SegmentationLoss(), "classification": crossentropy}


def balanced_class_weights(class_index: np.ndarray, class_count: int) -> np.ndarray:
    """Weights ``(class_count,)`` float32 that let every class carry the same total: N / (K · n_k).

    Source: King & Zeng, *Logistic Regression in Rare Events Data* (2001), as scikit-learn's ``balanced``.

    Raises:
        DataError: a class has no scan, so no weight can balance it.
    """
    counts = np.bincount(np.asarray(class_index, np.int64), minlength=class_count)
    if len(counts) > class_count or not counts.all():
        raise DataError(
            f"class weights need every one of {class_count} classes among the scans; counted {counts.tolist()}.",
            "Add scans, take the class out, or switch class weights off.",
        )
    return (counts.sum() / (class_count * counts)).astype(np.float32)


def scan_weights(
    has_mask: np.ndarray, class_index: np.ndarray, class_weights: Sequence[float] | np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What each scan counts in each output's loss: ``{"segmentation": (B,), "classification": (B,)}`` float32.

    Args:
        has_mask: ``(B,)`` bool.
        class_index: ``(B,)`` int.
        class_weights: ``(K,)``; None counts all classes alike.
    """
    chosen = np.ones(len(class_index)) if class_weights is None else np.asarray(class_weights)[np.asarray(class_index)]
    return {"segmentation": np.asarray(has_mask).astype(np.float32), "classification": chosen.astype(np.float32)}


def multi_head_loss(
    targets: Mapping[str, Any],
    outputs: Mapping[str, Any],
    weights: Mapping[str, Any],
    loss_weights: Mapping[str, float] = LOSS_WEIGHTS,
) -> dict[str, Any]:
    """Scalars ``loss``, ``segmentation_loss`` and ``classification_loss`` of one batch, the latter two unweighted.

    Args:
        targets: ``segmentation`` ``(B, H, W, 1)`` of 0 and 1, ``classification`` ``(B,)`` class indices.
        outputs: of ``build_unet``, by the same names.
        weights: of ``scan_weights``, by the same names.
        loss_weights: share of each output in ``loss``.
    """
    scalars = {
        f"{name}_loss": loss(targets[name], outputs[name], sample_weight=weights[name])
        for name, loss in multi_head_losses().items()
    }
    return {"loss": sum(share * scalars[f"{name}_loss"] for name, share in loss_weights.items()), **scalars}
