"""Parts of an ONNX graph as sessions of their own, between any of its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engine.errors import CorruptArtifactError
from pipeline.inference.packed_graphs import is_packed, unpacked
from pipeline.inference.sessions import Device, Graph, open_graph

if TYPE_CHECKING:
    import onnx


class GraphParts:
    """One ONNX file, taken apart on demand; its nodes in the order of computation."""

    def __init__(self, path: Path, device: Device = "auto") -> None:
        """Raises CorruptArtifactError: no ONNX graph."""
        import onnx
        from google.protobuf.message import DecodeError

        self.path, self._device = path, device
        try:
            self._model = onnx.shape_inference.infer_shapes(_loaded(path))
            self._extractor = onnx.utils.Extractor(self._model)
        except (OSError, ValueError, DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as cause:
            raise CorruptArtifactError(f"{path}: no ONNX graph ({cause}).", "Export it again.") from cause

    @property
    def inputs(self) -> list[str]:
        """Names of the graph's own inputs."""
        return [door.name for door in self._model.graph.input]

    def nodes(self, *kinds: str) -> list[onnx.NodeProto]:
        """The nodes of these operations."""
        return [node for node in self._model.graph.node if node.op_type in kinds]

    def maps_among(self, tensors: Sequence[str]) -> list[str]:
        """Those of the tensors that have four axes."""
        ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in self._model.graph.value_info}
        return [name for name in tensors if ranks.get(name) == 4]

    def maker_of(self, tensor: str) -> onnx.NodeProto | None:
        """The node that makes a tensor, None for an input or a stored one."""
        return next((node for node in self._model.graph.node if tensor in node.output), None)

    def axes_of(self, node: onnx.NodeProto) -> tuple[int, ...]:
        """The axes that a reduction is over, of a tensor of four: told by an attribute up to opset 17, by a stored input since;
        () where neither tells."""
        from onnx import numpy_helper

        told: list[int] = next((list(field.ints) for field in node.attribute if field.name == "axes"), [])
        if not told and len(node.input) > 1:
            stored = {tensor.name: tensor for tensor in self._model.graph.initializer}
            maker = self.maker_of(node.input[1])
            constant = next((field.t for field in maker.attribute if field.name == "value"), None) if maker is not None else None
            tensor = stored.get(node.input[1], constant)
            told = numpy_helper.to_array(tensor).ravel().tolist() if tensor is not None else []
        return tuple(sorted(axis % 4 for axis in told))

    def part(self, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
        """What computes some tensors from others; its outputs are these, in this order."""
        model = self._extractor.extract_model(list(inputs), list(outputs))
        return open_graph(self.path, self._device, spinning=True, content=model.SerializeToString())


def keeps_axes(node: onnx.NodeProto) -> bool:
    """Whether what a mean over axes gives has these axes still, of one place each."""
    return next((bool(field.i) for field in node.attribute if field.name == "keepdims"), True)


def _loaded(path: Path) -> onnx.ModelProto:
    import onnx

    if not is_packed(path):
        return onnx.load(str(path))
    model = onnx.load_model_from_string(unpacked(path))
    onnx.load_external_data_for_model(model, str(path.parent))
    return model
