"""The course of a training: which epoch is kept, when it ends, and how it goes on after a kill."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pipeline.training.epoch_state import EpochState
from pipeline.training.kept_epoch import KeptEpoch
from pipeline.training.prefetch import prefetched


@pytest.fixture
def network():
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="dense")])


def weight(network) -> float:
    return float(network.get_weights()[0][0, 0])


def run(network, monitor, scores, patience=None, state=None, count=None):
    """A training whose epoch e leaves the weight at e + 1; returns the epochs that were run and the course."""
    kept, done = KeptEpoch(network, monitor, patience, state), []
    for epoch in kept.epochs(count or len(scores)):
        network.set_weights([np.full((1, 1), epoch + 1, np.float32)])
        kept.judge(epoch, {monitor or "loss": scores[epoch]})
        kept.save(note=epoch)
        done.append(epoch)
    return done, kept


@pytest.mark.parametrize(("monitor", "scores", "best"), [
    ("val_loss", [3.0, 1.0, 2.0, 1.0], 1), ("val_auc", [0.5, 0.7, 0.7, 0.6], 1), ("val_dice", [0.1, 0.2, 0.3, 0.4], 3),
    ("val_loss", [float("nan"), 5.0, 6.0, 4.0], 3), (None, [1.0, 2.0, 0.5, 3.0], 3),
])  # fmt: skip
def test_the_first_of_the_best_epochs_is_kept(network, monitor, scores, best):
    done, kept = run(network, monitor, scores)
    assert done == [0, 1, 2, 3] and kept.history.best_epoch == best
    network.set_weights([np.full((1, 1), -1, np.float32)])
    assert kept.give_back(network) == (monitor is not None)
    assert weight(network) == (best + 1 if monitor else -1)


def test_patience_counts_epochs_without_a_better_one(network):
    assert run(network, "val_loss", [3.0, 2.0, 2.5, 2.2, 1.0], patience=2)[0] == [0, 1, 2, 3]
    assert run(network, "val_loss", [3.0, 2.0, 2.5, 1.9, 2.0], patience=2)[0] == [0, 1, 2, 3, 4]


def test_no_epoch_has_a_score(network):
    done, kept = run(network, "val_loss", [float("nan")] * 5, patience=3)
    assert done == [0, 1, 2] and not kept.give_back(network)


def test_it_goes_on_where_it_was_killed(network, tmp_path):
    scores = [0.5, 0.8, 0.6, 0.7, 0.9, 0.1]

    def state():
        return EpochState(tmp_path / "state.npz", [network], every_s=0)

    run(network, "val_auc", scores, 3, state(), count=3)
    network.set_weights([np.full((1, 1), -5, np.float32)])
    resumed = KeptEpoch(network, "val_auc", 3, state())
    assert resumed.more == {"note": 2} and weight(network) == 3
    assert resumed.history.epochs == {"val_auc": scores[:3]} and resumed.history.best_epoch == 1
    assert list(resumed.epochs(6)) == [3, 4, 5]
    resumed.give_back(network)
    assert weight(network) == 2
    waited = KeptEpoch(network, "val_auc", 1, state())
    assert list(waited.epochs(6)) == []


def test_a_part_that_begins_anew_starts_from_the_best_and_is_measured_against_itself(network):
    _, kept = run(network, "val_loss", [2.0, 1.0, 3.0])
    kept.begin_anew()
    assert weight(network) == 2
    assert kept.judge(3, {"val_loss": 9.0}) and kept.history.best_epoch == 3
    assert not kept.judge(4, {"val_loss": 9.5})


def test_batches_come_in_order_and_one_ahead():
    begun = []

    def make(place):
        begun.append(place)
        if place == 3:
            raise ValueError("torn")
        return place * 10

    batches = prefetched(make, 5)
    assert [next(batches), next(batches), next(batches)] == [0, 10, 20]
    with pytest.raises(ValueError, match="torn"):
        next(batches)
    assert begun == [0, 1, 2, 3] and list(prefetched(make, 0)) == []
