"""How well a predicted mask covers the true one: overlap, and the distance between the two outlines.

Definitions: Taha & Hanbury, *Metrics for evaluating 3D medical image segmentation* (BMC Med. Imaging 2015);
empty masks: Maier-Hein et al., *Metrics Reloaded* (Nature Methods 2024).

| true | predicted | Dice, IoU | HD95, mean surface distance |
|---|---|---|---|
| empty | empty | 1 | 0 |
| empty | not empty | 0 | the picture's diagonal |
| not empty | empty | 0 | the picture's diagonal |

The diagonal is the largest distance there could be, so that a mean over scans is never better for a missed lung.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from pipeline.engine.errors import DataError

UNIT_SPACING = (1.0, 1.0)


def dice(true_masks: ArrayLike, predicted_masks: ArrayLike) -> NDArray[np.float64]:
    """Dice coefficient 2 |A ∩ B| / (|A| + |B|) of each mask, in [0, 1].

    Args:
        true_masks, predicted_masks: ``(..., H, W)`` of bool, or of 0 and 1.

    Returns ``(...)`` float64; () for a single mask. Two empty masks agree: 1.

    Raises:
        DataError: the shapes differ, there is no pixel, or a value is neither 0 nor 1.
    """
    shared, true_area, predicted_area = _areas(true_masks, predicted_masks)
    return _ratio(2 * shared, true_area + predicted_area)


def intersection_over_union(true_masks: ArrayLike, predicted_masks: ArrayLike) -> NDArray[np.float64]:
    """Jaccard index |A ∩ B| / |A ∪ B| of each mask, in [0, 1]; arguments, result and errors as ``dice``."""
    shared, true_area, predicted_area = _areas(true_masks, predicted_masks)
    return _ratio(shared, true_area + predicted_area - shared)


def pooled_dice(true_masks: ArrayLike, predicted_masks: ArrayLike) -> float:
    """Dice of all pixels of a set together, as the original reports it: large lungs count more than small ones.

    Arguments and errors as ``dice``.
    """
    shared, true_area, predicted_area = (area.sum() for area in _areas(true_masks, predicted_masks))
    return float(_ratio(2 * shared, true_area + predicted_area))


def surface_distances(
    true_mask: ArrayLike, predicted_mask: ArrayLike, spacing: tuple[float, float] = UNIT_SPACING
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of every outline pixel of one mask to the nearest outline pixel of the other, both ways.

    The outline is what an erosion with the 4-neighbourhood takes away; the picture's border counts as
    background. Distances are Euclidean between pixel centres.

    Args:
        true_mask, predicted_mask: ``(H, W)`` of bool, or of 0 and 1; neither is empty.
        spacing: height and width of a pixel, in any unit; the distances have the same.

    Returns (true → predicted ``(n,)``, predicted → true ``(m,)``), float64.

    Raises:
        DataError: as ``dice``; or a mask is empty or not two-dimensional, or the spacing is not positive.
    """
    true, predicted = _checked_plane(true_mask, predicted_mask, spacing)
    if not true.any() or not predicted.any():
        raise DataError("an empty mask has no outline.", "Use segmentation_metrics, which defines that case.")
    true_outline, predicted_outline = outline(true), outline(predicted)
    to_true = ndimage.distance_transform_edt(~true_outline, sampling=spacing)
    to_predicted = ndimage.distance_transform_edt(~predicted_outline, sampling=spacing)
    return to_predicted[true_outline], to_true[predicted_outline]


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a mask ``(H, W)`` bool that touch the background or the picture's border by a side."""
    return mask & ~ndimage.binary_erosion(mask)


def segmentation_metrics(
    true_mask: ArrayLike, predicted_mask: ArrayLike, spacing: tuple[float, float] = UNIT_SPACING
) -> dict[str, float]:
    """SEGMENTATION_METRICS of one scan; empty masks as in the table at the top of this module.

    ``hd95``: the larger of the two directed 95th percentiles of ``surface_distances`` (linear interpolation), the
    Hausdorff distance without its outliers. ``mean_surface_distance``: the mean over both outlines together.
    Both are in the unit of ``spacing``, pixels by default.

    Args:
        true_mask, predicted_mask: ``(H, W)`` of bool, or of 0 and 1; either may be empty.
        spacing: height and width of a pixel.

    Raises:
        DataError: as ``dice``; or a mask is not two-dimensional, or the spacing is not positive.
    """
    true, predicted = _checked_plane(true_mask, predicted_mask, spacing)
    if true.any() and predicted.any():
        there, back = surface_distances(true, predicted, spacing)
        hd95 = float(max(np.percentile(there, 95), np.percentile(back, 95)))
        mean = float(np.concatenate([there, back]).mean())
    else:
        alike = not true.any() and not predicted.any()
        hd95 = mean = 0.0 if alike else float(np.hypot(*(np.array(true.shape) - 1) * spacing))
    return {
        "dice": float(dice(true, predicted)),
        "iou": float(intersection_over_union(true, predicted)),
        "hd95": hd95,
        "mean_surface_distance": mean,
    }


def _checked(true_masks: ArrayLike, predicted_masks: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    true, predicted = np.asarray(true_masks), np.asarray(predicted_masks)
    if true.shape != predicted.shape or true.ndim < 2 or true.size == 0:
        raise DataError(f"masks of shape {true.shape} and {predicted.shape} cannot be compared.", "Resize one to the other.")
    for role, masks in (("true", true), ("predicted", predicted)):
        if masks.dtype != np.bool_ and not np.isin(masks, (0, 1)).all():
            raise DataError(f"the {role} mask has values other than 0 and 1.", "Apply a threshold first.")
    return true.astype(np.bool_), predicted.astype(np.bool_)


def _checked_plane(
    true_mask: ArrayLike, predicted_mask: ArrayLike, spacing: tuple[float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    true, predicted = _checked(true_mask, predicted_mask)
    if true.ndim != 2:
        raise DataError(f"surface distances need masks (H, W), not {true.shape}.", "Give them one at a time.")
    if len(spacing) != 2 or not all(np.isfinite(side) and side > 0 for side in spacing):
        raise DataError(f"pixel spacing {spacing} is not two positive numbers.", "Give height and width of a pixel.")
    return true, predicted


def _areas(true_masks: ArrayLike, predicted_masks: ArrayLike) -> tuple[NDArray[np.int64], ...]:
    true, predicted = _checked(true_masks, predicted_masks)
    return tuple(np.count_nonzero(masks, axis=(-2, -1)) for masks in (true & predicted, true, predicted))


def _ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)
