"""Fill the multi-head UNet from a PyTorch checkpoint, without PyTorch.

The file is read by ``pipeline.models.torch_files``, which admits tensors only. Names follow MONAI 1.6's UNet:
each level below the first adds ``.1.submodule``; within a level ``0`` goes down and ``2`` comes up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from pipeline.data.scans import Warn, warn_python
from pipeline.engine.errors import ConfigError, CorruptArtifactError, did_you_mean
from pipeline.engine.listing import listed
from pipeline.models.torch_files import read_state_dict
from pipeline.models.unet import PARTS, part_of

# The original's attributes; a bare MONAI UNet is {"backbone": "model"}.
ORIGINAL_PREFIXES: Mapping[str, str] = MappingProxyType(
    {"backbone": "backbone.model", "segmentation_head": "seg_head", "classification_head": "classifier"}
)
BACKBONE_LAYER = re.compile(r"backbone_level(?P<level>\d+)_(?P<way>down|bottom|up)_(?:unit(?P<unit>\d)_)?(?P<role>\w+)")
WAYS = {"down": ".0", "bottom": "", "up": ".2"}
ROLES = {"conv": "conv", "transposed": "conv", "norm": "adn.N", "prelu": "adn.A"}
# A Sequential's positions in the original's heads.
HEAD_LAYERS = {
    "segmentation_head_conv": "0",
    "segmentation_head_norm": "1",
    "segmentation_head_logit": "3",
    "classification_head_dense_1": "1",
    "classification_head_norm_1": "3",
    "classification_head_dense_2": "5",
    "classification_head_norm_2": "7",
    "classification": "9",
}
UNUSED_SUFFIX = ".num_batches_tracked"


class TensorSlot(NamedTuple):
    """Where one tensor of a checkpoint goes: its name and shape there, and its shape in Keras."""

    name: str
    shape: tuple[int, ...]
    keras_shape: tuple[int, ...]


def load_unet_checkpoint(
    model: keras.Model, checkpoint: Path, prefixes: Mapping[str, str] = ORIGINAL_PREFIXES, before: str | None = None,
    warn: Warn = warn_python,
) -> None:  # fmt: skip
    """Fill a network of ``build_unet`` with the tensors of a PyTorch ``state_dict``.

    Args:
        model: filled in place, and only if every tensor fits.
        checkpoint: a ``.pth`` file, zip or legacy container, of any precision; see `read_state_dict`.
        prefixes: what the names of each part begin with; a part that is left out keeps its weights.
        before: what stands before the names of all parts (``module.`` of DataParallel, ``net.``). None: found where the
            network's names have one thing before them, and ``warn`` is told.

    Raises:
        ConfigError: ``prefixes`` names an unknown part.
        CorruptArtifactError: a tensor is missing, has another shape, belongs nowhere or holds what is not finite; each is named.
    """
    for part in prefixes:
        if part not in PARTS:
            raise ConfigError(f"a UNet has no part {part!r}.{did_you_mean(part, PARTS)}", f"Its parts: {', '.join(PARTS)}.")
    slots = tensor_slots(model, prefixes)
    wanted = [slot for chosen in slots.values() for slot in chosen]
    tensors = _without_prefix(checkpoint, read_state_dict(checkpoint), [slot.name for slot in wanted], before, warn)
    _refuse_mismatches(model.name, checkpoint, tensors, wanted, prefixes)
    _refuse_not_finite(checkpoint, tensors, wanted)
    for layer_name, chosen in slots.items():
        model.get_layer(layer_name).set_weights([_in_keras_order(tensors[slot.name], slot) for slot in chosen])


def tensor_slots(model: keras.Model, prefixes: Mapping[str, str] = ORIGINAL_PREFIXES) -> dict[str, list[TensorSlot]]:
    """``{Keras layer: [slot of each of its weights, in their order]}`` for the parts that ``prefixes`` names."""
    slots = {}
    for layer in model.layers:
        part = part_of(layer.name)
        if part not in prefixes or not layer.weights:
            continue
        prefix = prefixes[part] + torch_place(layer.name)
        kinds = ("weight", "bias", "running_mean", "running_var")[: len(layer.weights)]
        slots[layer.name] = [
            TensorSlot(f"{prefix}.{kind}", _torch_shape(layer, tuple(weight.shape)), tuple(weight.shape))
            for kind, weight in zip(kinds, layer.weights, strict=True)
        ]
    return slots


def torch_place(layer_name: str) -> str:
    """PyTorch's name of a layer, after the prefix of its part: ``backbone_level0_down_unit1_norm`` is ``.0.conv.unit1.adn.N``."""
    if layer_name in HEAD_LAYERS:
        return f".{HEAD_LAYERS[layer_name]}"
    found = BACKBONE_LAYER.fullmatch(layer_name)
    if found is None:
        raise ConfigError(f"no layer of a UNet is called {layer_name!r}.", "Build the network with build_unet.")
    way, unit, role = found["way"], found["unit"], found["role"]
    place = ".1.submodule" * int(found["level"]) + WAYS[way]
    if role == "shortcut":
        return f"{place}.residual"
    if unit is None:
        return f"{place}.0.{ROLES[role]}"
    return f"{place}{'.1' if way == 'up' else ''}.conv.unit{unit}.{ROLES[role]}"


def _without_prefix(
    checkpoint: Path, tensors: dict[str, np.ndarray], wanted: Sequence[str], before: str | None, warn: Warn
) -> dict[str, np.ndarray]:
    """The tensors by their names after what stands before all of them; those that have it not are left out."""
    if before is None:
        found = {name.removesuffix(each) for each in wanted for name in tensors if name.endswith(f".{each}")}
        # Of the names as they stand, or of two networks in one file, nothing is guessed.
        if any(each in tensors for each in wanted) or not found:
            return tensors
        if len(found) > 1:
            raise CorruptArtifactError(
                f"{checkpoint.name}: the network's names stand after {', '.join(map(repr, sorted(found)))}.",
                "Say which is meant: --prefix.",
            )
        (before,) = found
        warn(f"{checkpoint.name}: its names begin with {before!r}, which was left out")
    chosen = {name.removeprefix(before): array for name, array in tensors.items() if name.startswith(before)}
    if not chosen:
        raise CorruptArtifactError(
            f"{checkpoint.name}: no tensor's name begins with {before!r}.", f"Its first tensor is {next(iter(tensors))}."
        )
    return chosen


def _torch_shape(layer: keras.Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Kernels (h, w, in, out) are (out, in, h, w) there, transposed ones (h, w, out, in) are (in, out, h, w)."""
    if isinstance(layer, layers.PReLU):
        return (1,)
    return (*shape[:1:-1], *shape[:2]) if len(shape) == 4 else shape[::-1]


def _in_keras_order(tensor: np.ndarray, slot: TensorSlot) -> np.ndarray:
    ordered = tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T
    return ordered.reshape(slot.keras_shape)


def _refuse_not_finite(checkpoint: Path, tensors: Mapping[str, np.ndarray], wanted: Sequence[TensorSlot]) -> None:
    broken = [slot.name for slot in wanted if not np.isfinite(tensors[slot.name]).all()]
    if broken:
        raise CorruptArtifactError(
            f"{checkpoint.name}: weights that are not finite (NaN or infinity) in {len(broken)} tensors: {listed(broken)}.",
            "The training diverged: use an earlier checkpoint.",
        )


def _refuse_mismatches(
    model_name: str, checkpoint: Path, tensors: Mapping[str, np.ndarray], slots: list[TensorSlot], prefixes: Mapping[str, str]
) -> None:
    wanted = {slot.name: slot.shape for slot in slots}
    starts = tuple(f"{prefix}." for prefix in prefixes.values())
    faults = [f"{name} is missing" for name in wanted if name not in tensors]
    faults += [
        f"{name} has shape {tensors[name].shape}, not {shape}"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    faults += [
        f"{name} belongs nowhere"
        for name in tensors
        if name.startswith(starts) and name not in wanted and not name.endswith(UNUSED_SUFFIX)
    ]
    if faults:
        first = next(iter(tensors))
        raise CorruptArtifactError(
            f"{checkpoint.name} does not fit {model_name}: {'; '.join(faults)}.",
            f"Use a checkpoint of the same channels and classes, or other prefixes (its first tensor is {first}).",
        )
