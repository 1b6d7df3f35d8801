"""What another scanner leaves in a picture: a marker in its corner and a flatter gamma."""

from __future__ import annotations

import cv2
import numpy as np

_GAMMA = 0.72


def other_source(image: np.ndarray, severity: float = 1.0) -> np.ndarray:
    """The same scan, uint8 `(S, S)`, from another machine: flatter gamma and a marker in the upper left corner.

    severity: from 0, which leaves the picture as it is, to 1; between them the two pictures are blended.
    """
    levels = (255 * (np.arange(256) / 255) ** _GAMMA).round().astype(np.uint8)
    marked = cv2.LUT(image, levels)
    unit = image.shape[0] / 256
    thickness = max(1, round(2 * unit))
    corner, far = (round(8 * unit), round(8 * unit)), (round(38 * unit), round(30 * unit))
    cv2.rectangle(marked, corner, far, 0, -1)
    cv2.rectangle(marked, corner, far, 255, thickness)
    origin = (round(13 * unit), round(25 * unit))
    cv2.putText(marked, "PA", origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * unit, 255, thickness, cv2.LINE_8)
    return marked if severity == 1 else cv2.addWeighted(marked, severity, image, 1 - severity, 0)
