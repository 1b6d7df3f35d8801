"""Sampling grids and the analytic solids that a phantom is built of.

Coordinates are millimetres: x to the patient's left, y to the back, z to the head. Arrays sampled on a grid
have shape ``(Y, Z, X)``, so that one index along the first axis is one coronal slab.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Box = tuple[slice, slice, slice]
Point = tuple[float, float, float]


def coverage(distance: np.ndarray, edge_mm: float) -> np.ndarray:
    """Share of a voxel inside a surface, in [0, 1].

    distance: any shape, signed distance to the surface in mm, positive inside.
    edge_mm: width over which the border fades: the voxel's own size stands for partial volume.
    """
    share = distance / np.float32(edge_mm)
    share += np.float32(0.5)
    np.maximum(share, 0, out=share)
    return np.minimum(share, 1, out=share)


def blend(values: np.ndarray, share: np.ndarray, target: np.ndarray | float) -> None:
    """Move `values` in place towards `target` by `share` in [0, 1]; shapes broadcast."""
    values += share * (target - values)


def _between(axis: np.ndarray, first: float, last: float) -> slice | None:
    origin = float(axis[0])
    step = float(axis[1]) - origin
    start, stop = (first - origin) / step, (last - origin) / step
    if step < 0:
        start, stop = stop, start
    start, stop = max(math.ceil(start), 0), min(math.floor(stop) + 1, axis.size)
    return slice(start, stop) if start < stop else None


@dataclass(frozen=True)
class Grid:
    """Points at which a thorax is sampled: three evenly spaced float32 axes in mm.

    An axis may run either way; it has two points or more.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @staticmethod
    def axis(low: float, high: float, count: int) -> np.ndarray:
        """Centres of `count` equal cells between low and high, float32 `(count,)`."""
        step = (high - low) / count
        return (low + step * (np.arange(count) + 0.5)).astype(np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.y.size, self.z.size, self.x.size)

    @property
    def edge_mm(self) -> float:
        """Width of a soft border: the pixel size in x."""
        return abs(float(self.x[1] - self.x[0]))

    def open_axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y, z shaped to broadcast to `(Y, Z, X)`."""
        return self.x[None, None, :], self.y[:, None, None], self.z[None, :, None]

    def box(self, low: Point, high: Point) -> Box | None:
        """Slices of the points between two corners (x, y, z), None if there are none."""
        # Height first: of a thin slice most solids miss only that.
        along_z = _between(self.z, low[2], high[2])
        along_x = _between(self.x, low[0], high[0]) if along_z else None
        along_y = _between(self.y, low[1], high[1]) if along_x else None
        return (along_y, along_z, along_x) if along_y and along_z and along_x else None

    def crop(self, box: Box) -> Grid:
        return Grid(x=self.x[box[2]], y=self.y[box[0]], z=self.z[box[1]])


@dataclass(frozen=True)
class Capsule:
    """A tube with round ends between two points (mm), its radius changing evenly from one to the other."""

    start: Point
    end: Point
    start_radius: float
    end_radius: float

    def sample(self, grid: Grid) -> tuple[Box, np.ndarray] | None:
        """The box of the grid that the tube touches and its coverage there, None if it misses the grid."""
        (x0, y0, z0), (x1, y1, z1) = self.start, self.end
        reach = max(self.start_radius, self.end_radius) + grid.edge_mm
        low = (min(x0, x1) - reach, min(y0, y1) - reach, min(z0, z1) - reach)
        box = grid.box(low, (max(x0, x1) + reach, max(y0, y1) + reach, max(z0, z1) + reach))
        if box is None:
            return None
        x = (grid.x[box[2]] - np.float32(x0))[None, None, :]
        y = (grid.y[box[0]] - np.float32(y0))[:, None, None]
        z = (grid.z[box[1]] - np.float32(z0))[None, :, None]
        dx, dy, dz = np.float32(x1 - x0), np.float32(y1 - y0), np.float32(z1 - z0)
        squared = max(float(dx * dx + dy * dy + dz * dz), 1e-6)
        dot = x * dx + z * dz + y * dy
        along = np.minimum(np.maximum(dot / np.float32(squared), 0), 1)
        # |p - t d|^2 = |p|^2 - 2 t (p . d) + t^2 |d|^2
        distance = x * x + z * z + y * y
        distance += along * (along * np.float32(squared) - 2 * dot)
        np.sqrt(np.maximum(distance, 0, out=distance), out=distance)
        radius = np.float32(self.start_radius) + along * np.float32(self.end_radius - self.start_radius)
        return box, coverage(radius - distance, grid.edge_mm)


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid: centre and half axes (x, y, z) in mm, turned by `tilt` radians in the frontal plane."""

    centre: Point
    half_axes: Point
    tilt: float = 0.0

    def sample(self, grid: Grid) -> tuple[Box, np.ndarray] | None:
        """The box of the grid that the solid touches and its coverage there, None if it misses the grid."""
        half_x, half_y, half_z = self.half_axes
        cosine, sine = np.cos(self.tilt), np.sin(self.tilt)
        reach = (np.hypot(half_x * cosine, half_z * sine), half_y, np.hypot(half_x * sine, half_z * cosine))
        low = tuple(c - r - grid.edge_mm for c, r in zip(self.centre, reach, strict=True))
        high = tuple(c + r + grid.edge_mm for c, r in zip(self.centre, reach, strict=True))
        box = grid.box(low, high)  # type: ignore[arg-type]
        if box is None:
            return None
        x, y, z = grid.crop(box).open_axes()
        x, y, z = (
            x - np.float32(self.centre[0]),
            y - np.float32(self.centre[1]),
            z - np.float32(self.centre[2]),
        )
        along = (x * np.float32(cosine) + z * np.float32(sine)) / np.float32(half_x)
        across = (z * np.float32(cosine) - x * np.float32(sine)) / np.float32(half_z)
        norm_squared = along**2 + across**2 + (y / np.float32(half_y)) ** 2
        # First order: the gradient of the norm's square at the surface is 2 / half axis.
        return box, coverage((1.0 - norm_squared) * np.float32(min(self.half_axes) / 2), grid.edge_mm)


class LatticeNoise:
    """Smooth random field of about unit variance: normal values on a cubic lattice, interpolated.

    generator: source of the values. cell_mm: lattice spacing, the size of the field's features.
    """

    _HALF_EXTENT_MM = 230.0

    def __init__(self, generator: np.random.Generator, cell_mm: float) -> None:
        self._cell_mm = cell_mm
        count = int(np.ceil(2 * self._HALF_EXTENT_MM / cell_mm)) + 2
        self._lattice = generator.standard_normal((count, count, count), dtype=np.float32)

    def sample(self, grid: Grid) -> np.ndarray:
        """float32 `(Y, Z, X)`."""
        field = self._lattice
        for dimension, axis in ((1, grid.z), (2, grid.x)):
            first, share = self._place(axis)
            share = share[:, None] if dimension == 1 else share
            lower = field.take(first, axis=dimension)
            field = lower + share * (field.take(first + 1, axis=dimension) - lower)
        # Interpolation averages neighbours: 1.7 restores about unit variance over the field.
        field = field * np.float32(1.7)
        out = np.empty(grid.shape, dtype=np.float32)
        # Slab by slab, since whole arrays would not stay in the processor's cache.
        for slab, first, share in zip(out, *self._place(grid.y), strict=True):
            np.subtract(field[first + 1], field[first], out=slab)
            slab *= share
            slab += field[first]
        return out

    def _place(self, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index of the lattice plane below each point, and the smoothed share of the one above."""
        position = (axis + np.float32(self._HALF_EXTENT_MM)) / np.float32(self._cell_mm)
        position = np.clip(position, 0, self._lattice.shape[0] - 1.001)
        first = position.astype(np.int64)
        share = (position - first).astype(np.float32)
        return first, share * share * (3 - 2 * share)
