"""A backbone cut in two: a frozen front whose maps are stored once, and a tail that can be fine-tuned from them.

What the front gives is one row a scan, so that it is stored, read and shipped as pooled features are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import keras
from keras import layers

from pipeline.engine.errors import ConfigError
from pipeline.models.backbones.construction import InputScaling, frozen_body, layer_of, pooled


@keras.saving.register_keras_serializable(package="respiratory")
class Columns(layers.Layer):
    """Columns ``start`` to ``stop`` (not included; None for all that are left) of ``(B, F)``."""

    def __init__(self, start: int, stop: int | None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.start, self.stop = start, stop

    def call(self, rows):
        return rows[:, self.start : self.stop]

    def get_config(self):
        return {**super().get_config(), "start": self.start, "stop": self.stop}


@dataclass(frozen=True)
class SplitBackbone:
    """The two halves; ``tail(front(image))`` are the features of ``build_backbone`` with the same weights and taps.

    front: ``(B, S, S, 1)`` in [0, 1] → ``features (B, E + h·w·c)``: the taps up to the cut pooled, side by side, then
    the maps at the cut, row by row. tail: that → ``features (B, F)``.
    """

    front: keras.Model
    tail: keras.Model


def split_backbone(name: str, image_size: int, weights: str | Path, taps: tuple[str, ...], after: str) -> SplitBackbone:
    """Cut a backbone behind the layer ``after``. Other arguments as ``build_backbone``; both halves start frozen.

    Raises:
        ConfigError: as ``build_backbone``; the layer is unknown or inside a block, whose shortcut the cut would sever.
    """
    body, scaling = frozen_body(name, image_size, weights)
    cut = layer_of(body, after)
    order = [layer.name for layer in body.layers]
    early = [tap for tap in taps if order.index(layer_of(body, tap).name) <= order.index(after)]
    if [*early, *(tap for tap in taps if tap not in early)] != list(taps):
        raise ConfigError(
            f"fine_tune after {after!r}: `taps` are not in the network's order.", f"Write {sorted(taps, key=order.index)}."
        )
    stem = f"{name.lower()}_{image_size}"
    return SplitBackbone(_front(body, scaling, cut, early, stem), _tail(body, cut, early, taps, stem))


def _front(body: keras.Model, scaling: InputScaling, cut: layers.Layer, early: list[str], stem: str) -> keras.Model:
    outputs = [*(body.get_layer(tap).output for tap in early), cut.output]
    inner = keras.Model(body.input, outputs, name=body.name)
    inner.trainable = False
    image = keras.Input((*body.input_shape[1:3], 1), name="image")
    maps = inner(scaling(image), training=False)
    *tapped, last = maps if isinstance(maps, list | tuple) else [maps]
    flat = layers.Flatten(name="flatten_maps")(last)
    features = layers.Concatenate(name="join_maps")([pooled(tapped), flat]) if tapped else flat
    return keras.Model(image, layers.Identity(name="features")(features), name=f"{stem}_front")


def _tail(body: keras.Model, cut: layers.Layer, early: list[str], taps: tuple[str, ...], stem: str) -> keras.Model:
    shape = tuple(cut.output.shape[1:])
    if len(shape) != 3:
        raise ConfigError(f"fine_tune.after: layer {cut.name!r} gives no feature map.", "Name the last layer of a block.")
    late = [body.get_layer(tap).output for tap in taps if tap not in early]
    try:
        behind = keras.Model(cut.output, [*late, body.output], name=f"{body.name}_tail")
    except ValueError as cause:
        raise ConfigError(f"fine_tune.after: {body.name} cannot be cut behind {cut.name!r}, because a later layer reads past it.",
                          "Name the last layer of a block.") from cause  # fmt: skip
    # Keras numbers the door of a cut network by all tensors made so far; a named one gives equal files.
    inner = keras.models.clone_model(behind, input_tensors=keras.Input(shape, name="maps_in"))
    inner.set_weights(behind.get_weights())
    inner.trainable = False
    width = sum(body.get_layer(tap).output.shape[-1] for tap in early)
    front = keras.Input((width + prod(shape),), name="backbone_features")
    maps = layers.Reshape(shape, name="maps")(Columns(width, None, name="flat_maps")(front))
    features = pooled(inner(maps, training=False))
    if width:
        features = layers.Concatenate(name="join_early")([Columns(0, width, name="early_taps")(front), features])
    return keras.Model(front, layers.Identity(name="features")(features), name=f"{stem}_tail")


def unfreeze(network: keras.Model) -> None:
    """Let every layer learn but batch normalisations, which keep the statistics of the frozen network.

    Networks inside networks are walked into: of a clone, ``trainable`` set outside does not reach their layers.
    """
    network.trainable = True
    for layer in network.layers:
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
        if isinstance(layer, keras.Model):
            unfreeze(layer)
