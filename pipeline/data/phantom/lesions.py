"""Lung lesions by condition, placed with knowledge of the anatomy and of the CT slice's height.

Patterns: COVID-19, bilateral peripheral ground glass, low and behind (Bernheim et al., Radiology 2020);
bacterial, consolidation of one lobe with air bronchograms; viral, diffuse reticular thickening of the
interstitium (Koo et al., RadioGraphics 2018).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from pipeline.data.phantom.anatomy import Anatomy
from pipeline.data.phantom.solids import Grid, LatticeNoise, blend

CONDITIONS = ("normal", "covid", "bacterial", "viral")
_LOBES = ("right upper", "right middle", "right lower", "left upper", "left lower")


@dataclass(frozen=True)
class Lesion(ABC):
    """A change of the lung tissue. severity: 0 leaves it as it was, 1 is a plain case."""

    severity: float

    @abstractmethod
    def extent(self, grid: Grid, anatomy: Anatomy, cage: np.ndarray) -> np.ndarray:
        """Share of diseased tissue at severity 1, float32 `(Y, Z, X)` in [0, 1].

        cage: depth below the chest wall in mm, `(Y, Z, X)`.
        """

    @abstractmethod
    def attenuation(self) -> float:
        """HU of tissue that is wholly diseased."""

    def apply(self, tissue: np.ndarray, grid: Grid, anatomy: Anatomy, cage: np.ndarray) -> None:
        """Blend the lesion into `tissue` (HU, `(Y, Z, X)`, in place)."""
        if self.severity > 0:
            share = self.extent(grid, anatomy, cage) * np.float32(self.severity)
            blend(tissue, np.minimum(share, 1.0), self.attenuation())


@dataclass(frozen=True)
class GroundGlass(Lesion):
    """COVID-19: patches under the pleura of both lungs. centres `(K, 3)` mm, radii `(K,)` mm."""

    centres: np.ndarray
    radii: np.ndarray
    depth_mm: float
    mottle: LatticeNoise
    hu: float

    def extent(self, grid: Grid, anatomy: Anatomy, cage: np.ndarray) -> np.ndarray:
        share = np.zeros(grid.shape, dtype=np.float32)
        for (cx, cy, cz), radius in zip(self.centres, self.radii, strict=True):
            reach = 1.5 * radius
            box = grid.box((cx - reach, cy - reach, cz - reach), (cx + reach, cy + reach, cz + reach))
            if box is None:
                continue
            x, y, z = grid.crop(box).open_axes()
            near = ((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) / np.float32(radius**2)
            share[box] = np.maximum(share[box], np.exp(-(near**2)))
        if not share.any():
            return share
        share *= np.clip((self.depth_mm - cage) / np.float32(0.45 * self.depth_mm), 0, 1)
        share *= np.clip(0.85 + 0.22 * self.mottle.sample(grid), 0.25, 1.2)
        return np.minimum(share, 1.0, out=share)

    def attenuation(self) -> float:
        return self.hu


@dataclass(frozen=True)
class Consolidation(Lesion):
    """Bacterial pneumonia: one lobe filled, as far as `radius_mm` from a centre (mm) within it."""

    lobe: str
    centre: tuple[float, float, float]
    radius_mm: float
    ragged: LatticeNoise

    def extent(self, grid: Grid, anatomy: Anatomy, cage: np.ndarray) -> np.ndarray:
        x, y, z = grid.open_axes()
        cx, cy, cz = self.centre
        distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + 0.8 * (z - cz) ** 2)
        inside = (self.radius_mm - distance) + 9 * self.ragged.sample(grid)
        # Spread stops sharply at a fissure and fades within the lobe.
        at_fissure = np.clip(anatomy.lobe_distance(self.lobe, x, y, z) / 3 + 0.5, 0, 1)
        return (0.97 * np.clip(inside / 14 + 0.5, 0, 1) * at_fissure).astype(np.float32)

    def attenuation(self) -> float:
        return 20.0


@dataclass(frozen=True)
class Interstitial(Lesion):
    """Viral pneumonia: a net of thickened septa through both lungs, over a faint haze."""

    nets: tuple[LatticeNoise, LatticeNoise]
    spread: LatticeNoise

    def extent(self, grid: Grid, anatomy: Anatomy, cage: np.ndarray) -> np.ndarray:
        share = np.float32(0.16) * np.ones(grid.shape, dtype=np.float32)
        for net in self.nets:
            # The zero surfaces of a smooth field are thin curved sheets that meet: a net in any section.
            share += np.float32(0.5) * np.clip(1 - np.abs(net.sample(grid)) / np.float32(0.36), 0, 1)
        share *= np.clip(0.8 + 0.25 * self.spread.sample(grid), 0.25, 1.2)
        return np.minimum(share, 1.0, out=share)

    def attenuation(self) -> float:
        return -240.0


def draw_lesion(
    condition: str, anatomy: Anatomy, severity: float, generator: np.random.Generator
) -> Lesion | None:
    """The lesion of a condition (one of CONDITIONS), None for "normal" and at severity 0."""
    if condition == "normal" or severity == 0:
        return None
    if condition == "covid":
        return _draw_ground_glass(anatomy, severity, generator)
    if condition == "bacterial":
        return _draw_consolidation(anatomy, severity, generator)
    nets = (LatticeNoise(generator, 8.0), LatticeNoise(generator, 13.0))
    return Interstitial(severity, nets, LatticeNoise(generator, 55.0))


def _draw_ground_glass(anatomy: Anatomy, severity: float, generator: np.random.Generator) -> GroundGlass:
    centres, radii = [], []
    for side in (-1, 1):
        count = int(generator.integers(5, 9))
        for index in range(count):
            # Angle from the spine round the wall: behind and at the side, seldom in front.
            angle = np.pi * generator.beta(2.2, 2.6) * 0.85 + 0.25
            # The reader chose a slice that shows disease: two patches of each lung lie near it.
            z = anatomy.slice_z + generator.uniform(-14, 14) if index < 2 else generator.normal(-45, 42)
            z = float(np.clip(z, -112, 78))
            scale = float(anatomy.cage_scale(np.array(z)))
            rim = 0.9 * scale
            centres.append(
                (side * rim * anatomy.cage_width * np.sin(angle), rim * anatomy.cage_depth * np.cos(angle), z)
            )
            radii.append(generator.uniform(24, 40))
    return GroundGlass(
        severity=severity,
        centres=np.array(centres),
        radii=np.array(radii),
        depth_mm=float(generator.uniform(30, 43)),
        mottle=LatticeNoise(generator, 9.0),
        hu=float(generator.uniform(-460, -340)),
    )


def _draw_consolidation(anatomy: Anatomy, severity: float, generator: np.random.Generator) -> Consolidation:
    x, y = (
        axis.astype(np.float32) for axis in np.meshgrid(np.linspace(-130, 130, 53), np.linspace(-90, 90, 37))
    )
    height = np.full_like(x, anatomy.slice_z)
    lung = (anatomy.lung_distance(x, y, height) > 6) & (np.abs(x) > 38)
    lobes = {name: lung & (anatomy.lobe_distance(name, x, y, height) > 4) for name in _LOBES}
    # Of the lobes that the slice shows in earnest, one is ill.
    shown = [name for name in _LOBES if lobes[name].sum() > 0.12 * lung.sum()]
    lobe = shown[int(generator.integers(len(shown)))]
    rows, columns = np.nonzero(lobes[lobe])
    pick = int(generator.integers(len(rows)))
    z = anatomy.slice_z + float(generator.uniform(-12, 12))
    centre = (float(x[rows[pick], columns[pick]]), float(y[rows[pick], columns[pick]]), z)
    return Consolidation(
        severity, lobe, centre, float(generator.uniform(48, 72)), LatticeNoise(generator, 20.0)
    )
