"""Small networks, deterministic kernels, and a kill that a test can place."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from pipeline.training.determinism import make_deterministic
from pipeline.training.epoch_state import EpochState


@pytest.fixture(autouse=True)
def repeatable():
    make_deterministic(0)


class Killed(BaseException):
    """Stands for the process's end: nothing in the library catches it."""


@pytest.fixture
def kill_after(monkeypatch):
    """``kill_after(epoch)``: the state of each epoch is kept, and the training ends after that epoch's."""
    save = EpochState.save

    def place(epoch: int | None) -> type[BaseException]:
        def save_and_die(self, progress, best, force=False):
            save(self, progress, best, force=True)
            if progress["epoch"] == epoch:
                raise Killed

        monkeypatch.setattr(EpochState, "save", save_and_die)
        return Killed

    return place


@pytest.fixture
def dense_network():
    """``(seed, name, width, dropout, logits)`` → inputs ``(B, width)`` → Dense 8 → one logit, or more."""

    def build(seed: int, name: str = "network", width: int = 6, dropout: float = 0.0, logits: int = 1) -> keras.Model:
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((width,), name="inputs")
        x = layers.Dense(8, activation="relu", name="dense_1")(inputs)
        if dropout:
            x = layers.Dropout(dropout, seed=seed, name="dropout_1")(x)
        return keras.Model(inputs, layers.Dense(logits, name="logit")(x), name=name)

    return build
