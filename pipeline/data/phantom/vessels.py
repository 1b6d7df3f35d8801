"""Pulmonary vessels and the bronchi beside them, grown from the hilum through each lung."""

from __future__ import annotations

import numpy as np

from pipeline.data.phantom.anatomy import Anatomy
from pipeline.data.phantom.solids import Capsule

_TARGETS = 360
_TWIG_RADIUS_MM = 0.7
_TRUNK_RADIUS_MM = 7.0
# Murray's law has exponent 3; pulmonary arteries measure below it (Horsfield 1978).
_BRANCHING_EXPONENT = 2.35
_BRONCHUS_FROM_RADIUS_MM = 1.5


def grow_vessels(anatomy: Anatomy, generator: np.random.Generator) -> tuple[list[Capsule], list[Capsule]]:
    """Vessels (blood, 45 HU) and bronchi (air) of both lungs.

    Points drawn evenly in the lung are joined, nearest to the hilum first, to the node that keeps both the
    new branch and the way back to the hilum short; radii then follow the branching law.
    """
    vessels: list[Capsule] = []
    bronchi: list[Capsule] = []
    for side in (-1, 1):
        root = np.array([side * 46.0, 14.0, 2.0])
        nodes, parents = _grow(root, _points_in_lung(anatomy, side, generator))
        radii = _radii(parents)
        shift = generator.normal(0, 1, 3)
        shift /= np.linalg.norm(shift)
        for child in range(1, len(nodes)):
            parent = int(parents[child])
            radius = float(radii[child])
            start, end = nodes[parent], nodes[child]
            vessels.append(
                Capsule(tuple(start), tuple(end), min(radius * 1.15, float(radii[parent])), radius)
            )
            if radius > _BRONCHUS_FROM_RADIUS_MM:
                aside = shift * (2.2 * radius)
                bronchi.append(
                    Capsule(tuple(start + aside), tuple(end + aside), 0.75 * radius, 0.65 * radius)
                )
    return vessels, bronchi


def _points_in_lung(anatomy: Anatomy, side: int, generator: np.random.Generator) -> np.ndarray:
    low = np.array([0, -anatomy.cage_depth, -150], dtype=np.float32)
    high = np.array([anatomy.cage_width, anatomy.cage_depth, anatomy.apex_z], dtype=np.float32)
    points = generator.uniform(low, high, (6 * _TARGETS, 3)).astype(np.float32)
    points[:, 0] *= side
    inside = anatomy.lung_distance(points[:, 0], points[:, 1], points[:, 2]) > 4
    # Near the midline lies the mediastinum, not lung.
    inside &= np.abs(points[:, 0]) > 30
    return points[inside][:_TARGETS].astype(np.float64)


def _grow(root: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes `(N, 3)` in mm, the root first, and the index of each one's parent `(N,)`."""
    order = np.argsort(np.linalg.norm(points - root, axis=1), kind="stable")
    nodes = np.concatenate([root[None], points[order]])
    parents = np.zeros(len(nodes), dtype=np.int64)
    way_back = np.zeros(len(nodes))
    for child in range(1, len(nodes)):
        step = np.sqrt(((nodes[:child] - nodes[child]) ** 2).sum(axis=1))
        parent = int(np.argmin(step + 0.55 * way_back[:child]))
        parents[child] = parent
        way_back[child] = way_back[parent] + step[parent]
    return nodes, parents


def _radii(parents: np.ndarray) -> np.ndarray:
    twigs = np.zeros(len(parents))
    leaf = np.ones(len(parents), dtype=bool)
    leaf[parents[1:]] = False
    twigs[leaf] = 1
    for child in range(len(parents) - 1, 0, -1):
        twigs[parents[child]] += twigs[child]
    return np.minimum(_TWIG_RADIUS_MM * np.maximum(twigs, 1) ** (1 / _BRANCHING_EXPONENT), _TRUNK_RADIUS_MM)
