"""A segmenter's network filled from the graph of a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.engine.files import sha256_file
from pipeline.inference.sessions import open_graph
from pipeline.training.segmenter.initial.graph_weights import read_graph_weights
from pipeline.training.segmenter.settings import description_of

# So near must the network answer as the graph does, on pictures of this size.
TOLERANCE, SIDE = 1e-5, 64
BATCH = 4


class StoredNetwork(NamedTuple):
    """A segmenter's graph as its description tells it. layout: of its doors, NHWC or NCHW."""

    graph: Path
    class_names: tuple[str, ...]
    layout: str


def stored_network(bundle: Path) -> StoredNetwork:
    """What a bundle's folder, or a graph with its `.meta.json` beside it, says of its network.

    A stage must not hang on the list of systems, which whoever opens a bundle asks; so only this much is read here. Raises
    MissingArtifactError (no such file), CorruptArtifactError (no description of a segmenter, a graph that was changed).
    """
    source = description_of(bundle)
    try:
        told = json.loads(source.read_bytes())
        network = told["network"] if bundle.is_dir() else {"file": bundle.name, "layout": told["layout"]}
        found = StoredNetwork(source.parent / network["file"], tuple(told["class_names"]), network.get("layout", "NHWC"))
        wanted = told["files"][network["file"]]["sha256"] if bundle.is_dir() else None
    except FileNotFoundError as cause:
        raise MissingArtifactError(f"{source}: no such file.", "Mend s07.initial_weights.") from cause
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise CorruptArtifactError(f"{source}: does not describe a segmenter's network.", "Give a segmenter's bundle.") from cause
    if not found.graph.is_file():
        raise MissingArtifactError(f"{found.graph} is missing from the bundle.", "Fetch the bundle again.")
    if wanted is not None and sha256_file(found.graph) != wanted:
        mend = "Fetch the bundle again."
        raise CorruptArtifactError(f"{found.graph} was changed: its SHA-256 is not that of bundle.json.", mend)
    return found


def fill_from_bundle(network: keras.Model, stored: StoredNetwork) -> None:
    """Give a network of ``build_unet``, with the bundle's own classes and channels, the bundle's weights, in place.

    Its answers are compared with the graph's afterwards. Batch normalisations of a graph have lost their statistics
    (`read_graph_weights`): see `settle_statistics`.

    Raises CorruptArtifactError: another network, or one that answers otherwise.
    """
    read_graph_weights(network, stored.graph)
    graph, layout = open_graph(stored.graph, "cpu"), stored.layout
    images = np.random.default_rng(0).random((2, SIDE, SIDE, 3)).astype(np.float32)
    told = {name: np.asarray(value) for name, value in network(images, training=False).items()}
    given = images if layout == "NHWC" else images.transpose(0, 3, 1, 2)
    for name, found in zip(told, graph.run({"image": given}, tuple(told)), strict=True):
        expected = found.transpose(0, 2, 3, 1) if found.ndim == 4 and layout == "NCHW" else found
        scale = max(1.0, float(np.abs(expected).max()))
        apart = float(np.abs(told[name] - expected).max()) / scale
        if not apart <= TOLERANCE:
            raise CorruptArtifactError(
                f"{stored.graph}: the network read back from it answers {name} otherwise (by {apart:.1e} of {scale:.3g}).",
                "Start from Keras weights: of the run, or of a bundle exported with --keras.",
            )


def settle_statistics(network: keras.Model, images: np.ndarray) -> None:
    """Give batch normalisations the mean and variance of what they see, in place, and a scale and shift that answer as before.

    Training normalises by each batch: with the mean 0 and variance 1 that a graph leaves, its first step would compute another
    network than the one that was read. images: ``(N, S, S, 3)`` float32, a few dozen training scans.
    """
    norms = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    entering = keras.Model(network.input, [layer.input for layer in norms])
    sums = [np.zeros((2, layer.gamma.shape[0])) for layer in norms]
    counts = np.zeros(len(norms))
    for start in range(0, len(images), BATCH):
        for place, seen in enumerate(entering(images[start : start + BATCH], training=False)):
            flat = np.asarray(seen, np.float64).reshape(-1, sums[place].shape[1])
            sums[place] += [flat.sum(axis=0), (flat**2).sum(axis=0)]
            counts[place] += len(flat)
    for layer, (total, squares), count in zip(norms, sums, counts, strict=True):
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0)
        gamma, beta, old_mean, old_variance = (np.asarray(weight, np.float64) for weight in layer.get_weights())
        scale = gamma / np.sqrt(old_variance + layer.epsilon)
        layer.set_weights([scale * np.sqrt(variance + layer.epsilon), beta + (mean - old_mean) * scale, mean, variance])
