"""A gate's files in a bundle: the frozen network as ONNX, and statistics of the scans that it learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.gate.embedding_distance import GateStatistics
from pipeline.data.preprocessing import Profile
from pipeline.engine.errors import CorruptArtifactError
from pipeline.engine.files import atomic_write_bytes

NETWORK_FILE = "gate_backbone.onnx"
STATISTICS_FILE = "gate.npz"


def write_gate(
    folder: Path, backbone_network: Any, statistics: GateStatistics | Mapping[str, np.ndarray], profile: Profile
) -> dict:
    """Write network and statistics into ``folder``; returns the entry ``gate`` of ``bundle.json``.

    Args:
        backbone_network: of ``build_gate_backbone``; stored in float16, without loss.
        statistics: of ``fit_gate``, or its ``arrays()`` as an ``.npz`` gives them back.
        profile: the preprocessing that the features were taken after.

    Raises:
        CorruptArtifactError: network, statistics and profile do not fit each other, or kernels that are not float16's.
    """
    if not isinstance(statistics, GateStatistics):
        statistics = GateStatistics.from_arrays(statistics)
    size, width = int(backbone_network.input_shape[1]), int(backbone_network.output_shape[-1])
    if (size, width) != (profile.size, statistics.width):
        raise CorruptArtifactError(
            f"the gate's network takes {size} px and makes {width} features; the profile has {profile.size} px, the "
            f"statistics {statistics.width} features.",
            "Fit the gate on features of this network.",
        )
    write_gate_network(folder, backbone_network)
    return {"network": NETWORK_FILE, **write_kind(folder, STATISTICS_FILE, statistics.arrays(), statistics, profile)}


def write_gate_network(folder: Path, backbone_network: Any) -> None:
    """Write the frozen Keras network as NETWORK_FILE."""
    from pipeline.export.onnx.graphs import convert_network
    from pipeline.export.onnx.kernel_files import write_graphs
    from pipeline.export.onnx.stored_weights import store_as_float16

    graph = convert_network(backbone_network, ["features"], {"role": "gate"})
    store_as_float16(graph, require=True)
    write_graphs({NETWORK_FILE: graph}, folder)


def write_kind(
    folder: Path, file: str, arrays: Mapping[str, np.ndarray], statistics: GateStatistics, profile: Profile
) -> dict[str, Any]:
    """Write statistics in the form ``arrays``; returns their `KindEntry`.

    NumPy gives the members of the archive a fixed date, so equal statistics are equal bytes.
    """
    content = BytesIO()
    np.savez_compressed(content, **arrays)
    atomic_write_bytes(folder / file, content.getvalue())
    return {
        "statistics": file,
        "profile": profile.model_dump(mode="json"),
        "threshold": statistics.threshold,
        "accepted_on_validation": statistics.accepted_on_validation,
        "method": statistics.method,
    }
