"""The network that a segmenter's training starts from."""

from __future__ import annotations

from pathlib import Path

import keras

from pipeline.engine.errors import CorruptArtifactError
from pipeline.models.checkpoints import load_unet_checkpoint
from pipeline.models.unet import build_unet
from pipeline.training.segmenter.settings import Architecture


def starting_network(architecture: Architecture, initial_weights: str | None, class_count: int, seed: int) -> keras.Model:
    """A multi-head UNet with random weights, or with those of a ``.weights.h5`` or of a PyTorch checkpoint.

    Raises:
        CorruptArtifactError: a file that cannot be read, or that belongs to another network.
    """
    strides = (2,) * (len(architecture.channels) - 1)
    widths = architecture.channels, strides, architecture.decoded_channels
    model = build_unet(class_count, *widths, architecture.dropout, seed=seed)
    if initial_weights is None:
        return model
    if not initial_weights.endswith(".weights.h5"):
        load_unet_checkpoint(model, Path(initial_weights))
        return model
    try:
        model.load_weights(initial_weights)
    except (OSError, ValueError) as cause:
        said = str(cause).strip().splitlines()[0]
        raise CorruptArtifactError(f"{initial_weights} does not fit this network: {said}", "Mend s07.initial_weights.") from cause
    return model
