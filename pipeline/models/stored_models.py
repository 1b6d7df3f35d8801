"""Keras models as two plain files: weights (``.weights.h5``) and architecture (``.json``). No pickle, no Lambda."""

from __future__ import annotations

import json
from pathlib import Path

import keras

import pipeline.models.backbones.split_backbone  # noqa: F401 - registers Columns and InputScaling, which architectures name
from pipeline.engine.errors import CorruptArtifactError
from pipeline.engine.files import atomic_write_text


def save_model(model: keras.Model, weights: Path, architecture: Path) -> None:
    """Write both files; equal models give equal bytes."""
    model.save_weights(weights)
    document = json.loads(model.to_json())
    atomic_write_text(architecture, json.dumps(document, indent=1, sort_keys=True) + "\n")


def load_model(weights: Path, architecture: Path) -> keras.Model:
    """Rebuild a model from its two files.

    Raises:
        CorruptArtifactError: a file is broken, or the weights do not belong to the architecture.
    """
    try:
        described = architecture.read_text(encoding="utf-8")
        _register_layers(described)
        model = keras.models.model_from_json(described)
        model.load_weights(weights)
    except (ValueError, TypeError, KeyError, OSError) as cause:
        raise CorruptArtifactError(
            f"{architecture.name} and {weights.name} do not make a model: {str(cause).splitlines()[0]}",
            "Run the stage that wrote them again (--only sNN --force).",
        ) from cause
    return model


def _register_layers(described: str) -> None:
    """Import keras-hub where an architecture names its layers; Keras knows them only after that."""
    if '"keras_hub' in described or "keras_hub." in described:
        import keras_hub  # noqa: F401
