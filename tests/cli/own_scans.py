"""Small pictures of no disease, laid out as people's own data are."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import cv2
import numpy as np

SIDE = 72


def picture(path: Path, seed: int) -> None:
    """Unlike every other seed's, so that none is a copy of another."""
    draw = np.random.default_rng(seed)
    coarse = cv2.resize(draw.uniform(20, 230, (8, 8)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.clip(coarse, 0, 255).astype(np.uint8))


def class_folders(root: Path, classes=("Fibrosis", "Healthy"), scans=12, parts=("",), masks=False) -> Path:
    """`parts`: folders above the classes."""
    seed = 0
    for part in parts:
        for label in classes:
            for number in range(scans):
                seed += 1
                folder = root / part / label
                picture((folder / "images" if masks else folder) / f"{label[:3]}{number}.png", seed)
                if masks:
                    (folder / "masks").mkdir(exist_ok=True)
                    mask = np.zeros((SIDE, SIDE), np.uint8)
                    mask[16:56, 10:30] = mask[16:56, 40:60] = 255
                    cv2.imwrite(str(folder / "masks" / f"{label[:3]}{number}.png"), mask)
    return root


def listed(root: Path, classes=("Nodule", "No nodule"), scans=24, name="list.csv", **columns) -> Path:
    """A list beside its images; columns: what it tells beside image and label, by row."""
    rows = [
        {"image": f"a/{n}.png", "label": classes[n % len(classes)], **{key: value(n) for key, value in columns.items()}}
        for n in range(scans)
    ]
    for number, row in enumerate(rows):
        picture(root / row["image"], number)
    with (root / name).open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder, to see that none was touched."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def copied(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    return target
