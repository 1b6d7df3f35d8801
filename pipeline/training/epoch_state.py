"""What a training needs to go on after a kill: every variable, the history and the best weights so far."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import keras
import numpy as np

from pipeline.engine.files import atomic_write_bytes


class EpochState:
    """Saves and restores a training in one ``.npz`` file, written beside its place and renamed.

    Args:
        path: the file; ``None`` keeps nothing.
        trackables: models and optimizers whose variables (dropout's seed state included) make the state.
        every_s: seconds between two saves, so that short epochs are not spent on writing.
    """

    def __init__(self, path: Path | None, trackables: list, every_s: float = 10.0) -> None:
        self.path, self.every_s = path, every_s
        self.variables: list[keras.Variable] = [v for t in trackables for v in t.variables]
        self._saved_at = time.monotonic()

    def save(self, progress: dict, best: list[np.ndarray] | None, force: bool = False) -> None:
        """Keep the state after an epoch; ``progress`` is JSON (epoch, history, waiting epochs)."""
        if self.path is None or (not force and time.monotonic() - self._saved_at < self.every_s):
            return
        arrays = {f"v{i}": np.asarray(v.value) for i, v in enumerate(self.variables)}
        arrays |= {f"b{i}": array for i, array in enumerate(best or [])}
        buffer = io.BytesIO()
        np.savez(buffer, progress=np.array(json.dumps(progress)), **arrays)
        atomic_write_bytes(self.path, buffer.getvalue())
        self._saved_at = time.monotonic()

    def restore(self) -> tuple[dict, list[np.ndarray] | None] | None:
        """Load the last saved state into the variables; ``None`` where there is none."""
        if self.path is None or not self.path.exists():
            return None
        with np.load(self.path, allow_pickle=False) as stored:
            for i, variable in enumerate(self.variables):
                variable.assign(stored[f"v{i}"])
            best = [stored[f"b{i}"] for i in range(sum(name.startswith("b") for name in stored.files))]
            return json.loads(str(stored["progress"])), best or None

    def forget(self) -> None:
        """Remove the saved state, once the trained weights are stored elsewhere."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
