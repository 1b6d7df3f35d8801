"""A picture as its file stores it, before anything is decided about how it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.reading.file_integrity import BROKEN_REMEDY
from pipeline.engine.errors import DataError


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """Samples of one picture, palettes resolved, white the high end.

    `samples`: (H, W) gray or (H, W, 3) RGB, of any integer or floating type. `top`: the highest value that the depth
    admits (1, 3, 15, 255, 4095, …); None for signed and floating samples, whose range is not told. `alpha`: (H, W), 0
    transparent … `alpha_top` opaque, or None. `premultiplied`: the samples are multiplied by alpha already.
    `orientation`: 1 … 8 as TIFF's tag 274 numbers them, not yet applied.
    """

    samples: np.ndarray
    top: int | None
    alpha: np.ndarray | None = None
    alpha_top: int = 255
    premultiplied: bool = False
    orientation: int = 1

    def checked(self, name: str, kind: str, height: int, width: int, channels: int) -> StoredPicture:
        """Itself. Raises DataError where a decoder gave another size, depth or number of channels than the header tells."""
        wanted = (height, width) if channels == 1 else (height, width, channels)
        if self.samples.shape != wanted or (self.alpha is not None and self.alpha.shape != (height, width)):
            raise mismatch(name, kind, wanted, self.samples.shape)
        if self.top not in (None, 255, 65535) and int(self.samples.max(initial=0)) > self.top:
            raise mismatch(name, kind, f"values up to {self.top}", int(self.samples.max()))
        return self


def mismatch(name: str, kind: str, told: object, decoded: object) -> DataError:
    """The error for a decoder that gave something else than the header says."""
    return DataError(f"{name}: corrupt {kind} (its header says {told}, its content is {decoded}).", BROKEN_REMEDY)


def refused(name: str, kind: str, finding: str) -> DataError:
    """The error for a legal file of a kind that no decoder here surely reads."""
    return DataError(f"{name}: {kind} {finding} is not read.", "Save it as PNG of 8 or 16 bits, or as DICOM.")


def through_palette(index: np.ndarray, palette: np.ndarray, name: str, kind: str) -> np.ndarray:
    """Indices (H, W) through RGB uint8 (N, 3) → RGB, or gray (H, W) where the palette is gray.

    Raises DataError for an index beyond the palette.
    """
    if int(index.max()) >= len(palette):
        raise DataError(f"{name}: corrupt {kind} (colour {int(index.max())} of a palette of {len(palette)}).", BROKEN_REMEDY)
    gray = (palette == palette[:, :1]).all()
    return np.ascontiguousarray(palette[:, 0])[index] if gray else palette[index]
