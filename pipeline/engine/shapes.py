"""Symbolic shapes: equal symbols of one stage stand for equal sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.engine.contract import Artifact
from pipeline.engine.errors import ContractError


class ShapeBook:
    """The sizes that a stage's symbols have taken so far, and the artifact that set each."""

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[int, str]] = {}

    def check(self, artifact: Artifact, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Raise ContractError unless `shape` and `dtype` are what `artifact` declares."""
        if artifact.dtype is not None and dtype != np.dtype(artifact.dtype):
            raise ContractError(f"Artifact {artifact.name!r} is declared {artifact.dtype}, but is {dtype}.")
        if artifact.shape is None:
            return
        axes = artifact.shape
        if axes and str(axes[-1]).endswith("?") and len(shape) == len(axes) - 1:
            axes = axes[:-1]
        if len(shape) != len(axes):
            raise _wrong_shape(artifact, shape)
        for declared, size in zip(axes, shape, strict=True):
            self._check_axis(artifact, shape, declared, size)

    def _check_axis(self, artifact: Artifact, shape: tuple[int, ...], declared: int | str, size: int) -> None:
        if isinstance(declared, int):
            if declared != size:
                raise _wrong_shape(artifact, shape)
            return
        known, setter = self._sizes.setdefault(declared, (size, artifact.name))
        if known != size:
            raise ContractError(
                f"Artifact {artifact.name!r} has shape {shape}: {declared} is {size} here, "
                f"but {known} in {setter!r}."
            )


def _wrong_shape(artifact: Artifact, shape: tuple[int, ...]) -> ContractError:
    return ContractError(f"Artifact {artifact.name!r} is declared {artifact.shape}, but has shape {shape}.")
