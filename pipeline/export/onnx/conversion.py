"""The one way from a traced TensorFlow function to an ONNX graph: tf2onnx, held to one order.

tf2onnx 1.17 keeps the readers of a tensor in a set of names, which Python orders anew in every process, and numbers what it
adds by a counter that goes on from one conversion to the next. Its optimiser pushes transpositions past the readers in the
order in which it meets them: about one conversion of a UNet in ten came out as another graph. Here readers are met by name,
and every conversion counts from the start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import onnx
import tensorflow as tf
import tf2onnx
from onnx import helper
from tf2onnx import utils
from tf2onnx.graph import Graph

from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.onnx.canonical import canonicalise

OPSET = 17
# methods of tf2onnx's graph that list the members of a set: of names, or of nodes, which hash by where they lie in memory
UNORDERED = ("find_output_consumers", "extract_sub_graph_nodes")
PRODUCER = "respiratory-pipeline"
# of as many digits as any that follows, so that names sort as they were numbered
FIRST_NUMBER = 1_000_000


def convert_function(
    forward: Callable, signature: Sequence[tf.TensorSpec], opset: int = OPSET, **options: Any
) -> onnx.ModelProto:
    """A ``tf.function`` of that signature as a graph; options: tf2onnx's own, such as ``inputs_as_nchw``."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with _one_order():
        model, _ = tf2onnx.convert.from_function(forward, input_signature=signature, opset=opset, **options)
    return model


def finish_graph(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """Name the free axes of the doors (the first is the batch), bring the graph into its canonical form, and check it.

    metadata: what the graph says of itself, by key.

    Raises CorruptArtifactError where the checker refuses it.
    """
    for door in (*model.graph.input, *model.graph.output):
        for axis, size in enumerate(door.type.tensor_type.shape.dim):
            if axis == 0 or not size.HasField("dim_value"):
                size.dim_param = f"{door.name}_{axis}" if axis else "batch"
    model.producer_name = PRODUCER
    helper.set_model_props(model, dict(metadata))
    canonicalise(model)
    check_graph(model)


def check_graph(model: onnx.ModelProto) -> None:
    """Run ONNX's own checker with shape inference.

    Raises:
        CorruptArtifactError: the graph is not valid.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as cause:
        raise CorruptArtifactError(
            f"the ONNX graph {model.graph.name!r} is not valid: {str(cause).splitlines()[0]}",
            "Please report it with the run's configuration.",
        ) from cause


@contextmanager
def _one_order() -> Iterator[None]:
    """Within it, tf2onnx meets nodes by name, and the names that it makes sort as they were numbered."""
    found = {method: getattr(Graph, method) for method in UNORDERED}
    counted = utils.INTERNAL_NAME
    utils.INTERNAL_NAME = FIRST_NUMBER
    for method, finds in found.items():
        setattr(Graph, method, _by_name(finds))
    try:
        yield
    finally:
        utils.INTERNAL_NAME = counted
        for method, finds in found.items():
            setattr(Graph, method, finds)


def _by_name(finds: Callable) -> Callable:
    return lambda *given, **options: sorted(finds(*given, **options), key=lambda node: node.name)
