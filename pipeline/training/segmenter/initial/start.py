"""The network that a segmenter's training starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from pipeline.data.scans import Warn, warn_python
from pipeline.engine.errors import CorruptArtifactError
from pipeline.models.checkpoints import load_unet_checkpoint
from pipeline.models.stored_precision import computing_in
from pipeline.models.unet import build_unet
from pipeline.training.segmenter.initial.bundle_weights import fill_from_bundle, settle_statistics, stored_network
from pipeline.training.segmenter.settings import Architecture, is_bundle

HEAD = "classification"


def starting_network(architecture: Architecture, initial_weights: str | None, class_count: int, seed: int) -> keras.Model:
    """A multi-head UNet with random weights, or with those of a ``.weights.h5`` or of a PyTorch checkpoint; for a bundle's see
    `start_from`.

    Raises:
        CorruptArtifactError: a file that cannot be read, or that belongs to another network.
    """
    strides = (2,) * (len(architecture.channels) - 1)
    widths = architecture.channels, strides, architecture.decoded_channels
    model = build_unet(class_count, *widths, architecture.dropout, seed=seed)
    if initial_weights is None or is_bundle(initial_weights):
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


def start_from(
    model: keras.Model, architecture: Architecture, initial_weights: str | None, class_names: Sequence[str], images: np.ndarray,
    warn: Warn = warn_python,
) -> None:  # fmt: skip
    """Give a network of `starting_network` the weights of a bundle, in place, where ``initial_weights`` is one.

    The bundle's last layer is taken where it tells the same classes apart in the same order; else that layer keeps its random
    weights, and ``warn`` is told. images: training scans ``(N, S, S, 3)`` float32, see `settle_statistics`.

    Raises as `stored_network` and `fill_from_bundle`.
    """
    if initial_weights is None or not is_bundle(initial_weights):
        return
    stored = stored_network(Path(initial_weights))
    theirs = stored.class_names
    with computing_in("float32"):
        source = starting_network(architecture, None, len(theirs), 0)
    fill_from_bundle(source, stored)
    settle_statistics(source, images)
    other = tuple(class_names) != theirs
    if other:
        warn(f"{initial_weights} tells {', '.join(theirs)} apart, this run {', '.join(class_names)}: the last layer of the "
             "diagnosis starts from random weights.")  # fmt: skip
    for layer in source.layers:
        if layer.weights and not (other and layer.name == HEAD):
            model.get_layer(layer.name).set_weights(layer.get_weights())
