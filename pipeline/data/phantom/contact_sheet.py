"""One generated patient under every condition: X-ray over CT slice, with the exact lung masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.data.phantom.patient import make_patient

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONDITIONS = {"normal": "normal", "covid": "COVID: ground glass", "bacterial": "bacterial: consolidation",
              "viral": "viral: interstitial"}  # fmt: skip
MASK_RGB = (213, 94, 0)


def contact_sheet(seed: int, severity: float = 1.0, noise: float = 1.0) -> Figure:
    """Figure of two rows (X-ray, CT) and a column a condition, then the masks drawn on the normal scans."""
    from matplotlib.figure import Figure

    patients = [make_patient(seed, condition, severity, noise) for condition in CONDITIONS]
    columns = [(title, p.xray, p.ct) for title, p in zip(CONDITIONS.values(), patients, strict=True)]
    normal = patients[0]
    outlined = (_outlined(normal.xray, normal.xray_lung_mask), _outlined(normal.ct, normal.ct_lung_mask))
    columns.append(("lung masks, exact", *outlined))
    figure = Figure(figsize=(2.1 * len(columns), 4.5), dpi=120, layout="constrained")
    for position, (title, xray, ct) in enumerate(columns, start=1):
        for row, (name, picture) in enumerate((("X-ray", xray), ("CT slice", ct))):
            axis = figure.add_subplot(2, len(columns), row * len(columns) + position)
            axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axis.set_xticks([])
            axis.set_yticks([])
            if row == 0:
                axis.set_title(title, fontsize=10)
            if position == 1:
                axis.set_ylabel(name, fontsize=10)
    return figure


def _outlined(gray: np.ndarray, mask: np.ndarray) -> np.ndarray:
    picture = np.repeat(gray[..., None], 3, axis=-1)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(picture, contours, -1, MASK_RGB, 1)
