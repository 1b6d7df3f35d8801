"""Mends a fault of tf2onnx 1.17: a graph's output with a leading axis too many.

Its optimiser turns the transposition of a map of one channel into a Reshape to ``(1, B, H, W, 1)`` and a Squeeze.
Where the Reshape makes an output of the graph, the Squeeze is lost. Whether it does hangs on the order in which the optimiser
meets the nodes; in the one that `conversion` holds it to, a UNet with channels last always comes out so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper


def squeeze_reshaped_outputs(model: onnx.ModelProto, ranks: Mapping[str, int]) -> None:
    """Put the Squeeze behind every Reshape that makes an output of more axes than it has in Keras, in place.

    ranks: axes of each output by name. Only leading axes of length 1 are taken away, from the declared shape too.
    Opset 13 or later, where Squeeze's axes are an input.
    """
    shapes = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    for door in model.graph.output:
        maker = makers.get(door.name)
        if maker is None or maker.op_type != "Reshape" or maker.input[1] not in shapes:
            continue
        given = numpy_helper.to_array(shapes[maker.input[1]])
        surplus = len(given) - ranks[door.name]
        if surplus > 0 and (given[:surplus] == 1).all():
            declared = door.type.tensor_type.shape.dim
            del declared[: len(declared) - ranks[door.name]]
            _squeeze(model.graph, maker, door.name, surplus)


def _squeeze(graph: onnx.GraphProto, maker: onnx.NodeProto, output: str, surplus: int) -> None:
    wide, axes = f"{output}_with_leading_axes", f"{output}_leading_axes"
    graph.initializer.append(numpy_helper.from_array(np.arange(surplus, dtype=np.int64), axes))
    maker.output[0] = wide
    graph.node.append(helper.make_node("Squeeze", [wide, axes], [output], name=f"{output}_squeeze"))
