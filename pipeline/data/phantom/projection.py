"""Imaging of a phantom: radiograph by line integrals, CT slice in Hounsfield units, and lung masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.data.phantom.organs import AIR_HU
from pipeline.data.phantom.solids import Grid
from pipeline.data.phantom.thorax import Thorax

LUNG_WINDOW_CENTRE_HU = -600.0
LUNG_WINDOW_WIDTH_HU = 1500.0
# Attenuation of water at the mean energy of a chest film (about 60 keV at 120 kVp with filtration), per mm.
_WATER_PER_MM = 0.0195
_SOURCE_TO_DETECTOR_MM = 1800.0
_DETECTOR_Y_MM = -200.0
_PHOTONS_PER_PIXEL = 45_000.0
_SCATTER_BLUR_MM = 28.0
_MASK_SHARE = 0.55
_CT_NOISE_HU = 24.0
_SLICE_MM = 3.0


@dataclass(frozen=True)
class XrayPose:
    """How the patient stood: shifts in mm, field width in mm, turns in radians, and the film's display."""

    shift_x: float
    centre_z: float
    field_mm: float
    roll: float
    turn: float
    scatter_share: float
    low: float
    high: float
    gamma: float


@dataclass(frozen=True)
class CtPose:
    """How the patient lay: shifts in mm, field width in mm, roll in radians, and where the table is."""

    shift_x: float
    shift_y: float
    field_mm: float
    roll: float
    table_gap_mm: float


def draw_poses(generator: np.random.Generator) -> tuple[XrayPose, CtPose]:
    """Draw slight differences of posture, crop and exposure."""
    u = generator.uniform
    xray = XrayPose(
        shift_x=u(-8, 8),
        centre_z=u(-26, -8),
        field_mm=u(336, 384),
        roll=u(-0.035, 0.035),
        turn=u(-0.07, 0.07),
        scatter_share=u(0.22, 0.34),
        low=u(1.5, 1.7),
        high=u(4.8, 5.2),
        gamma=u(0.9, 1.1),
    )
    ct = CtPose(
        shift_x=u(-8, 8), shift_y=u(-8, 8), field_mm=u(330, 390), roll=u(-0.06, 0.06), table_gap_mm=u(2, 10)
    )
    return xray, ct


def coronal_grid() -> Grid:
    """The volume that radiographs are projected from: 1.98 mm across, 5 mm along the beam."""
    return Grid(x=Grid.axis(-198, 198, 200), y=Grid.axis(-168, 152, 64), z=Grid.axis(196, -208, 204))


def take_xray(
    thorax: Thorax, pose: XrayPose, size: int, noise: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A postero-anterior chest film.

    Beer-Lambert: I = exp(-integral of mu) along each ray of a cone beam, mu = mu_water (1 + HU/1000); scatter
    is the primary image blurred over some centimetres; photon counts are Poisson, `noise` times as grainy as
    usual.

    Returns the film, uint8 `(size, size)`, air dark and bone bright, and the lung mask, bool `(size, size)`:
    rays on which at least 55 % of the way through the rib cage is lung, the field that a reader outlines.
    """
    grid = coronal_grid()
    hu, lung = thorax.sample(grid)
    step = abs(float(grid.y[1] - grid.y[0]))
    np.maximum(hu, AIR_HU, out=hu)
    hu += np.float32(1000)
    path, lung_path = _project(hu, lung, grid, pose, size)
    chord = _cast(thorax.anatomy.cage_chord(grid.x[None, :], grid.z[:, None]), 0.0, grid, pose, size)
    path *= np.float32(_WATER_PER_MM / 1000 * step)
    primary = np.exp(-path)
    pixel_mm = pose.field_mm / size
    scatter = _wide_blur(primary, _SCATTER_BLUR_MM / pixel_mm)
    intensity = (1 - pose.scatter_share) * primary + pose.scatter_share * scatter
    if noise > 0:
        # Noise grows with the square root of lost photons; finer pixels catch fewer of them.
        photons = _PHOTONS_PER_PIXEL * (pixel_mm / 1.4) ** 2 / noise**2
        intensity = np.maximum(generator.poisson(intensity * photons), 0.5) / photons
    mask = lung_path * step > np.maximum(_MASK_SHARE * chord, 1.0)
    return _display(-np.log(intensity).astype(np.float32), pose, pixel_mm), mask


def _project(
    hu: np.ndarray, lung: np.ndarray, grid: Grid, pose: XrayPose, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the coronal slabs `(Y, Z, X)` as cast on the film, two float32 `(size, size)`."""
    total = np.zeros((size, size), dtype=np.float32)
    total_lung = np.zeros((size, size), dtype=np.float32)
    for index, y in enumerate(grid.y):
        total += _cast(hu[index], float(y), grid, pose, size)
        if lung[index].any():
            total_lung += _cast(lung[index], float(y), grid, pose, size)
    return total, total_lung


def _cast(slab: np.ndarray, y: float, grid: Grid, pose: XrayPose, size: int) -> np.ndarray:
    """Shadow of one coronal slab `(Z, X)` on the film: its depth sets its magnification and its shift."""
    voxel_x, voxel_z = float(grid.x[1] - grid.x[0]), float(grid.z[1] - grid.z[0])
    # Size is that of the plane y = 0; what lies nearer the source, behind, is cast larger.
    to_plane = _SOURCE_TO_DETECTOR_MM + _DETECTOR_Y_MM
    pixel = pose.field_mm / size * (to_plane - y) / to_plane
    to_mm = np.array([[pixel, 0, -pixel * (size - 1) / 2], [0, -pixel, pixel * (size - 1) / 2]])
    cosine, sine = np.cos(pose.roll), np.sin(pose.roll)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ to_mm
    matrix[:, 2] += (pose.shift_x - pose.turn * y - float(grid.x[0]), pose.centre_z - float(grid.z[0]))
    matrix /= np.array([[voxel_x], [voxel_z]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(slab, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _wide_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    # A wide blur of a quarter-size image costs a sixteenth and differs by nothing that can be seen.
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / 4, 0.5), borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)


def _display(density: np.ndarray, pose: XrayPose, pixel_mm: float) -> np.ndarray:
    """Film density to grey levels: sharpening as in digital radiography, window, gamma, soft shoulder."""
    inside = np.clip(density / 0.4 - 0.5, 0, 1)
    fine, coarse = _wide_blur(density, 5.0 / pixel_mm), _wide_blur(density, 18.0 / pixel_mm)
    density = density + inside * (1.2 * (density - fine) + 0.35 * (density - coarse))
    level = np.clip((density - pose.low) / (pose.high - pose.low), 0, 1.6)
    level = (1 - np.exp(-1.75 * level**1.25)) / (1 - np.exp(-1.75))
    return np.clip(235 * np.maximum(level, 0) ** pose.gamma, 0, 255).round().astype(np.uint8)


def take_ct(
    thorax: Thorax, pose: CtPose, size: int, noise: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """An axial slice, 3 mm thick, seen from the feet: front up, the patient's right on the left.

    Returns HU int16 `(size, size)` with reconstruction noise of 24 HU times `noise`, and the lung mask, bool.
    """
    half = pose.field_mm / 2
    z = thorax.anatomy.slice_z
    grid = Grid(
        x=Grid.axis(-half, half, size),
        y=Grid.axis(-half, half, size),
        z=Grid.axis(z - _SLICE_MM / 2, z + _SLICE_MM / 2, 3),
    )
    hu, lung = (np.ascontiguousarray(volume.mean(axis=1)) for volume in thorax.sample(grid))
    pixel = pose.field_mm / size
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), float(np.degrees(pose.roll)), 1.0)
    matrix = matrix + np.array([[0, 0, pose.shift_x / pixel], [0, 0, pose.shift_y / pixel]])
    hu = cv2.warpAffine(hu, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=AIR_HU)
    lung = cv2.warpAffine(lung, matrix, (size, size), flags=cv2.INTER_LINEAR)
    _add_table(hu, thorax.anatomy.body_depth + pose.shift_y + pose.table_gap_mm, pose.field_mm)
    if noise > 0:
        # Filtered back-projection leaves grain a pixel or two wide, not white noise.
        grain = cv2.GaussianBlur(generator.standard_normal((size, size), dtype=np.float32), (0, 0), 0.7)
        hu = hu + np.float32(_CT_NOISE_HU * noise) * (grain / grain.std())
    return np.clip(hu, -1024, 3071).round().astype(np.int16), lung >= 0.5


def _add_table(hu: np.ndarray, top_mm: float, field_mm: float) -> None:
    axis = Grid.axis(-field_mm / 2, field_mm / 2, hu.shape[0])
    surface = np.float32(top_mm) - (axis / np.float32(75)) ** 2 * 6
    depth = axis[:, None] - surface[None, :]
    sheet = np.clip(1.5 - np.abs(depth - 2), 0, 1) * (np.abs(axis) < 170)
    np.maximum(hu, AIR_HU + 620 * sheet, out=hu, where=hu < -700)


def lung_window(hu: np.ndarray) -> np.ndarray:
    """HU of any shape to uint8: -1350 HU and below black, 150 HU and above white."""
    low = LUNG_WINDOW_CENTRE_HU - LUNG_WINDOW_WIDTH_HU / 2
    level = (hu.astype(np.float32) - low) / LUNG_WINDOW_WIDTH_HU
    return np.clip(255 * level, 0, 255).round().astype(np.uint8)
