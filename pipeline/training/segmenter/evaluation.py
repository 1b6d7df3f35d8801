"""What the network says of scans, and how well it says it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipeline.data.masks.lung_components import LungPieces, lung_pieces
from pipeline.evaluation.metrics.names import SEGMENTATION_METRICS
from pipeline.evaluation.metrics.segmentation import dice, pooled_dice, segmentation_metrics
from pipeline.evaluation.statistics.intervals import patient_mean_interval
from pipeline.training.segmenter.settings import SegmentationFit
from pipeline.training.segmenter.step import THRESHOLD, segmentation_loss_of

if TYPE_CHECKING:
    from pipeline.training.segmenter.rows import SegmentationRows



@dataclass(frozen=True)
class ScanAnswers:
    """The network's answers, in the order of the positions asked for.

    lungs: ``(n, S, S)`` bool, probability above THRESHOLD, all pieces unless ``keeping`` chose.
    logits, probabilities: ``(n, K)`` float64.
    segmentation_loss: ``(n,)``, Dice + BCE, meaningless without a mask.
    """

    positions: np.ndarray
    lungs: np.ndarray
    logits: np.ndarray
    segmentation_loss: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        raised = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def keeping(self, pieces: LungPieces) -> ScanAnswers:
        """The same answers with these pieces of every outline."""
        return replace(self, lungs=np.stack([lung_pieces(mask, pieces) for mask in self.lungs]))


def predict_scans(forward, scans: SegmentationRows, positions: np.ndarray, batch: int) -> ScanAnswers:
    """Answers in inference mode; ``forward`` is of ``forward_pass``."""
    lungs = np.empty((len(positions), scans.image_size, scans.image_size), bool)
    logits, losses = [], []
    for start in range(0, len(positions), batch):
        images, masks = scans.pixels(positions[start : start + batch])
        told = forward(tf.constant(images[..., None].astype(np.float32) / np.float32(255)))
        lungs[start : start + batch] = told["segmentation"].numpy()[..., 0] > THRESHOLD
        losses.append(segmentation_loss_of(tf.constant(masks[..., None], tf.float32), told["segmentation"]).numpy())
        logits.append(told["classification"].numpy())
    return ScanAnswers(positions, lungs, np.concatenate(logits).astype(np.float64), np.concatenate(losses).astype(np.float64))


def epoch_scores(answers: ScanAnswers, scans: SegmentationRows, fit: SegmentationFit) -> dict[str, float]:
    """Validation's losses, weighted as in training, its accuracy, mean Dice and macro AUC."""
    classes, masked = scans.class_index[answers.positions], scans.has_mask[answers.positions]
    weights = scans.class_weights(fit.class_weights)
    share = np.ones(len(classes)) if weights is None else weights[classes].astype(np.float64)
    logits = answers.logits - answers.logits.max(axis=1, keepdims=True)
    nats = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(classes)), classes]
    classification = float(np.average(nats, weights=share))
    segmentation = float(answers.segmentation_loss[masked].mean()) if masked.any() else 0.0
    shares = fit.loss_weights
    true = scans.pixels(answers.positions)[1].astype(bool)
    return {
        "val_loss": shares.segmentation * segmentation + shares.classification * classification,
        "val_seg_loss": segmentation,
        "val_cls_loss": classification,
        "val_accuracy": float((answers.logits.argmax(axis=1) == classes).mean()),
        "val_dice": _mean_dice(true[masked], answers.lungs[masked]),
        "val_auc": _macro_auc(classes, answers.probabilities),
    }


def _mean_dice(true: np.ndarray, said: np.ndarray) -> float:
    return float(dice(true, said).mean()) if len(true) else float("nan")


def _macro_auc(classes: np.ndarray, probabilities: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    sides = [(classes == place, probabilities[:, place]) for place in range(probabilities.shape[1])]
    return float(np.mean([roc_auc_score(truth, scores) for truth, scores in sides if truth.any() and not truth.all()]))


def overlap_table(answers: ScanAnswers, scans: SegmentationRows) -> dict[str, np.ndarray]:
    """SEGMENTATION_METRICS of each scan ``(n,)`` float64, in pixels of the network's size; NaN without a mask."""
    table = {name: np.full(len(answers.positions), np.nan) for name in SEGMENTATION_METRICS}
    for place, position in enumerate(answers.positions):
        if scans.has_mask[position]:
            true = scans.pixels(np.array([position]))[1][0].astype(bool)
            for name, value in segmentation_metrics(true, answers.lungs[place]).items():
                table[name][place] = value
    return table


def overlap_summary(
    table: dict[str, np.ndarray], answers: ScanAnswers, scans: SegmentationRows, class_names: list[str], patients: np.ndarray,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Means over the scans with a mask, each with its interval over patients, by class too; pooled Dice by name."""
    masked = scans.has_mask[answers.positions]
    if not masked.any():
        return {"masked_scans": 0}
    classes = scans.class_index[answers.positions]
    summary: dict[str, Any] = {"masked_scans": int(masked.sum())}
    summary |= {name: patient_mean_interval(values[masked], patients[masked], seed) for name, values in table.items()}
    by_class = {}
    for place, name in enumerate(class_names):
        mine = masked & (classes == place)
        if mine.any():
            means = {metric: patient_mean_interval(values[mine], patients[mine], seed) for metric, values in table.items()}
            by_class[name] = {"scans": int(mine.sum()), **means}
    worst = min(by_class, key=lambda name: by_class[name]["dice"]["value"])
    true = scans.pixels(answers.positions[masked])[1].astype(bool)
    return summary | {
        "per_class": by_class,
        "worst_class": worst,
        "worst_class_dice": by_class[worst]["dice"]["value"],
        "pooled_dice": pooled_dice(true, answers.lungs[masked]),
    }
