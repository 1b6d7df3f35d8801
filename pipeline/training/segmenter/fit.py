"""Train the multi-head UNet epoch by epoch: resumable to the byte, its best, last and every n-th weights kept."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.models.losses.segmentation import scan_weights
from pipeline.training.epoch_state import EpochState
from pipeline.training.kept_epoch import FitHistory, KeptEpoch
from pipeline.training.prefetch import prefetched
from pipeline.training.segmenter.augmentation import PairAugmentation, plain_pair
from pipeline.training.segmenter.evaluation import epoch_scores, predict_scans
from pipeline.training.segmenter.pointwise_fusion import fusing_pointwise
from pipeline.training.segmenter.rows import SegmentationRows
from pipeline.training.segmenter.schedule import cosine_rate
from pipeline.training.segmenter.settings import SegmentationFit
from pipeline.training.segmenter.step import build_optimizer, forward_pass, set_learning_rate, training_step

Track = Callable[[Iterable, int, str], Iterator]
OnEpoch = Callable[[int, dict[str, float]], None]
STEP_SCORES = ("loss", "seg_loss", "cls_loss", "accuracy", "dice")
STATE_FILE = "training.state.npz"
CHECKPOINTS = "checkpoints"


@dataclass
class Course:
    """Where the plateau schedule stands: stored with the variables."""

    rate: float
    lowest: float = math.inf
    waiting: int = 0

    def follow_plateau(self, loss: float, fit: SegmentationFit) -> None:
        """Keras's ReduceLROnPlateau: lower the rate after plateau_patience epochs without a lower loss."""
        if loss < self.lowest:
            self.lowest, self.waiting = loss, 0
            return
        self.waiting += 1
        if self.waiting >= fit.plateau_patience:
            self.rate, self.waiting = max(self.rate * fit.plateau_factor, fit.minimum_rate), 0


def fit_segmenter(
    model: keras.Model, data: SegmentationRows, fit: SegmentationFit, seed: int, scratch: Path,
    track: Track = lambda steps, total, label: steps, on_epoch: OnEpoch = lambda epoch, scores: None,
) -> FitHistory:  # fmt: skip
    """Train ``model`` in place and leave it with the weights of its best epoch at the profile's own size.

    Args:
        model: of ``build_unet``, built under ``fit.precision``; fully convolutional where ``early_sizes`` are given.
        seed: with the epoch and the step it decides the order of the scans and every augmentation.
        scratch: where the state and the kept weights (``checkpoints/``) are written; what is there is gone on from.
        track: shows the progress of an epoch's steps. on_epoch: told each epoch's number and scores.
    """
    phases = fit.phases(data.image_size)
    sizes = [phase.image_size for phase in phases for _ in range(phase.epochs)]
    firsts = {sum(phase.epochs for phase in phases[:place]) for place in range(len(phases))}
    optimizer = build_optimizer(model, fit)
    state = EpochState(scratch / STATE_FILE, [model, optimizer])
    kept = KeptEpoch(model, fit.monitored(data.validation_has_masks), state=state)
    course = Course(**kept.more.get("course", {"rate": fit.learning_rate}))
    work = None
    for epoch in kept.epochs(len(sizes)):
        if epoch in firsts:
            # Losses at two sizes are not comparable, so each size chooses its own best and starts from the last one's.
            kept.begin_anew()
            work = None
        work = work or _Work.at_size(sizes[epoch], model, optimizer, data, fit)
        scores = _train_epoch(work, fit, _Clock(seed, epoch, len(sizes), course), track)
        scores |= epoch_scores(predict_scans(work.forward, work.scans, data.valid, fit.batch_size), work.scans, fit)
        if fit.schedule == "plateau":
            course.follow_plateau(scores["val_loss"], fit)
        improved = kept.judge(epoch, scores)
        _keep_weights(model, scratch / CHECKPOINTS, epoch, fit.keep_every, improved)
        on_epoch(epoch, scores)
        kept.save(course=vars(course))
    kept.give_back(model)
    return kept.history


@dataclass(frozen=True)
class _Work:
    """Scans of one size, and what is compiled for it."""

    scans: SegmentationRows
    optimizer: keras.optimizers.Optimizer
    step: Callable
    forward: Callable
    augment: PairAugmentation | None

    @classmethod
    def at_size(
        cls, size: int, model: keras.Model, optimizer: keras.optimizers.Optimizer, data: SegmentationRows, fit: SegmentationFit
    ) -> _Work:
        step = training_step(model, optimizer, fit.loss_weights.model_dump(), size)
        augment = PairAugmentation(fit.augmentation, size) if fit.augmentation is not None else None
        return cls(data.at_size(size), optimizer, step, forward_pass(model, size), augment)


@dataclass(frozen=True)
class _Clock:
    """Which epoch it is, and what the rate and the draws follow from."""

    seed: int
    epoch: int
    epochs: int
    course: Course

    def rate(self, fit: SegmentationFit, share: float) -> float:
        """Learning rate at a share of this epoch."""
        if fit.schedule == "plateau":
            return self.course.rate
        return cosine_rate(fit, self.epoch + share, self.epochs)


def _train_epoch(work: _Work, fit: SegmentationFit, clock: _Clock, track: Track) -> dict[str, float]:
    scans = work.scans
    order = np.random.default_rng([clock.seed, clock.epoch]).permutation(scans.train)
    steps = max(1, len(order) // fit.batch_size)
    weights = scans.class_weights(fit.class_weights)
    sums, masked, seen = np.zeros(len(STEP_SCORES)), 0, 0
    batches = _batches(scans, order, steps, fit.batch_size, work.augment, clock)
    label = f"epoch {clock.epoch + 1} at {scans.image_size} px"
    for place, (images, masks, positions) in enumerate(track(batches, steps, label)):
        set_learning_rate(work.optimizer, clock.rate(fit, place / steps))
        classes, has_mask = scans.class_index[positions], scans.has_mask[positions]
        counted = scan_weights(has_mask, classes, weights)
        with fusing_pointwise(fit.fuse_pointwise):
            values = work.step(images, masks, tf.constant(classes, tf.int32),
                               tf.constant(counted["segmentation"]), tf.constant(counted["classification"])).numpy()  # fmt: skip
        sums += values * np.array([len(positions)] * 3 + [1, 1])
        masked, seen = masked + int(has_mask.sum()), seen + len(positions)
    shares = sums / np.array([seen, seen, seen, seen, max(masked, 1)])
    return {"image_size": scans.image_size, "learning_rate": clock.rate(fit, 0.0), **dict(zip(STEP_SCORES, shares, strict=True))}


def _batches(scans: SegmentationRows, order: np.ndarray, steps: int, size: int, augment, clock: _Clock) -> Iterator:
    """An epoch's batches: scans, masks, positions."""

    def make(place: int):
        positions = order[place * size : (place + 1) * size]
        images, masks = scans.pixels(positions)
        pair = plain_pair(images, masks) if augment is None else augment(images, masks, (clock.seed, clock.epoch, place))
        return *pair, positions

    return prefetched(make, steps)


def _keep_weights(model: keras.Model, folder: Path, epoch: int, every: int, improved: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / "last.weights.h5"
    model.save_weights(last)
    if improved:
        shutil.copyfile(last, folder / "best.weights.h5")
    if (epoch + 1) % every == 0:
        shutil.copyfile(last, folder / f"epoch_{epoch + 1:04d}.weights.h5")
