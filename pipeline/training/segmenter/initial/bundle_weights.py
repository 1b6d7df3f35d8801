"""A segmenter's network filled from a bundle: its Keras weights where it holds them, else those of its graph."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.segmenter.bundle import load_segmenter_bundle, network_path
from pipeline.inference.sessions import open_graph
from pipeline.training.segmenter.initial.graph_weights import read_graph_weights

# So near must the network answer as the graph does, on pictures of this size.
TOLERANCE, SIDE = 1e-5, 64
BATCH = 4


def bundle_classes(bundle: Path) -> tuple[str, ...]:
    """The classes of a segmenter's bundle, in its order. Raises as `load_segmenter_bundle`."""
    return load_segmenter_bundle(bundle).manifest.class_names


def fill_from_bundle(network: keras.Model, bundle: Path) -> None:
    """Give a network of ``build_unet``, with the bundle's own classes and channels, the bundle's weights, in place.

    Its answers are compared with the graph's afterwards. Batch normalisations of a graph have lost their statistics
    (`read_graph_weights`): see `settle_statistics`.

    Raises what `load_segmenter_bundle` raises, and CorruptArtifactError: another network, or one that answers otherwise.
    """
    opened = load_segmenter_bundle(bundle)
    read_graph_weights(network, network_path(opened))
    graph, layout = open_graph(network_path(opened), "cpu"), opened.manifest.network.layout
    images = np.random.default_rng(0).random((2, SIDE, SIDE, 3)).astype(np.float32)
    told = {name: np.asarray(value) for name, value in network(images, training=False).items()}
    given = images if layout == "NHWC" else images.transpose(0, 3, 1, 2)
    for name, found in zip(told, graph.run({"image": given}, tuple(told)), strict=True):
        expected = found.transpose(0, 2, 3, 1) if found.ndim == 4 and layout == "NCHW" else found
        scale = max(1.0, float(np.abs(expected).max()))
        apart = float(np.abs(told[name] - expected).max()) / scale
        if not apart <= TOLERANCE:
            raise CorruptArtifactError(
                f"{bundle}: its network, read back from the graph, answers {name} otherwise (by {apart:.1e} of {scale:.3g}).",
                "Start from its Keras weights: export it with --keras.",
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
