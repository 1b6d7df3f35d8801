"""An embedder whose backbone's last blocks learn: it starts from the frozen one's answers, and only training rows move it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pipeline.models.backbones.split_backbone import split_backbone
from pipeline.models.respiratory_networks import build_embedder, build_fine_tuned_embedder
from pipeline.training.multitask.label_fit import apply_network, one_logit
from pipeline.training.multitask.recipes import EmbedderRecipe, Labelled, Tail, train_embedder
from pipeline.training.settings import FitSettings
from pipeline.training.trained_network import Workshop

FIT = FitSettings(epochs=2, batch_size=8, learning_rate=1e-3, patience=5)


@pytest.fixture(scope="module")
def halves():
    keras.utils.set_random_seed(4)
    return split_backbone("EfficientNetLite0", 32, "none", ("block4_add", "block14_add"), "block14_add")


@pytest.fixture(scope="module")
def rows(halves):
    images = np.random.default_rng(1).random((40, 32, 32, 1), dtype=np.float32)
    images[::2] *= 0.4
    return np.asarray(halves.front(images))


@pytest.fixture
def scans():
    return Labelled((np.arange(40) % 2).astype(np.int8), np.arange(28), np.arange(28, 40))


def test_it_starts_by_answering_as_the_frozen_parts_do(halves, rows):
    pooled = apply_network(halves.tail, rows)
    frozen = build_embedder(pooled.mean(axis=0), pooled.var(axis=0), "e", dropout=0.5)
    whole = build_fine_tuned_embedder(halves.tail, frozen, "e")
    np.testing.assert_allclose(one_logit(whole, rows), one_logit(frozen, pooled), rtol=1e-3, atol=1e-4)
    assert whole.get_layer("dropout_input").rate == 0.5
    trained = {variable.path for variable in whole.trainable_variables}
    assert any("block15" in path and "kernel" in path for path in trained) and any("logit" in path for path in trained)
    assert not any("standardise" in path or "moving" in path for path in trained)
    assert not halves.tail.trainable_variables


def test_the_tail_learns_and_its_statistics_stay(halves, rows, scans, tmp_path):
    before = {variable.path: np.array(variable.value) for variable in halves.tail.variables}
    model, history = train_embedder(
        "embedder_ct_task", rows, scans, EmbedderRecipe(fit=FIT), Workshop(1, "float32", tmp_path), Tail(halves.tail, FIT, rows)
    )
    assert len(history["val_auc"]) == 2
    own = model.layers[1]
    moved = {
        mine.path: not np.array_equal(np.asarray(mine.value), value)
        for mine, value in zip(own.variables, before.values(), strict=True)
    }
    assert not any(changed for path, changed in moved.items() if "moving" in path)
    assert any(changed for path, changed in moved.items() if "block15" in path and "kernel" in path)
    assert all(np.array_equal(np.asarray(v.value), before[v.path]) for v in halves.tail.variables), "the shared tail must stay"


def test_rows_outside_training_and_validation_change_nothing(halves, rows, scans):
    held = Labelled(scans.labels, np.arange(20), np.arange(20, 30))
    disturbed, labels = rows.copy(), scans.labels.copy()
    disturbed[30:] = 9.0
    labels[30:] = 1 - labels[30:]
    first, second = (
        train_embedder("e", given, told, EmbedderRecipe(fit=FIT), Workshop(1, "float32"), Tail(halves.tail, FIT, given))[0]
        for given, told in ((rows, held), (disturbed, Labelled(labels, held.train, held.valid)))
    )
    for mine, other in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(mine.value), np.asarray(other.value))
