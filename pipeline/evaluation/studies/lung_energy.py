"""Whether a classifier looks at the lungs: the share of its heat map inside them, and what it does without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.engine.errors import DataError
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes
from pipeline.evaluation.statistics.intervals import RESAMPLES, UNDEFINED, difference_interval, mean_interval, metric_intervals
from pipeline.evaluation.tables.rows import Rows

WHOLE, WITHOUT_LUNGS, LUNGS_ONLY = "whole", "lungs_blacked_out", "all_but_lungs_blacked_out"
METRICS = {name: name for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")}

Predict = Callable[[NDArray[np.uint8], NDArray[np.intp]], NDArray[np.floating]]
Decide = Callable[[NDArray[np.float64]], NDArray[np.intp]]


def lung_energy(activation: ArrayLike, lungs: ArrayLike) -> tuple[float | None, float | None]:
    """(share of a heat map inside the lungs, share of the picture that the lungs are), each in [0, 1].

    activation: (H, W) ≥ 0, a Grad-CAM at the mask's size; its scale has no say. lungs: (H, W) bool.
    The first is the energy-based pointing game of Wang et al. 2020 (Score-CAM, CVPR workshops, eq. 10) with a mask in
    place of a box: Σ map·mask / Σ map. A map spread evenly over the picture has the second, so the first is read beside it.

    None for the first where the map is zero everywhere: nothing speaks for the class, and no place of it is inside or
    outside. None for both where the mask is empty: no lung was found, which is not a share of zero.
    Raises DataError: shapes that differ, or a map with a negative or undefined value.
    """
    heat, mask = np.asarray(activation, np.float64), np.asarray(lungs, bool)
    if heat.ndim != 2 or heat.shape != mask.shape:
        raise DataError(f"A heat map of {heat.shape} and a mask of {mask.shape}.", "Bring both to the picture's size.")
    if not np.isfinite(heat).all() or heat.min() < 0:
        raise DataError("The heat map has a negative or undefined value.", "Pass a map of grad_cam: it ends in a ReLU.")
    if not mask.any():
        return None, None
    total = float(heat.sum())
    return (float(heat[mask].sum()) / total if total > 0 else None), float(mask.mean())


def lung_energy_report(
    energies: Sequence[float | None],
    areas: Sequence[float | None],
    patient_ids: ArrayLike,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> dict:
    """Mean share of the heat maps inside the lungs over the pictures that have one, with patient-clustered intervals.

    energies, areas: as `lung_energy` gives them, one a picture; patient_ids: (N,), "" = a patient of its own.
    Returns {"energy", "area", "excess": {"value", "low", "high"}, "pictures", "without_lungs", "without_evidence"};
    excess = energy - area over the same pictures: zero where the map takes no notice of the lungs. All None where no
    picture has a share. Raises DataError for lists that do not fit.
    """
    codes = cluster_codes(patient_ids)
    if not len(energies) == len(areas) == codes.size:
        raise DataError(f"{len(energies)} shares, {len(areas)} areas, {codes.size} patients.", "Pass one of each a picture.")
    table = np.array([[np.nan if value is None else value for value in column] for column in (energies, areas)], np.float64)
    known = np.isfinite(table).all(axis=0)
    counts = {
        "pictures": int(known.sum()),
        "without_lungs": int(np.isnan(table[1]).sum()),
        "without_evidence": int((np.isnan(table[0]) & np.isfinite(table[1])).sum()),
    }
    columns = {"energy": table[0], "area": table[1], "excess": table[0] - table[1]}
    if not known.any():
        return {**{name: dict(UNDEFINED) for name in columns}, **counts}
    weights = bootstrap_weights(np.unique(codes[known], return_inverse=True)[1], resamples, seed).astype(np.float64)
    return {**{name: mean_interval(values[known], weights, level) for name, values in columns.items()}, **counts}


def blacked_out(pixels: NDArray[np.uint8], lungs: NDArray[np.bool_], arm: str) -> NDArray[np.uint8]:
    """The pictures of one arm: as they are (WHOLE), the lungs black (WITHOUT_LUNGS), all else black (LUNGS_ONLY).

    pixels: (N, S, S) uint8, as the network is fed; lungs: (N, S, S) bool. A copy; what was given is left alone.
    """
    if pixels.shape != lungs.shape:
        raise DataError(f"Pictures of {pixels.shape} and masks of {lungs.shape}.", "Bring the masks to the network's size.")
    if arm == WHOLE:
        return pixels.copy()
    return np.where(lungs if arm == WITHOUT_LUNGS else ~lungs, np.uint8(0), pixels)


def lung_ablation(
    pixels: NDArray[np.uint8],
    lungs: NDArray[np.bool_],
    true_index: ArrayLike,
    class_names: Sequence[str],
    patient_ids: ArrayLike,
    predict: Predict,
    decide: Decide | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict:
    """What a classifier scores on the whole picture, with the lungs blacked out, and with everything but the lungs so.

    What is left of the score without the lungs comes from elsewhere: the film's edge, letters, the body's outline, or the
    outline of the black itself. A fall alone does not show that the lungs were read, for a black shape is unlike any
    scan that the network learnt from: where the score falls as far with the lungs alone, it was the black that did it.

    pixels: (N, S, S) uint8; lungs: (N, S, S) bool, rows with an empty mask are left out; true_index: (N,) int;
    predict: (n, S, S) uint8 and the rows (n,) that they are of → (n, K) probabilities; decide: probabilities → (n,)
    classes, the most probable by default.
    Returns {arm: {metric: {"value", "low", "high"}}, "change": {arm: {metric: …}} (arm - whole, paired by picture),
    "pictures", "without_lungs"}; metrics are METRICS. Raises DataError: no mask, or shapes that do not fit.
    """
    kept = lungs.reshape(len(lungs), -1).any(axis=1)
    if not kept.any():
        raise DataError("No picture has a lung mask.", "Segment the lungs first, or pass the masks that are known.")
    truth, patients = np.asarray(true_index)[kept], np.asarray(patient_ids)[kept]
    rows: dict[str, Rows] = {}
    for arm in (WHOLE, WITHOUT_LUNGS, LUNGS_ONLY):
        probabilities = np.asarray(predict(blacked_out(pixels[kept], lungs[kept], arm), np.flatnonzero(kept)), np.float64)
        chosen = decide(probabilities) if decide is not None else None
        rows[arm] = Rows(truth, probabilities, class_names, patients, predicted=chosen)
    made = {arm: metric_intervals(answers, METRICS, resamples, seed) for arm, answers in rows.items()}
    change = {
        arm: difference_interval(rows[WHOLE], rows[arm], METRICS, resamples, seed) for arm in (WITHOUT_LUNGS, LUNGS_ONLY)
    }
    return {**made, "change": change, "pictures": int(kept.sum()), "without_lungs": int((~kept).sum())}
