"""Train the multi-head UNet epoch by epoch: resumable to the byte, its best, last and every n-th weights kept."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.models.segmentation_losses import sample_weights
from pipeline.training.epoch_state import EpochState
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
LOWER_IS_BETTER = {"val_loss": True, "val_accuracy": False, "val_dice": False}
STATE_FILE = "training.state.npz"
CHECKPOINTS = "checkpoints"


@dataclass
class SegmentationHistory:
    """One list entry an epoch: ``image_size``, ``learning_rate``, losses, accuracy and Dice of training and validation."""

    epochs: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0

    def append(self, scores: dict[str, float]) -> None:
        for name, value in scores.items():
            self.epochs.setdefault(name, []).append(float(value))

    def as_json(self) -> dict:
        return {**self.epochs, "best_epoch": self.best_epoch}


@dataclass
class Course:
    """Where a training stands besides its variables: all of it is stored with them."""

    epoch: int = -1
    rate: float = 0.0
    lowest: float = math.inf
    waiting: int = 0
    best_score: float | None = None

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
) -> SegmentationHistory:  # fmt: skip
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
    history, course, best = _restored(state, fit)
    work = None
    for epoch in range(course.epoch + 1, len(sizes)):
        if epoch in firsts:
            # Losses at two sizes are not comparable, so each size chooses its own best and starts from the last one's.
            restore_weights(model, best)
            work, course.best_score, best = None, None, None
        work = work or _Work.at_size(sizes[epoch], model, optimizer, data, fit)
        scores = _train_epoch(work, fit, _Clock(seed, epoch, len(sizes), course), track)
        scores |= epoch_scores(predict_scans(work.forward, work.scans, data.valid, fit.batch_size), work.scans, fit)
        history.append(scores)
        if fit.schedule == "plateau":
            course.follow_plateau(scores["val_loss"], fit)
        course.epoch = epoch
        score = -scores[fit.monitor] if LOWER_IS_BETTER[fit.monitor] else scores[fit.monitor]
        improved = course.best_score is None or score > course.best_score
        if improved:
            course.best_score, history.best_epoch = score, epoch
            best = [np.asarray(v.value) for v in model.variables]
        _keep_weights(model, scratch / CHECKPOINTS, epoch, fit.keep_every, improved)
        on_epoch(epoch, scores)
        state.save({"epoch": epoch, "course": vars(course), "history": history.epochs, "best_epoch": history.best_epoch}, best)
    restore_weights(model, best)
    return history


def restore_weights(model: keras.Model, values: list[np.ndarray] | None) -> None:
    """Give the network its stored variables back."""
    for variable, value in zip(model.variables, values or [], strict=bool(values)):
        variable.assign(value)


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


def _restored(state: EpochState, fit: SegmentationFit):
    restored = state.restore()
    if restored is None:
        return SegmentationHistory(), Course(rate=fit.learning_rate), None
    progress, best = restored
    course = Course(**progress["course"])
    return SegmentationHistory(progress["history"], progress["best_epoch"]), course, best


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
        counted = sample_weights(has_mask, classes, weights)
        with fusing_pointwise(fit.fuse_pointwise):
            values = work.step(images, masks, tf.constant(classes, tf.int32),
                               tf.constant(counted["segmentation"]), tf.constant(counted["classification"])).numpy()  # fmt: skip
        sums += values * np.array([len(positions)] * 3 + [1, 1])
        masked, seen = masked + int(has_mask.sum()), seen + len(positions)
    shares = sums / np.array([seen, seen, seen, seen, max(masked, 1)])
    return {"image_size": scans.image_size, "learning_rate": clock.rate(fit, 0.0), **dict(zip(STEP_SCORES, shares, strict=True))}


def _batches(scans: SegmentationRows, order: np.ndarray, steps: int, size: int, augment, clock: _Clock) -> Iterator:
    """An epoch's batches; the next one is made in a thread while the network learns from this one."""

    def make(place: int):
        positions = order[place * size : (place + 1) * size]
        images, masks = scans.pixels(positions)
        pair = plain_pair(images, masks) if augment is None else augment(images, masks, (clock.seed, clock.epoch, place))
        return *pair, positions

    with ThreadPoolExecutor(1) as maker:
        upcoming = maker.submit(make, 0)
        for place in range(steps):
            ready = upcoming.result()
            if place + 1 < steps:
                upcoming = maker.submit(make, place + 1)
            yield ready


def _keep_weights(model: keras.Model, folder: Path, epoch: int, every: int, improved: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / "last.weights.h5"
    model.save_weights(last)
    if improved:
        shutil.copyfile(last, folder / "best.weights.h5")
    if (epoch + 1) % every == 0:
        shutil.copyfile(last, folder / f"epoch_{epoch + 1:04d}.weights.h5")
