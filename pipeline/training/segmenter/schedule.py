"""The learning rate of the segmenter's cosine schedule at any moment of its training."""

from __future__ import annotations

import math

from pipeline.training.segmenter.settings import SegmentationFit

FIRST_SHARE = 0.01


def cosine_rate(fit: SegmentationFit, now: float, epochs: int) -> float:
    """The rate ``now`` epochs after the start, of ``epochs`` in all (Loshchilov & Hutter 2017, eq. 5).

    It rises for ``warmup_epochs`` and falls until ``decay_epochs`` (all epochs by default). With ``full_size_rate``
    the epochs at the profile's own size have a cosine of their own, from that rate: a warm restart, since a network
    that comes from smaller pictures has to adapt and the end of one long cosine leaves it no rate to do so.
    """
    first = epochs - fit.epochs
    if fit.full_size_rate is not None and now >= first:
        return _fallen(fit.full_size_rate, fit.minimum_rate, (now - first) / fit.epochs)
    if now < fit.warmup_epochs:
        return fit.learning_rate * (FIRST_SHARE + (1 - FIRST_SHARE) * now / fit.warmup_epochs)
    span = (fit.decay_epochs or epochs) - fit.warmup_epochs
    return _fallen(fit.learning_rate, fit.minimum_rate, (now - fit.warmup_epochs) / max(span, 1e-9))


def _fallen(highest: float, lowest: float, gone: float) -> float:
    return lowest + (highest - lowest) * 0.5 * (1 + math.cos(math.pi * min(gone, 1.0)))
