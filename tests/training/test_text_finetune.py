"""Fine-tuning a text encoder on a fold: only its last layers move, and every fold begins at the published weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.errors import ConfigError

_spec = importlib.util.spec_from_file_location("tiny_fusion", Path(__file__).with_name("tiny_fusion.py"))
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)

NOTES = ["fever and cough", "right lobe opacity", "old man with fever", "opacity of a lobe", "cough after days", ""]
LABELS = np.array([1, 0, 1, 0, 1, 0])
TRAIN, VALID = np.array([0, 1, 2, 3, 5]), np.array([3, 4])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.write_tiny_encoder(tmp_path_factory.mktemp("bert"))


def load(folder, **settings):
    from pipeline.training.vision_text.settings import EncoderSettings
    from pipeline.training.vision_text.text_features import load_encoder
    from pipeline.training.vision_text.text_finetune import EncoderTuner

    chosen = EncoderSettings(source=str(folder), finetune_learning_rate=0.05, finetune_epochs=2, **settings)
    encoder, tokenizer = load_encoder(chosen)
    return encoder, EncoderTuner(encoder, tokenizer.encode(NOTES), LABELS, chosen)


def weights(encoder):
    return {v.path: np.array(v.value) for v in encoder.network.weights}


def test_only_the_last_layers_move(folder):
    encoder, tuner = load(folder, finetune_layers=1)
    before = weights(encoder)
    tuner.fit(3, TRAIN, VALID)
    moved = {path for path, value in weights(encoder).items() if not np.array_equal(value, before[path])}
    assert moved
    assert all("transformer_layer_0" in path for path in moved)


def test_each_fold_begins_anew(folder):
    encoder, tuner = load(folder, finetune_layers=1)
    tuner.fit(3, TRAIN, VALID)
    first = weights(encoder)
    tuner.fit(4, TRAIN, VALID)
    assert any(not np.array_equal(value, first[path]) for path, value in weights(encoder).items())
    tuner.fit(3, TRAIN, VALID)
    for path, value in weights(encoder).items():
        np.testing.assert_array_equal(value, first[path])


def test_more_layers_than_there_are_is_refused(folder):
    with pytest.raises(ConfigError, match="has 1 layers"):
        load(folder, finetune_layers=2)
