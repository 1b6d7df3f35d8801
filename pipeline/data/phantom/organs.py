"""Soft organs, airways and skeleton of the thorax: lists of solids, and bones that lie in shells."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline.data.phantom.anatomy import Anatomy
from pipeline.data.phantom.solids import Capsule, Ellipsoid, Grid, Point, blend, coverage

AIR_HU = -1000.0
SOFT_HU = 45.0
_CARTILAGE_HU = 110.0
_RIB_SHELL_MM = 5.5
_BLADE_SHELL_MM = 17.0


def tube(points: list[Point], radii: list[float]) -> list[Capsule]:
    """Capsules along a line of points (mm) with a radius (mm) at each."""
    return [Capsule(a, b, ra, rb) for (a, ra), (b, rb) in pairwise(list(zip(points, radii, strict=True)))]


def soft_organs(anatomy: Anatomy) -> list[Capsule | Ellipsoid]:
    """Heart, great vessels, upper mediastinum and paraspinal tissue: all that displaces lung."""
    h, aorta, spine = anatomy.heart_scale, anatomy.aorta_radius, anatomy.spine_y
    width = anatomy.mediastinum_width
    base = anatomy.dome_right_z
    organs: list[Capsule | Ellipsoid] = [
        Ellipsoid((22 * h, -28, base + 27), (72 * h, 50 * h, 54 * h), anatomy.heart_tilt),
        Ellipsoid((-12 * h, -16, base + 34), (35 * h, 40 * h, 54 * h)),
        Ellipsoid((4, -20, 10), (width + 8, 36, 46)),
        Ellipsoid((0, 2, 84), (width, 44, 74)),
        # Thymic fat behind the sternum; oesophagus and azygos vein before the spine.
        Ellipsoid((2, -anatomy.cage_depth, 0), (24, 38, 105)),
        Ellipsoid((3, spine - 24, 0), (15, 24, 400)),
        Ellipsoid((0, spine + 8, 0), (25, 28, 400)),
        Ellipsoid((0, anatomy.cage_depth + 4, 0), (31, 30, 400)),
    ]
    arch: list[Point] = [(-6, -24, -30), (-12, -24, 28), (4, -12, 52), (29, 14, 53), (30, spine - 16, 36)]
    organs += tube(arch, [aorta + 2, aorta + 2, aorta, aorta, aorta])
    organs += tube([arch[-1], (22, spine - 14, -20), (10, spine - 16, -200)], [aorta, aorta - 1, aorta - 2])
    organs += tube([(-26, -12, 96), (-25, -14, -12)], [9, 11])
    organs += tube([(20, -34, -18), (24, -10, 20), (50, 12, 16)], [15, 14, 9])
    organs += tube([(20, -12, 14), (-20, 2, 8), (-48, 8, 4)], [13, 11, 9])
    return organs


def airways(anatomy: Anatomy) -> list[Capsule]:
    """Trachea and main bronchi."""
    carina: Point = (-1, 20, 34)
    neck: Point = (0, 6, 220)
    return [
        *tube([neck, (0, 10, 120), carina], [8.5, 8.5, 8.5]),
        *tube([carina, (-34, 22, 10), (-48, 22, -8)], [7.5, 6.5, 5]),
        *tube([carina, (30, 26, 12), (50, 28, 0)], [7, 6, 4.5]),
    ]


def bones(anatomy: Anatomy) -> list[tuple[Capsule | Ellipsoid, float]]:
    """Sternum, clavicles, humeral heads and vertebrae, each with its HU."""
    density, front = anatomy.bone_density, -anatomy.cage_depth - 4
    solids: list[tuple[Capsule | Ellipsoid, float]] = [
        (Ellipsoid((0, front, -5), (17, 6, 68)), 230 * density),
        (Ellipsoid((0, front + 8, 66), (26, 7, 20)), 230 * density),
    ]
    for side in (-1, 1):
        # The outer ends lie behind and above the inner ones.
        clavicle: list[Point] = [
            (side * 16, front + 14, 84),
            (side * 60, front + 20, 94),
            (side * 105, -38, 112),
            (side * 150, -10, 122),
        ]
        solids += [(capsule, 950 * density) for capsule in tube(clavicle, [9, 6.5, 6.5, 7.5])]
        solids.append((Ellipsoid((side * 172, 4, 106), (22, 22, 24)), 300 * density))
    solids += _vertebrae(anatomy)
    return solids


def _vertebrae(anatomy: Anatomy) -> list[tuple[Capsule | Ellipsoid, float]]:
    solids: list[tuple[Capsule | Ellipsoid, float]] = []
    density, height, y = anatomy.bone_density, anatomy.vertebra_height, anatomy.spine_y
    for z in np.arange(-230.0, 230.0, height):
        for inset, hu in ((0.0, 560.0), (2.2, 190.0)):
            half_height = 0.62 * height - inset
            solids.append((Ellipsoid((0, y, z), (19 - inset, 16 - inset, half_height)), hu * density))
        for side in (-1, 1):
            solids.append((Capsule((side * 11, y + 13, z), (side * 15, y + 24, z), 4.5, 4), 480 * density))
            solids.append(
                (Capsule((side * 13, y + 24, z), (side * 34, y + 30, z + 4), 4.5, 4), 380 * density)
            )
            solids.append((Capsule((side * 14, y + 24, z), (0, y + 33, z), 3, 3.5), 480 * density))
        solids.append((Capsule((0, y + 32, z), (0, y + 50, z - 16), 3.5, 3), 420 * density))
    return solids


def add_shell_bones(hu: np.ndarray, grid: Grid, anatomy: Anatomy, cage_distance: np.ndarray) -> None:
    """Blend ribs and shoulder blades into `hu` (`(Y, Z, X)`, in place): shells round the lungs."""
    flat, depth = hu.reshape(-1), cage_distance.reshape(-1)
    for middle, half_shell, bone in ((_RIB_SHELL_MM, 3.6, _ribs), (_BLADE_SHELL_MM, 2.0, _shoulder_blades)):
        rows = np.flatnonzero(np.abs(depth + np.float32(middle)) < half_shell + grid.edge_mm)
        within = half_shell - np.abs(depth[rows] + np.float32(middle))
        iy, iz, ix = np.unravel_index(rows, grid.shape)
        x, y, z = grid.x[ix], grid.y[iy], grid.z[iz]
        turn = np.arctan2(np.abs(x) / anatomy.cage_width, y / anatomy.cage_depth) / np.float32(np.pi)
        inside, target = bone(anatomy, turn, z, within)
        values = flat[rows]
        blend(values, coverage(inside, grid.edge_mm), target.astype(np.float32))
        flat[rows] = values


def _ribs(
    anatomy: Anatomy, turn: np.ndarray, z: np.ndarray, within: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance (mm) to the ribs' surface and their HU.

    A rib is where the shell meets a band that falls from the spine (turn 0) to the sternum (turn 1); the
    bands repeat with the rib pitch. Cortex is denser than marrow, and the last quarter in front is cartilage.
    """
    scale = anatomy.cage_scale(z)
    fall = anatomy.rib_drop * (turn - 0.06 * np.sin(3 * np.pi * turn)) * (0.35 + 0.65 * scale)
    phase = (z + fall) / anatomy.rib_pitch + anatomy.rib_phase
    # Slanting bands are thinner across than along z.
    across = np.abs(phase - np.round(phase)) * np.float32(0.9 * anatomy.rib_pitch)
    inside = np.minimum(within, anatomy.rib_height / 2 - across)
    bone_hu = anatomy.bone_density * (420 + 800 * coverage(1.7 - inside, 2.0))
    # The head of a rib meets the spine at its side.
    inside = np.minimum(inside, (turn - np.float32(0.075)) * np.float32(np.pi * anatomy.cage_depth))
    front = coverage(turn - np.float32(0.74), 0.06)
    # The lowest ribs end at the side.
    front = np.maximum(front, coverage(turn - 0.45, 0.1) * coverage(-98 - z, 10.0))
    return inside, bone_hu + front * (_CARTILAGE_HU - bone_hu)


def _shoulder_blades(
    anatomy: Anatomy, turn: np.ndarray, z: np.ndarray, within: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance (mm) to the shoulder blades' surface and their HU: triangles that point down."""
    arc_mm = np.float32(np.pi * anatomy.cage_width)
    height = (z + 14) / np.float32(104)
    medial = (turn - np.float32(0.2)) * arc_mm
    lateral = (0.24 + 0.17 * height - turn) * arc_mm
    inside = np.minimum(np.minimum(medial, lateral), np.minimum(z + 14, 90 - z))
    rim = coverage(5 - inside, 4.0)
    return np.minimum(inside, within), anatomy.bone_density * (240 + 380 * rim)
