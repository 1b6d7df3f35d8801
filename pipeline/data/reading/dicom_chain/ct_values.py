"""CT slices: Hounsfield units or nothing, and which objects of a CT are no slice (PS3.3 C.8.2.1)."""

from __future__ import annotations

import numpy as np

from pipeline.data.reading.assumptions import Notes
from pipeline.data.reading.dicom_chain.header_numbers import Attributes
from pipeline.data.reading.dicom_chain.modality_transform import ModalityTransform
from pipeline.data.reading.dicom_chain.presentation import to_bytes
from pipeline.engine.errors import DataError

LUNG_WINDOW_CENTRE_HU = -600.0
LUNG_WINDOW_WIDTH_HU = 1500.0

LOCALIZER_WORDS = ("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM", "SCANOSCOPE")
_HOUNSFIELD_TYPES = frozenset({"", "HU", "HU_MOD", "US"})

# What lies below is fill outside the field of view, as scanners write it (−1500, −2000, −2048, −3024 HU).
FILL_BELOW_HU = -1200
AIR_HU, MINIMUM_AIR = (-1150, -700), 0.005
# What is neither air nor lung is a body: half of it softer, half denser than fat to muscle with contrast.
BODY_ABOVE_HU, MINIMUM_BODY, BODY_MEDIAN_HU = -300, 0.03, (-150, 200)
# Denser than any bone; metal reaches it in a few pixels.
DENSEST_HU, MAXIMUM_DENSEST = 3100, 0.05


def lung_window(hounsfield: np.ndarray) -> np.ndarray:
    """Hounsfield units, any shape → uint8 of that shape through the lung window (−1350…150 HU → 0…255)."""
    low = LUNG_WINDOW_CENTRE_HU - LUNG_WINDOW_WIDTH_HU / 2
    return to_bytes(hounsfield, low, low + LUNG_WINDOW_WIDTH_HU)


def is_localizer(image_type: tuple[str, ...]) -> bool:
    """Whether an ImageType (0008,0008) names a localizer: a projection that shows where the slices lie."""
    return any(word in value for value in image_type for word in LOCALIZER_WORDS)


def not_hounsfield(values: np.ndarray) -> str | None:
    """Why values in the field of view cannot be Hounsfield units, in words; None where they can.

    `values`: any shape, padding left out. A chest has air near −1000 HU (around it and in the lungs), soft tissue
    around 0 HU and next to nothing denser than bone; shares are of what is not fill.
    """
    counted = values[values >= FILL_BELOW_HU]
    if not counted.size:
        return f"every value is below {FILL_BELOW_HU}"
    if counted.min() >= 0:
        return "no value is negative, and air is -1000 HU"
    if np.mean((counted >= AIR_HU[0]) & (counted <= AIR_HU[1])) < MINIMUM_AIR:
        return f"there is no air ({AIR_HU[0]} to {AIR_HU[1]} HU)"
    body = counted[counted > BODY_ABOVE_HU]
    if body.size < MINIMUM_BODY * counted.size:
        return f"there is no body in it (above {BODY_ABOVE_HU} HU)"
    middle = float(np.median(body))
    if not BODY_MEDIAN_HU[0] <= middle <= BODY_MEDIAN_HU[1]:
        return f"the body in it lies around {middle:.0f} HU, and soft tissue is {BODY_MEDIAN_HU[0]} to {BODY_MEDIAN_HU[1]} HU"
    if np.mean(counted > DENSEST_HU) > MAXIMUM_DENSEST:
        return f"more than {MAXIMUM_DENSEST:.0%} of it are denser than bone (above {DENSEST_HU} HU)"
    return None


def refuse_localizer(image_type: tuple[str, ...], name: str) -> None:
    """Raises DataError for a CT's localizer."""
    if is_localizer(image_type):
        raise DataError(
            f"{name}: a localizer of a CT (ImageType {'/'.join(image_type)[:80]}), no slice.",
            "Give a slice of the series instead.",
        )


def warn_of_derived(attributes: Attributes, image_type: tuple[str, ...]) -> None:
    """Says where a slice is derived, or not axial: reformats and projections look otherwise than what was learnt."""
    if image_type[:1] == ("DERIVED",) or image_type[1:2] == ("SECONDARY",):
        told = "/".join(image_type)[:80]
        attributes.notes.add("derived", f"The CT image is derived (ImageType {told}), no slice as it was taken.")
    normal = slice_normal(attributes)
    if normal is not None and abs(normal[2]) < 0.8:
        attributes.notes.add("plane", "The CT image is not axial by its ImageOrientationPatient.")


def slice_normal(attributes: Attributes) -> np.ndarray | None:
    """The unit normal (3,) of a slice from ImageOrientationPatient, None where it is not told."""
    try:
        cosines = np.array(attributes.numbers("ImageOrientationPatient"))
    except DataError:
        return None
    if cosines.shape != (6,):
        return None
    normal = np.cross(cosines[:3], cosines[3:])
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0.5 else None


def slice_position(attributes: Attributes) -> float | None:
    """The place (mm) of a slice along its normal from ImagePositionPatient, None where it is not told."""
    normal = slice_normal(attributes)
    try:
        corner = np.array(attributes.numbers("ImagePositionPatient"))
    except DataError:
        return None
    return float(corner @ normal) if normal is not None and corner.shape == (3,) else None


def hounsfield_fault(modality: ModalityTransform, attributes: Attributes) -> str | None:
    """Why an object's values are no Hounsfield units by its header, in words; None where they may be."""
    kind = attributes.text("RescaleType")
    if kind not in _HOUNSFIELD_TYPES:
        return f"its RescaleType is {kind[:32]!r}"
    if modality.table is None and not modality.rescales:
        absent = [key for key in ("RescaleSlope", "RescaleIntercept") if not attributes.has(key)]
        return f"its {' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing" if absent else "its RescaleSlope is 0"
    return None


def refuse_not_hounsfield(finding: str, notes: Notes) -> DataError:
    """The error for a CT object whose values cannot be told in Hounsfield units."""
    return DataError(
        f"{notes.name}: CT without Hounsfield units, {finding}.",
        "Export the original slices with RescaleSlope and RescaleIntercept, or a windowed 8-bit picture.",
    )
