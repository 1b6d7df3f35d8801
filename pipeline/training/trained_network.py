"""Train one named network once: a killed run finds it again, rounded as it will be stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from pipeline.engine.errors import CorruptArtifactError
from pipeline.engine.files import write_json
from pipeline.engine.seeds import derive_seed
from pipeline.models.stored_precision import StoredPrecision, round_kernels


@dataclass(frozen=True)
class Workshop:
    """Where networks are trained: the seed they derive from, the stored precision, and the kept state.

    ``folder`` is ``None`` where nothing needs to outlive a kill.
    """

    seed: int
    precision: StoredPrecision
    folder: Path | None = None

    def apart(self, name: str) -> Workshop:
        """The same workshop with a seed and a folder of its own."""
        return Workshop(derive_seed(self.seed, name), self.precision, self.folder / name if self.folder else None)


def train_once(
    name: str, workshop: Workshop, build: Callable[[int], keras.Model], fit: Callable[[keras.Model, int, Path | None], dict]
) -> tuple[keras.Model, dict]:
    """Build, fit and round a network, or load it where an interrupted run had finished it.

    Args:
        name: the network's name; its initial weights and minibatches come from the seed derived from it.
        build: seed → network. fit: (network, seed, state file) → history as JSON.

    Returns:
        The network with its stored weights, and its history.
    """
    seed = derive_seed(workshop.seed, name)
    keras.utils.set_random_seed(seed)
    model = build(seed)
    if workshop.folder is None:
        history = fit(model, seed, None)
        return round_kernels(model, workshop.precision), history
    workshop.folder.mkdir(parents=True, exist_ok=True)
    weights, done, state = (workshop.folder / f"{name}{end}" for end in (".weights.h5", ".done.json", ".state.npz"))
    if done.exists():
        try:
            model.load_weights(weights)
        except (OSError, ValueError) as cause:
            raise CorruptArtifactError(f"{weights}: cannot resume from it ({cause}).", f"Delete {weights.parent}.") from cause
        return model, json.loads(done.read_text(encoding="utf-8"))
    history = fit(model, seed, state)
    round_kernels(model, workshop.precision)
    model.save_weights(weights)
    write_json(done, history)
    state.unlink(missing_ok=True)
    return model, history
