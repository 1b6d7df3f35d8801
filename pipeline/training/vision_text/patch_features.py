"""Feature maps of a frozen backbone as rows of patches, computed once and kept while a stage works."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from pipeline.engine.arrays import ArrayWriter, open_array, read_layout
from pipeline.engine.context import Context
from pipeline.engine.files import move
from pipeline.models.backbones.construction import build_backbone
from pipeline.models.stored_precision import StoredPrecision, round_kernels
from pipeline.training.frozen_features import frozen_features

LAST_POOL = "pool_0"


def build_patch_network(backbone: str, image_size: int, weights: str, precision: StoredPrecision) -> keras.Model:
    """``image (B, S, S, 1)`` float32 in [0, 1] → ``patches (B, P, C)`` float32: the last feature map, row by row.

    Kernels are rounded to what is stored. Raises as `build_backbone`.
    """
    pooled = build_backbone(backbone, image_size, weights)
    feature_map = pooled.get_layer(LAST_POOL).input
    patches = layers.Reshape((-1, feature_map.shape[-1]), name="patches")(feature_map)
    network = keras.Model(pooled.input, patches, name=f"{pooled.name}_patches")
    network.trainable = False
    return round_kernels(network, precision)


def patch_features(context: Context, network: keras.Model, profile: str) -> np.ndarray:
    """``(N, P, C)`` float32 of a profile's scans; a run that was killed finds them in its scratch folder."""
    pixels = context.input(f"pixels_{profile}")
    finished = context.scratch / "patches.npy"
    if not finished.exists():
        unfinished = finished.with_suffix(".part")
        blocks = frozen_features(network, pixels, lambda steps, total: context.progress(steps, total, "image patches"))
        with ArrayWriter(unfinished, network.output_shape[1:], "float32") as writer:
            for block in blocks:
                writer.append(block)
        move(unfinished, finished)
    return np.asarray(open_array(finished))


def profile_size(context: Context, profile: str) -> int:
    """Side in pixels of a profile's scans."""
    return read_layout(context.input(f"pixels_{profile}")).shape[1]
