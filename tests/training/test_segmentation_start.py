"""A segmenter's training starts from random weights, from Keras's, or from PyTorch's."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.engine.errors import CorruptArtifactError
from pipeline.training.segmenter.initial.start import starting_network
from pipeline.training.segmenter.settings import Architecture, files_of_start

SMALL = Architecture(channels=(4, 8, 12), decoded_channels=4)


def started(weights: Path | None, architecture: Architecture = SMALL, classes: int = 3) -> keras.Model:
    keras.utils.set_random_seed(1)
    return starting_network(architecture, str(weights) if weights else None, classes, 1)


def test_keras_weights_fit_whatever_the_dropout(tmp_path):
    keras.utils.set_random_seed(9)
    source = starting_network(SMALL, None, 3, 9)
    source.save_weights(tmp_path / "a.weights.h5")
    for architecture in (SMALL, SMALL.model_copy(update={"dropout": 0.0})):
        network = started(tmp_path / "a.weights.h5", architecture)
        image = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
        for name, answer in network(image, training=False).items():
            np.testing.assert_array_equal(np.asarray(answer), np.asarray(source(image, training=False)[name]))


def test_a_pytorch_checkpoint(tmp_path):
    """What the network of MONAI's reference answers, see tests/models/test_checkpoints.py."""
    import sys

    models = Path(__file__).parents[1] / "models"
    sys.path.insert(0, str(models))
    from torch_containers import Tensor, write_zip

    with np.load(models / "reference" / "unet_reduced.npz", allow_pickle=False) as stored:
        reference = dict(stored)
    tensors = {name.removeprefix("state_dict/"): array for name, array in reference.items() if name.startswith("state_dict/")}
    tree = {name: Tensor(array.astype(np.float32) if array.dtype == np.float16 else array) for name, array in tensors.items()}
    checkpoint = write_zip(tmp_path / "unet.pth", tree)
    architecture = Architecture(channels=(8, 16, 32), decoded_channels=8)
    answers = started(checkpoint, architecture, reference["classification"].shape[1])(reference["image"], training=False)
    for head in ("segmentation", "classification"):
        np.testing.assert_allclose(np.asarray(answers[head]), reference[head], atol=2e-5)


def test_every_file_that_decides_the_start_is_watched(tmp_path):
    """A single graph's classes stand in its metadata: another order there is another network's last layer."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "bundle.json").touch()
    assert files_of_start(str(bundle)) == [bundle / "bundle.json"]
    assert files_of_start("net.onnx") == [Path("net.onnx"), Path("net.onnx.meta.json")]
    assert files_of_start("net.pth") == [Path("net.pth")]


@pytest.mark.parametrize("name", ["cut.weights.h5", "other.weights.h5"])
def test_weights_that_do_not_fit_are_named(tmp_path, name):
    other = starting_network(Architecture(channels=(4, 6, 8), decoded_channels=4), None, 3, 0)
    other.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "cut.weights.h5").write_bytes((tmp_path / "other.weights.h5").read_bytes()[:500])
    with pytest.raises(CorruptArtifactError, match=f"{name} does not fit"):
        started(tmp_path / name)
