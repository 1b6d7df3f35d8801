"""The tabled networks, width for width, with parameters counted by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pipeline.models import respiratory_networks as networks


def dense(*widths: int) -> int:
    """Parameters of a chain of Dense layers: kernels and biases."""
    return sum(a * b + b for a, b in zip(widths, widths[1:], strict=False))


def norm(width: int) -> int:
    """Scale, shift, moving mean and variance."""
    return 4 * width


def embedder():
    return networks.build_embedder(np.zeros(1280, "float32"), np.ones(1280, "float32"), "embedder_ct_task")


def adversarial():
    return networks.build_shared_adversarial(networks.build_generator())


TABLE = {
    # the moments of the training features are two frozen vectors
    "embedder": (embedder, 2 * 1280 + dense(1280, 1280, 1), 1280, [1280]),
    "xray_task": (networks.build_xray_task_extractor, norm(1280) + dense(1280, 1120, 960, 800, 640) + norm(640) + 641, 640,
                  [1120, 960, 800, 640]),
    "ct_task": (networks.build_ct_task_extractor, dense(1280, 1120, 960, 800, 640, 1), 640, [1120, 960, 800, 640]),
    "shared_plain": (networks.build_shared_plain, dense(1280, 960, 800, 640, 1), 640, [960, 800, 640]),
    "discriminator": (networks.build_discriminator, dense(1280, 640, 320, 160, 1), 160, [640, 320, 160]),
    "shared_adversarial": (adversarial, dense(1280, 960, 640, 960, 1280) + dense(1280, 640, 1), 640, [640]),
    "head": (networks.build_classifier_head, dense(1280, 320, 80, 20, 1), 20, [320, 80, 20]),
    "paired_head": (lambda: networks.build_classifier_head(2560), dense(2560, 320, 80, 20, 1), 20, [320, 80, 20]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_widths_and_parameters(name):
    build, parameters, features, widths = TABLE[name]
    model = build()
    assert model.count_params() == parameters
    found = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert found == [*widths, 1]
    assert networks.features_of(model).output_shape == (None, features)
    assert model.output_shape == (None, 1) and model.layers[-1].name == "logit"


def test_hand_counted_totals():
    assert networks.build_ct_task_extractor().count_params() == 3_792_961
    assert networks.build_shared_plain().count_params() == 2_511_841
    assert networks.build_generator().count_params() == 3_690_240


def test_slopes_and_dropouts():
    ct, xray = networks.build_ct_task_extractor(), networks.build_xray_task_extractor()
    slopes = {layer.negative_slope for layer in ct.layers if isinstance(layer, keras.layers.LeakyReLU)}
    assert slopes == {0.5}
    assert [layer.rate for layer in ct.layers if isinstance(layer, keras.layers.Dropout)] == [0.45] * 3
    assert not [layer for layer in xray.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.name for layer in xray.layers if isinstance(layer, keras.layers.BatchNormalization)] == [
        "batch_norm_in", "batch_norm_out"
    ]  # fmt: skip


def test_features_are_what_enters_the_last_dense():
    keras.utils.set_random_seed(0)
    model = networks.build_xray_task_extractor()
    rows = np.random.default_rng(0).normal(size=(4, 1280)).astype("float32")
    features = np.asarray(networks.features_of(model)(rows))
    kernel, bias = model.get_layer("logit").get_weights()
    np.testing.assert_allclose(features @ kernel + bias, np.asarray(model(rows)), atol=1e-5)


def test_the_embedder_standardises_with_the_training_moments():
    mean, variance = np.full(3, 10, "float32"), np.full(3, 4, "float32")
    model = networks.build_embedder(mean, variance, "embedder")
    inner = keras.Model(model.input, model.get_layer("standardise").output)
    # x · s - 10 · s with s = 0.5 in float32: s, both products and the difference are rounded, each by up to 6 · 2**-24; the
    # variance's 1e-6 adds as little. An epsilon of 1e-3, Keras's own, would be 2.5e-4 off.
    np.testing.assert_allclose(np.asarray(inner(np.array([[10.0, 12.0, 6.0]], "float32"))), [[0, 1, -2]], atol=6 * 6 * 2**-24)


def test_the_generator_is_frozen_behind_the_shared_extractor():
    model = adversarial()
    assert len(model.trainable_weights) == 4
    assert {weight.path.split("/")[0] for weight in model.trainable_weights} == {"dense_1", "logit"}
