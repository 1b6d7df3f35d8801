"""Whether the graphs of a bundle answer as their Keras networks do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.sessions import open_graph

LIMIT = 1e-4
BATCH = 64
MEASURE = "max |ONNX - Keras| / max(1, max |Keras|): the plain difference for probabilities"


def scaled_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest absolute difference over ``max(1, largest expected magnitude)``; NaN or unequal shapes are infinite."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape or not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return float("inf")
    if found.size == 0:
        return 0.0
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


class Graph:
    """One ONNX file on onnxruntime's CPU provider."""

    def __init__(self, path: Path) -> None:
        self._graph = open_graph(path, "cpu")

    def answer(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name for float32 inputs by name, computed batch by batch over the first axis."""
        names = list(self._graph.outputs)
        rows = len(next(iter(inputs.values())))
        blocks = [
            self._graph.run({name: np.ascontiguousarray(v[at : at + BATCH], np.float32) for name, v in inputs.items()}, names)
            for at in range(0, rows, BATCH)
        ]
        return {name: np.concatenate(parts) for name, parts in zip(names, zip(*blocks, strict=True), strict=True)}


@dataclass
class ParityRecord:
    """Every comparison made, and the refusal of one that fails."""

    checks: dict[str, dict] = field(default_factory=dict)

    def compare(self, name: str, found: np.ndarray, expected: np.ndarray, against: str) -> None:
        """Note one comparison.

        Raises:
            CorruptArtifactError: the difference exceeds 1e-4, an answer is not finite (whose, is said), or shapes differ.
        """
        difference = scaled_difference(found, expected)
        self.checks[name] = {"max_difference": difference, "rows": int(len(expected)), "against": against}
        if not difference <= LIMIT:
            raise CorruptArtifactError(
                f"parity of {name}, against {against}: {_fault(np.asarray(found), np.asarray(expected), difference)}.",
                "The run's arrays and networks do not belong together, or the conversion is wrong: check with `verify`.",
            )

    def document(self) -> dict:
        """The record of ``bundle.json``."""
        largest = max((check["max_difference"] for check in self.checks.values()), default=0.0)
        return {"limit": LIMIT, "measure": MEASURE, "keras_max_difference": largest, "checks": self.checks}


def _fault(found: np.ndarray, expected: np.ndarray, difference: float) -> str:
    if found.shape != expected.shape:
        return f"ONNX answers in shape {found.shape}, Keras in {expected.shape}"
    endless = [
        f"{side} answers with {count} values that are not finite"
        for side, answer in {"ONNX": found, "Keras": expected}.items()
        if (count := int((~np.isfinite(answer)).sum()))
    ]
    return " and ".join(endless) or f"ONNX and Keras differ by {difference:.2e} (limit {LIMIT:.0e})"


def random_inputs(network, rows: int, seed: int, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Uniform random input in ``[0, scale)`` for each input of a Keras network, ``{name: (rows, …)}`` float32."""
    draw = np.random.default_rng(seed)
    return {door.name: (scale * draw.random((rows, *door.shape[1:]), np.float32)).astype(np.float32) for door in network.inputs}


def compare_with_keras(record: ParityRecord, name: str, graph: Graph, network, outputs: Sequence[str], seed: int = 0) -> None:
    """Run a graph and its network on the same random rows and note the difference of each output."""
    inputs = random_inputs(network, 4, seed)
    given = list(inputs.values())
    expected = network(given[0] if len(given) == 1 else given, training=False)
    if not isinstance(expected, Mapping):
        expected = {outputs[0]: expected}
    found = graph.answer(inputs)
    for output in outputs:
        record.compare(f"{name}.{output} (random)", found[output], np.asarray(expected[output]), "Keras on random input")


def spread_rows(total: int, wanted: int) -> np.ndarray:
    """At most ``wanted`` row numbers spread evenly over ``total`` rows."""
    return np.unique(np.linspace(0, max(0, total - 1), min(total, wanted)).astype(np.int64))
