"""How far an embedding lies from those of the training scans: Mahalanobis distance with a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.engine.errors import CorruptArtifactError

_REMEDY = "Fetch the bundle again, or export it again."
_NUMBERS = ("mean", "whitening", "threshold", "accepted_on_validation")


@dataclass(frozen=True)
class GateStatistics:
    """The training scans' embeddings as a Gaussian, and the distance from which on a picture is refused.

    mean: (F,) float32. whitening: (F, F) float32, the Cholesky factor of the inverse covariance. threshold: distances
    up to it are accepted. accepted_on_validation: share of the validation scans that it accepts. method: in words.
    """

    mean: np.ndarray
    whitening: np.ndarray
    threshold: float
    accepted_on_validation: float
    method: str

    @property
    def width(self) -> int:
        """How many features an embedding has."""
        return int(self.mean.shape[0])

    def distance(self, features: np.ndarray) -> np.ndarray:
        """(N, F) embeddings → (N,) float64: Mahalanobis distance / √F, about 1 for a scan like those of training."""
        offset = (np.asarray(features, np.float64) - self.mean) @ self.whitening.astype(np.float64)
        return np.sqrt(np.mean(offset**2, axis=1))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays without pickle, for an `.npz`; `from_arrays` reads them back."""
        return {
            "mean": np.asarray(self.mean, np.float32),
            "whitening": np.asarray(self.whitening, np.float32),
            "threshold": np.float64(self.threshold),
            "accepted_on_validation": np.float64(self.accepted_on_validation),
            "method": np.array(self.method),
        }

    def packed_arrays(self) -> dict[str, np.ndarray]:
        """As `arrays`, a quarter of the size: of a triangular whitening its lower triangle alone, in float16.

        Raises ValueError where the whitening is not triangular, or float16 does not hold it.
        """
        lower = self.whitening[np.tril_indices(self.width)].astype(np.float16)
        if not np.array_equal(_square(lower, self.width), self.whitening):
            raise ValueError("the whitening is not a lower triangle of float16 numbers")
        return {**{name: array for name, array in self.arrays().items() if name != "whitening"}, "whitening_lower": lower}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], source: str = "gate.npz") -> GateStatistics:
        """Raises CorruptArtifactError naming `source`: an array is missing, has another shape, or is not finite."""
        if "whitening_lower" in arrays:
            arrays = {**arrays, "whitening": _square(arrays["whitening_lower"], np.size(arrays.get("mean", ())))}
        missing = [name for name in (*_NUMBERS, "method") if name not in arrays]
        if missing:
            raise CorruptArtifactError(f"{source} holds no {', '.join(missing)}.", _REMEDY)
        mean, whitening = (np.asarray(arrays[name]) for name in ("mean", "whitening"))
        if mean.ndim != 1 or whitening.shape != (mean.size, mean.size):
            raise CorruptArtifactError(
                f"{source}: mean {mean.shape} and whitening {whitening.shape} do not fit each other.", _REMEDY
            )
        numbers = [np.asarray(arrays[name]) for name in _NUMBERS]
        if not all(np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all() for array in numbers):
            raise CorruptArtifactError(f"{source} holds values that are not finite numbers.", _REMEDY)
        threshold, accepted = (float(arrays[name]) for name in ("threshold", "accepted_on_validation"))
        return cls(mean.astype(np.float32), whitening.astype(np.float32), threshold, accepted, str(arrays["method"]))


def _square(lower: np.ndarray, width: int) -> np.ndarray:
    """A packed lower triangle as float32 (width, width); one of another size becomes (0, 0)."""
    if np.shape(lower) != (width * (width + 1) // 2,):
        return np.zeros((0, 0), np.float32)
    square = np.zeros((width, width), np.float32)
    square[np.tril_indices(width)] = lower
    return square
