"""Generator against discriminator: the losses by hand, when it ends, and that a kill changes nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from pipeline.training.multitask.adversarial.adversaries import Adversaries, ModalityExamples, majority_rate
from pipeline.training.multitask.adversarial.inverted_fit import fit_inverted
from pipeline.training.settings import AdversarialSettings

WIDTH, ROWS = 4, 48
STILL = 1e-12


@pytest.fixture
def examples():
    chance = np.random.default_rng(0)
    modality = np.repeat([1, 0], ROWS // 2).astype(np.int8)
    embeddings = chance.normal(size=(ROWS, WIDTH)).astype(np.float32)
    embeddings[:, 0] += 3 * modality
    covid = (chance.random(ROWS) < 0.5).astype(np.int8)
    order = chance.permutation(ROWS)
    return ModalityExamples(embeddings, modality, covid, order[:32], order[32:])


def network(name: str, outputs: int) -> keras.Model:
    door = keras.Input((WIDTH,), name="embedding")
    return keras.Model(door, layers.Dense(outputs, name="dense_1")(door), name=name)


def adversaries(seed: int = 1) -> Adversaries:
    keras.utils.set_random_seed(seed)
    return Adversaries(network("generator", WIDTH), network("discriminator", 1), network("label_probe", 1))


def settings(**changed) -> AdversarialSettings:
    own = {"objective": "inverted", "learning_rate": 1e-2, "batch_size": 8, "epoch_budget": 5, "hold_epochs": 99}
    return AdversarialSettings(**own | changed)


def cross_entropy(labels: np.ndarray, logits: np.ndarray) -> float:
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return float(-np.mean(labels * np.log(probability) + (1 - labels) * np.log(1 - probability)))


def by_hand(players: Adversaries, examples: ModalityExamples) -> dict[str, float]:
    """Each term at the initial weights, over the training rows."""
    def apply(model, rows):
        kernel, bias = model.get_weights()
        return rows @ kernel + bias

    e, m = examples.embeddings[examples.train], examples.modality[examples.train]
    fake = apply(players.generator, e)
    told = apply(players.discriminator, fake)[:, 0]
    return {
        "real": cross_entropy(m, apply(players.discriminator, e)[:, 0]),
        "fake": cross_entropy(m, told),
        "inverted": cross_entropy(1 - m, told),
        "covid": cross_entropy(examples.labels[examples.train], apply(players.label_probe, fake)[:, 0]),
    }


@pytest.mark.parametrize("objective", ["inverted", "original"])
def test_one_steps_losses_are_those_of_the_objective(objective, examples):
    players = adversaries()
    terms = by_hand(players, examples)
    one_step = settings(objective=objective, learning_rate=STILL, batch_size=ROWS, epoch_budget=1, original_steps=1)
    history = fit_inverted(players, examples, one_step, seed=3).epochs
    generated = terms["fake"] if objective == "inverted" else terms["inverted"]
    assert abs(terms["fake"] - terms["inverted"]) > 0.01
    assert history["discriminator_loss"][0] == pytest.approx(terms["real"] + generated, rel=1e-5)
    assert history["generator_loss"][0] == pytest.approx(terms["inverted"], rel=1e-5)
    assert history["label_loss"][0] == pytest.approx(terms["covid"], rel=1e-5)


def test_the_originals_discriminator_helps_the_generator_and_the_inverted_one_does_not(examples):
    """Both of the original's players minimise BCE(D(G(e)), 1 - m); inverted ones pull it apart."""
    frozen = {"learning_rate": STILL, "discriminator_learning_rate": 0.05, "batch_size": ROWS}
    ends = {}
    for objective in ("original", "inverted"):
        chosen = settings(objective=objective, original_steps=10, epoch_budget=10, **frozen)
        ends[objective] = fit_inverted(adversaries(), examples, chosen, seed=3).epochs["generator_loss"]
    assert ends["original"][-1] < ends["original"][0]
    assert ends["inverted"][-1] > ends["inverted"][0]


def test_it_ends_once_the_discriminator_has_only_the_majority_left(examples):
    players = adversaries()
    players.generator.set_weights([np.zeros((WIDTH, WIDTH)), np.zeros(WIDTH)])  # hides everything
    commoner = 1.0 if examples.modality[examples.valid].mean() > 0.5 else -1.0
    players.discriminator.set_weights([np.ones((WIDTH, 1)), np.array([commoner])])
    history = fit_inverted(players, examples, settings(learning_rate=STILL, epoch_budget=50, hold_epochs=4), seed=3)
    assert len(history.epochs["generator_loss"]) == 4
    assert history.epochs["majority_rate"][0] == majority_rate(examples.modality[examples.valid])


def test_it_goes_on_to_its_budget_while_the_modality_shows(examples):
    players = adversaries()
    players.generator.set_weights([np.eye(WIDTH), np.zeros(WIDTH)])
    players.discriminator.set_weights([np.array([[4.0], [0], [0], [0]]), np.array([-6.0])])
    history = fit_inverted(players, examples, settings(learning_rate=STILL, epoch_budget=7, hold_epochs=2), seed=3)
    assert len(history.epochs["generator_loss"]) == 7
    assert history.epochs["discriminator_accuracy"][-1] > history.epochs["majority_rate"][-1] + 0.2


def test_the_original_takes_its_ten_full_batch_steps(examples):
    history = fit_inverted(adversaries(), examples, settings(objective="original", epoch_budget=2), seed=3)
    assert len(history.epochs["generator_loss"]) == 10


def test_the_discriminator_warms_up_alone(examples, kill_after, tmp_path):
    players, state = adversaries(), tmp_path / "state.npz"
    before = [weight for player in players.each() for weight in player.get_weights()]
    with pytest.raises(kill_after(1)):
        fit_inverted(players, examples, settings(warmup_epochs=2), 3, state)
    with np.load(state) as kept:  # kernel and bias of the generator, the discriminator, the probe
        changed = [not np.array_equal(weight, kept[f"v{place}"]) for place, weight in enumerate(before)]
    assert changed == [False, False, True, True, False, False]


def test_a_killed_duel_ends_as_an_undisturbed_one(examples, kill_after, tmp_path):
    undisturbed, resumed = adversaries(), adversaries(seed=42)
    expected = fit_inverted(undisturbed, examples, settings(warmup_epochs=1), seed=3).as_json()
    state = tmp_path / "state.npz"
    with pytest.raises(kill_after(2)):
        fit_inverted(adversaries(), examples, settings(warmup_epochs=1), 3, state)
    kill_after(None)
    assert fit_inverted(resumed, examples, settings(warmup_epochs=1), 3, state).as_json() == expected
    for name in ("generator", "discriminator", "label_probe"):
        for mine, theirs in zip(getattr(resumed, name).get_weights(), getattr(undisturbed, name).get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_duel_does_not_remember_the_one_before_it(examples):
    """The compiled steps and their optimizers are shared; nothing that was learnt may be."""
    first, between, again = adversaries(), adversaries(seed=42), adversaries()
    fit_inverted(first, examples, settings(), seed=3)
    fit_inverted(between, examples, settings(), seed=4)
    fit_inverted(again, examples, settings(), seed=3)
    for mine, theirs in zip(again.each(), first.each(), strict=True):
        for now, then in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(now, then)
