"""An epoch's scores as TensorBoard reads them."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from pipeline.engine.extras import require


class TensorBoardLog:
    """Writes scalars to event files in ``folder``; a resumed training adds a file, as TensorBoard expects.

    Raises:
        MissingPackageError: the package ``tensorboard``, which TensorFlow writes through, is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require("tensorboard", "Or set s07.tensorboard to false.")
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, epoch: int, scores: dict[str, float]) -> None:
        """Log one epoch's scores, validation's under ``validation/`` and the others under ``training/``."""
        with self._writer.as_default(step=epoch + 1):
            for name, value in scores.items():
                part, column = ("validation", name[4:]) if name.startswith("val_") else ("training", name)
                tf.summary.scalar(f"{part}/{column}", value)
        self._writer.flush()
