"""The fusion networks: what each reads, what a missing half does, and what rounding to 8 bits keeps."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.fusion_names import ARMS, CONTROLS, FUSIONS

PATCHES, PIECES = 6, 5


@pytest.fixture(scope="module")
def networks():
    import keras

    from pipeline.models.fusion import FusionShape, build_fusion

    keras.utils.set_random_seed(3)
    return {arm: build_fusion(arm, FusionShape(8, 12, width=16, heads=2), seed=3) for arm in ARMS}


def inputs(rows=3, image=1.0, note=1.0, seed=0):
    draw = np.random.default_rng(seed)
    mask = np.ones((rows, PIECES), np.float32)
    mask[:, 3:] = 0
    tokens = draw.normal(size=(rows, PIECES, 12)).astype(np.float32) * mask[..., None]
    patches = draw.normal(size=(rows, PATCHES, 8)).astype(np.float32)
    return [patches * image, np.full((rows, 1), image, np.float32), tokens * note, mask * note]


def answer(network, given):
    return np.asarray(network(given, training=False))


@pytest.mark.parametrize("arm", ARMS)
def test_one_finite_logit_a_row_whatever_is_missing(networks, arm):
    for image, note in ((1, 1), (0, 1), (1, 0), (0, 0)):
        logits = answer(networks[arm], inputs(image=image, note=note))
        assert logits.shape == (3, 1)
        assert np.isfinite(logits).all()


@pytest.mark.parametrize("arm", FUSIONS)
def test_a_fusion_reads_both_halves(networks, arm):
    whole = answer(networks[arm], inputs())
    assert np.abs(answer(networks[arm], inputs(image=0)) - whole).max() > 1e-4
    assert np.abs(answer(networks[arm], inputs(note=0)) - whole).max() > 1e-4


def test_a_control_reads_its_half_only(networks):
    whole, other = inputs(), inputs(seed=9)
    image_kept, note_kept = [*whole[:2], *other[2:]], [*other[:2], *whole[2:]]
    for arm, same, changed in zip(CONTROLS, (image_kept, note_kept), (note_kept, image_kept), strict=True):
        np.testing.assert_array_equal(answer(networks[arm], whole), answer(networks[arm], same))
        assert np.abs(answer(networks[arm], whole) - answer(networks[arm], changed)).max() > 1e-4


@pytest.mark.parametrize("arm", ARMS)
def test_what_is_masked_is_not_read(networks, arm):
    plain, disturbed = inputs(), inputs()
    disturbed[2] = disturbed[2] + 7 * (1 - disturbed[3])[..., None]
    np.testing.assert_allclose(answer(networks[arm], plain), answer(networks[arm], disturbed), atol=1e-5)
    absent, filled = inputs(image=0), inputs(image=0)
    filled[0] = filled[0] + 5
    np.testing.assert_allclose(answer(networks[arm], absent), answer(networks[arm], filled), atol=1e-5)


@pytest.mark.parametrize("arm", ARMS)
def test_padding_changes_nothing(networks, arm):
    given = inputs()
    longer = [*given[:2], np.pad(given[2], ((0, 0), (0, 4), (0, 0))), np.pad(given[3], ((0, 0), (0, 4)))]
    np.testing.assert_allclose(answer(networks[arm], given), answer(networks[arm], longer), atol=1e-5)


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm != "cross_attention"])
def test_an_arm_that_pools_first_may_be_fed_the_mean(networks, arm):
    given = inputs()
    mean = given[2].sum(axis=1, keepdims=True) / given[3].sum(axis=1)[:, None, None]
    pooled = [given[0].mean(axis=1, keepdims=True), given[1], mean, np.ones((3, 1), np.float32)]
    np.testing.assert_allclose(answer(networks[arm], given), answer(networks[arm], pooled), atol=1e-5)


def test_a_network_is_rebuilt_from_its_files(networks, tmp_path):
    from pipeline.models.stored_models import load_model, save_model

    paths = tmp_path / "fusion.weights.h5", tmp_path / "fusion.json"
    save_model(networks["cross_attention"], *paths)
    np.testing.assert_array_equal(
        answer(load_model(*paths), inputs()), answer(networks["cross_attention"], inputs())
    )


def test_class_shares_sum_to_one_and_follow_the_logit(networks):
    from pipeline.models.fusion import with_class_shares

    shares = answer(with_class_shares(networks["gated"]), inputs())
    logit = answer(networks["gated"], inputs())[:, 0]
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(shares[:, 1], 1 / (1 + np.exp(-logit)), atol=1e-6)


def test_the_8_bit_grid_has_255_levels_a_channel_and_keeps_the_largest():
    from pipeline.models.text_encoders import int8_grid

    kernel = np.random.default_rng(1).normal(size=(300, 4)).astype(np.float32)
    rounded = int8_grid(kernel, (1,))
    step = np.abs(kernel).max(axis=0) / 127
    assert np.abs(rounded - kernel).max() <= (step / 2).max() * 1.001
    assert all(len(np.unique(rounded[:, channel])) <= 255 for channel in range(4))
    np.testing.assert_allclose(np.abs(rounded).max(axis=0), np.abs(kernel).max(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(int8_grid(np.zeros((2, 2), np.float32), (1,)), 0)
