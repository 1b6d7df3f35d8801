"""The thorax of one patient as a field of attenuation, sampled on any grid: X-ray and CT share it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.data.phantom.anatomy import Anatomy
from pipeline.data.phantom.lesions import Lesion
from pipeline.data.phantom.organs import AIR_HU, SOFT_HU, add_shell_bones, airways, bones, soft_organs
from pipeline.data.phantom.solids import Capsule, Ellipsoid, Grid, LatticeNoise, blend, coverage

_FAT_HU = -105.0


@dataclass(frozen=True)
class Thorax:
    """One patient: anatomy, what grows in the lungs, and the lesion (None when healthy)."""

    anatomy: Anatomy
    vessels: list[Capsule]
    bronchi: list[Capsule]
    parenchyma: LatticeNoise
    wall: LatticeNoise
    lesion: Lesion | None = None
    _organs: list[Capsule | Ellipsoid] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_organs", soft_organs(self.anatomy))

    def sample(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Attenuation and lung share of every point.

        Returns `hu` float32 `(Y, Z, X)` in Hounsfield units, and `lung` float32 of the same shape in [0, 1]:
        the share of the voxel that is lung, its vessels and lesions included, heart and mediastinum not.
        """
        anatomy, edge = self.anatomy, grid.edge_mm
        hu = self._trunk(grid)
        lung = np.zeros(grid.shape, dtype=np.float32)
        cage_box = grid.box(
            (-anatomy.cage_width - 26, -anatomy.cage_depth - 20, -300),
            (anatomy.cage_width + 26, anatomy.cage_depth + 24, anatomy.apex_z + 8),
        )
        if cage_box is not None:
            cage_grid, cage_hu, cage_lung = grid.crop(cage_box), hu[cage_box], lung[cage_box]
            x, y, z = cage_grid.open_axes()
            cage = anatomy.cage_distance(x, y, z)
            cage_lung[:] = coverage(anatomy.lung_distance(x, y, z), edge)
            self._inside_cage(cage_grid, cage_hu, cage_lung, cage)
            boned = cage_hu.copy()
            add_shell_bones(boned, cage_grid, anatomy, cage)
            cage_hu[:] = boned
        self._overlay(hu, grid, self._solids_outside_lungs())
        return hu, lung

    def _trunk(self, grid: Grid) -> np.ndarray:
        x, y, z = grid.open_axes()
        distance = self.anatomy.body_distance(x, y, z)
        hu = np.full(grid.shape, AIR_HU, dtype=np.float32)
        muscle = coverage(distance - np.float32(self.anatomy.fat_mm), 4.0)
        # Between the muscles lie planes of fat.
        muscle *= np.clip(0.8 + 0.45 * self.wall.sample(grid), 0.15, 1)
        blend(hu, coverage(distance, grid.edge_mm), _FAT_HU + (SOFT_HU + 5 - _FAT_HU) * muscle)
        return hu

    def _inside_cage(self, grid: Grid, hu: np.ndarray, lung: np.ndarray, cage: np.ndarray) -> None:
        anatomy, edge = self.anatomy, grid.edge_mm
        # Inside the cage there is no fat layer: chest wall muscle, liver and spleen.
        blend(hu, coverage(cage + 2.5, 3.0), SOFT_HU + 5)
        for organ in self._organs:
            found = organ.sample(grid)
            if found is not None:
                lung[found[0]] *= 1 - found[1]
        air = np.float32(anatomy.lung_hu) + np.float32(11) * self.parenchyma.sample(grid)
        air += np.float32(anatomy.gravity_hu / (2 * anatomy.cage_depth)) * grid.y[:, None, None]
        if self.lesion is not None:
            self.lesion.apply(air, grid, anatomy, cage)
        for vessel in self.vessels:
            found = vessel.sample(grid)
            if found is not None:
                blend(air[found[0]], found[1], SOFT_HU)
        for bronchus in self.bronchi:
            found = bronchus.sample(grid)
            if found is not None:
                blend(air[found[0]], found[1] * (edge < bronchus.start_radius * 1.5), AIR_HU)
        blend(hu, lung, air)

    def _solids_outside_lungs(self) -> list[tuple[Capsule | Ellipsoid, float]]:
        anatomy = self.anatomy
        solids: list[tuple[Capsule | Ellipsoid, float]] = []
        if anatomy.breast_mm:
            reach = anatomy.breast_mm
            for side in (-1, 1):
                centre = (side * 72.0, -anatomy.body_depth + 12, -72.0)
                solids.append((Ellipsoid(centre, (58, 12 + reach, 62)), -40.0))
        if anatomy.gastric_bubble:
            solids.append((Ellipsoid((62, -12, anatomy.dome_left_z - 32), (34, 30, 15)), AIR_HU))
        solids += [(airway, AIR_HU) for airway in airways(anatomy)]
        solids += bones(anatomy)
        return solids

    @staticmethod
    def _overlay(hu: np.ndarray, grid: Grid, solids: list[tuple[Capsule | Ellipsoid, float]]) -> None:
        for solid, target in solids:
            found = solid.sample(grid)
            if found is not None:
                blend(hu[found[0]], found[1], target)
