"""A backbone cut in two answers as the whole one does."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pipeline.engine.errors import ConfigError
from pipeline.models.backbones.construction import build_backbone
from pipeline.models.backbones.split_backbone import split_backbone
from pipeline.models.stored_models import load_model, save_model

TAPS = ("block4_add", "block10_add", "block14_add")
SIDE = 64


def seeded(build, *args):
    keras.utils.set_random_seed(3)
    return build(*args)


@pytest.mark.parametrize("taps", [TAPS, (), ("block14_add",)])
@pytest.mark.parametrize("after", ["block10_add", "block14_add"])
def test_tail_of_front_is_the_whole(taps, after):
    whole = seeded(build_backbone, "EfficientNetLite0", SIDE, "none", taps)
    halves = seeded(split_backbone, "EfficientNetLite0", SIDE, "none", taps, after)
    image = np.random.default_rng(2).random((3, SIDE, SIDE, 1), dtype=np.float32)
    rows = halves.front(image)
    assert rows.ndim == 2 and not halves.front.trainable_weights and not halves.tail.trainable_weights
    np.testing.assert_allclose(np.asarray(halves.tail(rows)), np.asarray(whole(image)), rtol=1e-4, atol=1e-6)


def test_a_tail_survives_its_two_files(tmp_path):
    tail = seeded(split_backbone, "EfficientNetLite0", SIDE, "none", TAPS, "block10_add").tail
    rows = np.random.default_rng(2).random((2, tail.input_shape[1]), dtype=np.float32)
    save_model(tail, tmp_path / "t.weights.h5", tmp_path / "t.json")
    restored = load_model(tmp_path / "t.weights.h5", tmp_path / "t.json")
    np.testing.assert_array_equal(np.asarray(restored(rows)), np.asarray(tail(rows)))


def test_equal_seeds_give_equal_files(tmp_path):
    for name in ("a", "b"):
        tail = seeded(split_backbone, "EfficientNetLite0", SIDE, "none", TAPS, "block10_add").tail
        save_model(tail, tmp_path / f"{name}.weights.h5", tmp_path / f"{name}.json")
    for end in (".weights.h5", ".json"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


@pytest.mark.parametrize(
    ("taps", "after", "said"),
    [
        ((), "block10_ad", "Did you mean 'block10_add'"),
        ((), "block10_expand_conv", "a later layer reads past it"),
        (("block14_add", "block4_add"), "block10_add", "not in the network's order"),
    ],
)
def test_what_cannot_be_cut(taps, after, said):
    with pytest.raises(ConfigError, match=said):
        split_backbone("EfficientNetLite0", SIDE, "none", taps, after)
