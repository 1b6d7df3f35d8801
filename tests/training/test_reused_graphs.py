"""Compiled trainings are shared by networks of one architecture, and share nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models import respiratory_networks as networks
from pipeline.training.multitask.label_fit import Examples, fit_labels
from pipeline.training.multitask.reused_graphs import architecture_of, compiled_fit, forget_compiled
from pipeline.training.settings import FitSettings

SETTINGS = FitSettings(epochs=3, batch_size=16, learning_rate=1e-2, weight_decay=1e-2, patience=3, mixup=0.4)


@pytest.fixture
def examples():
    chance = np.random.default_rng(0)
    labels = (chance.random(60) < 0.5).astype(np.int8)
    inputs = chance.normal(size=(60, 6)).astype(np.float32) + labels[:, None]
    return Examples(inputs, labels, np.arange(40), np.arange(40, 60))


def trained(build, examples, seed=1, settings=SETTINGS) -> list[np.ndarray]:
    model = build(seed, dropout=0.3)
    fit_labels(model, examples, settings, seed)
    return [np.array(variable.value) for variable in model.variables]


def test_a_reused_training_ends_as_a_fresh_one(examples, dense_network):
    forget_compiled()
    fresh = trained(dense_network, examples)
    other = trained(dense_network, examples, seed=2)
    reused = trained(dense_network, examples)
    for mine, theirs in zip(reused, fresh, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert any(not np.array_equal(mine, apart) for mine, apart in zip(reused, other, strict=True))


def test_one_architecture_is_compiled_once_whatever_its_name_and_seeds(dense_network):
    first = compiled_fit(dense_network(1, "head_xray", dropout=0.3), SETTINGS)
    assert compiled_fit(dense_network(2, "head_ct", dropout=0.3), SETTINGS) is first
    assert compiled_fit(dense_network(1, "head_xray", dropout=0.3), SETTINGS.model_copy(update={"epochs": 9})) is first
    assert compiled_fit(dense_network(1, "head_xray", dropout=0.2), SETTINGS) is not first
    assert compiled_fit(dense_network(1, "head_xray", dropout=0.3), SETTINGS.model_copy(update={"mixup": 0.0})) is not first


def test_embedders_of_one_width_are_one_architecture_whatever_their_moments(examples):
    def embedder(mean: float):
        return networks.build_embedder(np.full(6, mean, "float32"), np.ones(6, "float32"), "embedder", 0.1, seed=int(mean))

    assert architecture_of(embedder(0.0)) == architecture_of(embedder(5.0))
    near, far = embedder(0.0), embedder(5.0)
    for model in (near, far):
        fit_labels(model, examples, SETTINGS, seed=1)
    assert float(near.get_layer("standardise").moving_mean[0]) == 0.0
    assert float(far.get_layer("standardise").moving_mean[0]) == 5.0


def test_a_frozen_part_stays_frozen_in_the_compiled_training(examples):
    wide = Examples(np.tile(examples.inputs[:, :1], (1, networks.EMBEDDING)), examples.labels, examples.train, examples.valid)
    generator = networks.build_generator()
    before = generator.get_weights()
    model = networks.build_shared_adversarial(generator)
    fit_labels(model, wide, FitSettings(epochs=1, batch_size=16), seed=1)
    for mine, theirs in zip(generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_class_weights_of_the_fit_in_hand_count(examples, dense_network):
    uneven = Examples(examples.inputs, (examples.inputs[:, 0] > 1.5).astype(np.int8), examples.train, examples.valid)
    balanced = SETTINGS.model_copy(update={"class_weights": "balanced"})
    plain, weighted = trained(dense_network, uneven), trained(dense_network, uneven, settings=balanced)
    assert not np.array_equal(plain[0], weighted[0])
