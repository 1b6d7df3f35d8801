"""Gradient reversal: the gradients by hand, batches that tell nothing, the kept epoch, and that a kill changes nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from pipeline.engine.errors import DataError
from pipeline.training.multitask.adversarial.adversaries import Adversaries, ModalityExamples
from pipeline.training.multitask.adversarial.alignment_fit import fit_alignment, hidden_at, ramp
from pipeline.training.multitask.adversarial.balanced_batches import balanced_batches, cells_of
from pipeline.training.settings import AdversarialSettings

WIDTH, ROWS = 4, 96


@pytest.fixture
def examples():
    chance = np.random.default_rng(0)
    modality = (np.arange(ROWS) % 4 > 0).astype(np.int8)
    covid = (chance.random(ROWS) < 0.4).astype(np.int8)
    embeddings = chance.normal(size=(ROWS, WIDTH)).astype(np.float32)
    embeddings[:, 0] += 3 * modality
    embeddings[:, 1] += 2 * covid
    order = chance.permutation(ROWS)
    return ModalityExamples(embeddings, modality, covid, order[:64], order[64:])


def network(name: str, outputs: int) -> keras.Model:
    door = keras.Input((WIDTH,), name="embedding")
    return keras.Model(door, layers.Dense(outputs, name="dense_1")(door), name=name)


def adversaries(seed: int = 1) -> Adversaries:
    keras.utils.set_random_seed(seed)
    return Adversaries(network("generator", WIDTH), network("discriminator", 1), network("label_probe", 1))


def settings(**changed) -> AdversarialSettings:
    return AdversarialSettings(**{"learning_rate": 1e-2, "batch_size": 16, "epoch_budget": 6, "noise": 0.0} | changed)


def weights_of(players: Adversaries) -> list[np.ndarray]:
    return [weight for player in players.each() for weight in player.get_weights()]


def test_the_reversed_gradient_moves_the_generator_against_the_discriminator(examples):
    """With the diagnosis weighing nothing, the generator alone makes the discriminator's loss rise, and that one's step falls."""
    ends = {}
    for name, ours, theirs in (("discriminator", 1e-12, 1e-2), ("generator", 1e-2, 1e-12)):
        alone = settings(label_weight=0.0, epoch_budget=40, learning_rate=ours, discriminator_learning_rate=theirs)
        course = fit_alignment(adversaries(), examples, alone, seed=3).epochs["discriminator_loss"]
        ends[name] = course[-1] - course[0]
    assert ends["discriminator"] < -0.05 and ends["generator"] > 0.05


def test_the_ramp_starts_at_nothing_and_ends_near_one():
    assert ramp(0) == 0
    assert ramp(0.5) == pytest.approx(2 / (1 + np.exp(-5)) - 1)
    assert 0.9999 < ramp(1) < 1


def test_minibatches_say_nothing_of_the_modality(examples):
    cells = cells_of(examples.modality, examples.labels, examples.train)
    batches = balanced_batches(cells, 16, np.random.default_rng(0))
    assert len(batches) == 4
    for batch in batches:
        cell = 2 * examples.labels[batch] + examples.modality[batch]
        assert np.bincount(cell, minlength=4).tolist() == [4, 4, 4, 4]
    drawn = np.concatenate(batches)
    assert set(drawn) <= set(examples.train)
    for side in cells:
        for cell in side:
            uses = np.bincount(drawn[np.isin(drawn, cell)], minlength=ROWS)[cell]
            assert uses.max() - uses.min() <= 1


@pytest.mark.parametrize("size", [1, 2, 16, 1000])
def test_a_cell_smaller_than_its_share_comes_again(examples, size):
    few = np.concatenate([rows[:2] for side in cells_of(examples.modality, examples.labels, examples.train) for rows in side])
    batches = balanced_batches(cells_of(examples.modality, examples.labels, few), size, np.random.default_rng(0))
    assert all(len(batch) >= 4 for batch in batches) and set(np.concatenate(batches)) <= set(few)


def test_unknown_labels_share_half_a_batch(examples):
    covid = np.where(examples.modality == 0, -1, examples.labels)
    batch = balanced_batches(cells_of(examples.modality, covid, examples.train), 16, np.random.default_rng(0))[0]
    assert np.mean(examples.modality[batch]) == 0.5


def test_a_label_that_tells_the_modality_and_a_single_modality_are_refused(examples):
    with pytest.raises(DataError, match="Nothing can be hidden without hiding the label"):
        cells_of(examples.modality, examples.modality, examples.train)
    with pytest.raises(DataError, match="no CT slices"):
        cells_of(np.ones(ROWS), examples.labels, examples.train)


def test_of_three_labels_every_cell_has_its_share_of_a_batch():
    modality, labels = np.repeat([1, 0], [90, 30]), np.concatenate([np.arange(90) % 4 % 3, np.arange(30) % 3])
    batches = balanced_batches(cells_of(modality, labels, np.arange(120)), 60, np.random.default_rng(0))
    for batch in batches:
        assert np.bincount(2 * labels[batch] + modality[batch]).tolist() == [10] * 6


def test_the_epoch_of_least_label_loss_is_kept_among_those_that_hide(examples):
    readings = iter([{"linear": 0.9, "mlp": 0.9, "neighbours": 0.5}, {"linear": 0.55, "mlp": 0.5, "neighbours": 0.5},
                     {"linear": 0.5, "mlp": 0.5, "neighbours": 0.61}])  # fmt: skip
    course = fit_alignment(
        adversaries(), examples, settings(probe_every=2), seed=3, probe=lambda hidden: next(readings)
    ).as_json()
    assert course["best_epoch"] == 3
    assert np.isnan(course["probe_mlp"][0]) and course["probe_mlp"][1] == 0.9


def test_where_none_hides_the_weakest_reading_is_kept(examples):
    readings = iter([0.9, 0.7, 0.8])
    probe = lambda hidden: dict.fromkeys(("linear", "mlp", "neighbours"), next(readings))  # noqa: E731
    assert fit_alignment(adversaries(), examples, settings(probe_every=2), seed=3, probe=probe).best_epoch == 3
    assert not hidden_at({"linear": 0.5, "mlp": 0.6}, 0.06) and hidden_at({"linear": 0.5, "mlp": 0.55}, 0.06)


def test_a_training_that_is_told_its_epoch_ends_with_the_same_weights(examples):
    chosen, told = adversaries(), adversaries()
    probe = lambda hidden: dict.fromkeys(("linear", "mlp", "neighbours"), 0.5)  # noqa: E731
    kept = fit_alignment(chosen, examples, settings(probe_every=2), seed=3, probe=probe).best_epoch
    fit_alignment(told, examples, settings(), seed=3, stop_after=kept + 1)
    for mine, theirs in zip(chosen.generator.get_weights(), told.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_generator_is_given_back_at_the_scale_of_its_input(examples):
    players = adversaries()
    fit_alignment(players, examples, settings(learning_rate=0.5, epoch_budget=30), seed=3)
    kernel, bias = players.generator.get_weights()
    given = examples.embeddings[examples.train]
    assert np.std(given @ kernel + bias) == pytest.approx(np.std(given), rel=1e-4)


def test_extra_steps_move_the_discriminator_alone(examples):
    once, thrice = adversaries(), adversaries()
    still = settings(learning_rate=1e-12, discriminator_learning_rate=1e-2, epoch_budget=2, label_weight=0.0)
    first = fit_alignment(once, examples, still, seed=3).epochs["discriminator_loss"][-1]
    more = fit_alignment(thrice, examples, still.model_copy(update={"discriminator_steps": 5}), seed=3).epochs
    assert more["discriminator_loss"][-1] < first


def test_a_killed_training_ends_as_an_undisturbed_one(examples, kill_after, tmp_path):
    chosen = settings(noise=0.5, discriminator_steps=2, probe_every=2)
    probe = lambda hidden: dict.fromkeys(("linear", "mlp", "neighbours"), float(np.abs(hidden).mean() % 0.1 + 0.5))  # noqa: E731
    undisturbed, resumed, state = adversaries(), adversaries(seed=42), tmp_path / "state.npz"
    expected = fit_alignment(undisturbed, examples, chosen, seed=3, probe=probe).as_json()
    with pytest.raises(kill_after(3)):
        fit_alignment(adversaries(), examples, chosen, 3, state, probe=probe)
    kill_after(None)
    found = fit_alignment(resumed, examples, chosen, 3, state, probe=probe).as_json()
    assert str(found) == str(expected)
    for mine, theirs in zip(weights_of(resumed), weights_of(undisturbed), strict=True):
        np.testing.assert_array_equal(mine, theirs)
