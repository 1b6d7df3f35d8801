"""Anatomy of one phantom patient: the drawn dimensions and the surfaces that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Heights (mm) at which the trunk's outline is given; the shoulders pass into the neck at the top.
_OUTLINE_Z = np.array([-260, -150, -40, 40, 90, 118, 138, 152, 170, 260], dtype=np.float32)
_OUTLINE_WIDTH = np.array([0.97, 0.98, 1.0, 1.06, 1.28, 1.36, 1.2, 0.78, 0.42, 0.40], dtype=np.float32)
_OUTLINE_DEPTH = np.array([1.04, 1.02, 1.0, 0.98, 0.88, 0.76, 0.68, 0.62, 0.56, 0.56], dtype=np.float32)
_CAGE_POWER = 2.3
_BODY_POWER = 2.5


@dataclass(frozen=True)
class Anatomy:
    """Dimensions of one patient: lengths in mm, attenuation in HU, angles in radians.

    Methods take coordinates (mm) that broadcast against each other and return float32 of the broadcast shape.
    """

    body_width: float
    body_depth: float
    fat_mm: float
    breast_mm: float
    cage_width: float
    cage_depth: float
    apex_z: float
    waist_z: float
    dome_right_z: float
    dome_left_z: float
    dome_drop: float
    heart_scale: float
    heart_tilt: float
    aorta_radius: float
    mediastinum_width: float
    spine_y: float
    vertebra_height: float
    rib_pitch: float
    rib_phase: float
    rib_drop: float
    rib_height: float
    bone_density: float
    lung_hu: float
    gravity_hu: float
    fissure_z: float
    gastric_bubble: bool
    slice_z: float

    def body_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """About the signed distance (mm) to the skin, positive inside."""
        width = self.body_width * np.interp(z, _OUTLINE_Z, _OUTLINE_WIDTH).astype(np.float32)
        depth = self.body_depth * np.interp(z, _OUTLINE_Z, _OUTLINE_DEPTH).astype(np.float32)
        total = (np.abs(x) / width) ** _BODY_POWER + (np.abs(y) / depth) ** _BODY_POWER
        return (1 - total) * (depth / np.float32(_BODY_POWER))

    def cage_scale(self, z: np.ndarray) -> np.ndarray:
        """Size of the rib cage's cross-section at a height, 1 at its widest and 0 above the apex."""
        above = np.clip((z - self.waist_z) / (self.apex_z - self.waist_z), 0, 1)
        return np.maximum((1 - above**2.6) ** 0.62, 1e-3).astype(np.float32)

    def cage_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """About the signed distance (mm) to the inner surface of the rib cage, positive inside."""
        scale = self.cage_scale(z)
        front = np.clip(-y / np.float32(self.cage_depth), 0, 1)
        narrowing = (1 - np.float32(0.2) * front**2) ** -_CAGE_POWER
        sideways = (np.abs(x) / (self.cage_width * scale)) ** _CAGE_POWER
        deep = (np.abs(y) / (self.cage_depth * np.sqrt(scale))) ** _CAGE_POWER
        total = sideways * narrowing + deep
        return (1 - total) * (scale * np.float32(self.cage_depth / _CAGE_POWER))

    def cage_chord(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Length (mm) of the way through the rib cage from front to back, 0 beside and above it."""
        scale = self.cage_scale(z)
        inside = np.maximum(1 - (np.abs(x) / (self.cage_width * scale)) ** _CAGE_POWER, 0)
        return 2 * self.cage_depth * np.sqrt(scale) * inside ** np.float32(1 / _CAGE_POWER)

    def diaphragm_z(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Height (mm) of the diaphragm: a dome on either side, falling away to the wall and the back."""
        top = np.where(x < 0, np.float32(self.dome_right_z), np.float32(self.dome_left_z))
        sideways = (np.abs(x) - 0.45 * self.cage_width) / (0.6 * self.cage_width)
        sideways *= np.where(sideways < 0, np.float32(0.5), np.float32(1))
        deep = (y + 0.25 * self.cage_depth) / self.cage_depth
        return (top - self.dome_drop * (sideways**2 + 0.6 * deep**2)).astype(np.float32)

    def lung_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """About the signed distance (mm) to the lungs' border, before heart, vessels and spine are cut."""
        distance = self.cage_distance(x, y, z)
        np.minimum(distance, z - self.diaphragm_z(x, y), out=distance)
        return np.minimum(distance, np.abs(x) - np.float32(1.2), out=distance)

    def lobe_distance(self, lobe: str, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Signed distance (mm) to the fissures that bound a lobe: right/left + upper/middle/lower."""
        side, part = lobe.split()
        beside = -x if side == "right" else x
        # The oblique fissure falls at about 45 degrees from the fourth vertebra to the diaphragm in front.
        oblique = (np.float32(self.fissure_z) + np.float32(0.9) * y - z) / np.float32(np.hypot(1, 0.9))
        if part == "lower":
            return np.minimum(beside, oblique)
        distance = np.minimum(beside, -oblique)
        horizontal = z - np.float32(self.fissure_z + 12)
        if lobe == "right upper":
            return np.minimum(distance, horizontal)
        return np.minimum(distance, -horizontal) if lobe == "right middle" else distance


def draw_anatomy(generator: np.random.Generator) -> Anatomy:
    """Draw one adult patient; the ranges are those of ordinary adult chests."""

    def between(low: float, high: float) -> float:
        return float(generator.uniform(low, high))

    def around(mean: float, deviation: float) -> float:
        return float(mean + deviation * np.clip(generator.standard_normal(), -2.2, 2.2))

    cage_width, cage_depth = around(131, 6), around(98, 5)
    fat = between(5, 22)
    dome_right = around(-72, 8)
    has_breasts = generator.random() < 0.45
    return Anatomy(
        body_width=cage_width + 22 + fat,
        body_depth=cage_depth + 18 + 0.8 * fat,
        fat_mm=fat,
        breast_mm=between(6, 18) if has_breasts else 0.0,
        cage_width=cage_width,
        cage_depth=cage_depth,
        apex_z=around(124, 5),
        waist_z=around(-62, 8),
        dome_right_z=dome_right,
        dome_left_z=dome_right - between(4, 18),
        dome_drop=around(42, 5),
        heart_scale=around(1.0, 0.07),
        heart_tilt=around(-0.62, 0.1),
        aorta_radius=around(13.5, 1.4),
        mediastinum_width=around(26, 3),
        spine_y=0.56 * cage_depth,
        vertebra_height=around(25, 1.2),
        rib_pitch=around(26, 1.6),
        rib_phase=between(0, 1),
        rib_drop=around(92, 9),
        rib_height=around(11.5, 1.0),
        bone_density=around(1.0, 0.12),
        lung_hu=around(-850, 22),
        gravity_hu=between(15, 60),
        fissure_z=around(-18, 7),
        gastric_bubble=bool(generator.random() < 0.65),
        slice_z=between(-42, 34),
    )
