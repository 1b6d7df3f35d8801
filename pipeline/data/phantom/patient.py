"""One phantom patient: both images, the CT in Hounsfield units and both lung masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.data.phantom.anatomy import draw_anatomy
from pipeline.data.phantom.lesions import CONDITIONS, draw_lesion
from pipeline.data.phantom.projection import draw_poses, lung_window, take_ct, take_xray
from pipeline.data.phantom.solids import LatticeNoise
from pipeline.data.phantom.source_artifact import other_source
from pipeline.data.phantom.thorax import Thorax
from pipeline.data.phantom.vessels import grow_vessels
from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.engine.seeds import derive_seed

MINIMUM_SIZE, MAXIMUM_SIZE = 64, 1024
MAXIMUM_SEVERITY = 2.0
MAXIMUM_NOISE = 10.0


@dataclass(frozen=True)
class PhantomPatient:
    """Images of one patient, all `(S, S)`.

    xray: uint8, air dark and bone bright. ct: uint8, lung window (centre -600 HU, width 1500). ct_hu: int16,
    HU, without any source artefact. xray_lung_mask, ct_lung_mask: bool, from the geometry itself.
    """

    xray: np.ndarray
    ct: np.ndarray
    ct_hu: np.ndarray
    xray_lung_mask: np.ndarray
    ct_lung_mask: np.ndarray


def make_patient(
    seed: int,
    condition: str,
    severity: float = 1.0,
    noise: float = 1.0,
    source_artifact: bool = False,
    size: int = 256,
) -> PhantomPatient:
    """Make one patient; the same arguments give the same bytes.

    Anatomy, posture, lesions and noise come from separate streams of `seed`, so that patients of one seed
    differ between conditions by the lesion alone, and at severity 0 by nothing.

    seed: 0 or more. condition: one of CONDITIONS. severity: 0 to 2, opacity of the lesions. noise: 0 to 10,
    times the usual grain. source_artifact: print a corner marker and use a flatter gamma, as another
    hospital's scanner would. size: side in pixels, 64 to 1024. Raises ConfigError for anything else.
    """
    check_appearance(severity, noise, size)
    if condition not in CONDITIONS:
        known = ", ".join(CONDITIONS)
        raise ConfigError(
            f"Unknown phantom condition {condition!r}.{did_you_mean(str(condition), CONDITIONS)}",
            f"Choose one of: {known}.",
        )
    check_seed(seed)

    def stream(name: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(int(seed), "phantom", name))

    anatomy = draw_anatomy(stream("anatomy"))
    vessels, bronchi = grow_vessels(anatomy, stream("vessels"))
    lesion = draw_lesion(condition, anatomy, float(severity), stream("lesions"))
    parenchyma, wall = LatticeNoise(stream("parenchyma"), 7.0), LatticeNoise(stream("wall"), 17.0)
    thorax = Thorax(anatomy, vessels, bronchi, parenchyma, wall, lesion)
    xray_pose, ct_pose = draw_poses(stream("poses"))
    xray, xray_mask = take_xray(thorax, xray_pose, size, noise, stream("xray noise"))
    ct_hu, ct_mask = take_ct(thorax, ct_pose, size, noise, stream("ct noise"))
    ct = lung_window(ct_hu)
    if source_artifact:
        xray, ct = other_source(xray), other_source(ct)
    return PhantomPatient(xray=xray, ct=ct, ct_hu=ct_hu, xray_lung_mask=xray_mask, ct_lung_mask=ct_mask)


def check_seed(seed: int) -> None:
    """Raise ConfigError unless the seed is a whole number, 0 or more."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ConfigError(f"The phantom's seed is {seed!r}.", "Give a whole number, 0 or more.")


def check_appearance(severity: float, noise: float, size: int) -> None:
    """Raise ConfigError unless severity, noise and size are within their bounds."""
    for name, value, most in (("severity", severity, MAXIMUM_SEVERITY), ("noise", noise, MAXIMUM_NOISE)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"The phantom's {name} is {value!r}.", f"Give a number from 0 to {most:g}.")
        if not 0 <= value <= most:
            raise ConfigError(f"The phantom's {name} is {value!r}, outside 0 to {most:g}.", "Mend the value.")
    if isinstance(size, bool) or not isinstance(size, int) or not MINIMUM_SIZE <= size <= MAXIMUM_SIZE:
        raise ConfigError(
            f"The phantom's image size is {size!r}.",
            f"Give a whole number of pixels from {MINIMUM_SIZE} to {MAXIMUM_SIZE}.",
        )
