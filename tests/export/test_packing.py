"""Compressed graphs answer as the plain ones do."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.onnx.packing import pack_largest
from pipeline.inference.activation.graph_parts import GraphParts
from pipeline.inference.bundle import open_bundle
from pipeline.inference.packed_graphs import unpacked


@pytest.fixture(scope="module")
def packed(finished_run, tmp_path_factory):
    from pipeline.export.multitask import bundle as bundle_writer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle_writer, "pack_largest", lambda folder, document: pack_largest(folder, document, limit=0))
        return bundle_writer.MultitaskExporter.of_run(finished_run).write(tmp_path_factory.mktemp("packed") / "bundle")


def test_same_answers_from_fewer_bytes(bundle, packed):
    assert not list(packed.glob("*.onnx")) and len(list(packed.glob("*.onnx.gz"))) == len(list(bundle.glob("*.onnx")))
    xray, ct = (np.random.default_rng(seed).integers(0, 256, (50, 60), dtype=np.uint8) for seed in (1, 2))
    plain, compressed = (open_bundle(path).answer(xray=xray, ct=ct).findings for path in (bundle, packed))
    assert plain == compressed and len(plain) == 3


def test_parts_of_a_packed_graph(packed):
    parts = GraphParts(packed / "ct.onnx.gz")
    assert parts.part(parts.inputs, ["covid_probs"]) is not None


def test_only_as_many_as_it_takes(bundle, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "copy")
    total = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    largest = max(folder.glob("*.onnx"), key=lambda path: path.stat().st_size).name
    document = pack_largest(folder, {"files": [largest, "other"], "at": {"deep": largest}}, total - 1)
    assert document == {"files": [f"{largest}.gz", "other"], "at": {"deep": f"{largest}.gz"}}
    assert [path.name for path in folder.glob("*.gz")] == [f"{largest}.gz"]
    assert pack_largest(folder, {"a": "b"}, 10**12) == {"a": "b"}


def test_a_broken_archive_is_told(packed, tmp_path):
    broken = tmp_path / "ct.onnx.gz"
    broken.write_bytes((packed / "ct.onnx.gz").read_bytes()[:200])
    with pytest.raises(CorruptArtifactError, match="cannot be unpacked"):
        unpacked(broken)
