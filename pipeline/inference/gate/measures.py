"""How far a scan lies from others: the features of a frozen network, and their distance from a cloud of features."""

from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.gate.embedding_distance import GateStatistics
from pipeline.data.preprocessing import Profile, preprocess, resize_square
from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.inference.bundle import MEND
from pipeline.inference.opened_bundle import batch_image
from pipeline.inference.sessions import Device, Graph, open_graph

FEATURES = "features"
# What a network has seen of one scan: features by network and preprocessing.
Seen = dict[tuple[Path, int, tuple[str, ...]], Array]


class FeatureNetwork:
    """A gate's frozen network. It is opened in a thread of its own, while others are. Safe to use from several threads."""

    def __init__(self, file: Path, device: Device = "auto") -> None:
        self.file = file
        opener = ThreadPoolExecutor(1, thread_name_prefix="gate")
        self._opening = opener.submit(open_graph, file, device)
        opener.shutdown(wait=False)

    @property
    def graph(self) -> Graph:
        """Raises as `open_graph`."""
        return self._opening.result()

    def require(self, size: int | None, width: int) -> None:
        """Raise CorruptArtifactError where the network does not take `size` px, or does not make `width` features."""
        self.graph.require({"image": (None, size, size, 1)}, {FEATURES: (None, width)})

    def features(self, gray: Array, profile: Profile, seen: Seen) -> Array:
        """(F,) float32 of uint8 (H, W) after the profile's preprocessing, at the network's own size; kept in `seen`."""
        key = (self.file, profile.size, profile.operations)
        if key not in seen:
            size = self.graph.inputs["image"][1]
            pixels = preprocess(gray, profile)
            pixels = resize_square(pixels, size) if isinstance(size, int) else pixels
            seen[key] = self.graph.run({"image": batch_image(pixels[None])}, (FEATURES,))[0][0]
        return seen[key]


@dataclass(frozen=True, eq=False)
class Measure:
    """The distance from one kind of scans. threshold: distances up to it are accepted."""

    network: FeatureNetwork
    profile: Profile
    statistics: GateStatistics
    threshold: float

    def distance(self, gray: Array, seen: Seen | None = None) -> float:
        """How far uint8 (H, W) lies from the scans that were learnt from: about 1 for one like them."""
        features = self.network.features(gray, self.profile, {} if seen is None else seen)
        if features.size != self.statistics.width:
            raise CorruptArtifactError(
                f"{self.network.file} makes {features.size} features, its statistics are of {self.statistics.width}.", MEND
            )
        return float(self.statistics.distance(features[None])[0])


def read_statistics(path: Path) -> GateStatistics:
    """Raises MissingArtifactError (no such file), CorruptArtifactError (no statistics)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return GateStatistics.from_arrays(dict(stored), str(path))
    except FileNotFoundError as cause:
        raise MissingArtifactError(f"{path} is missing from the bundle.", MEND) from cause
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as cause:
        raise CorruptArtifactError(f"{path}: cannot be read as NumPy arrays ({cause}).", MEND) from cause
