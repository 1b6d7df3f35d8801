"""A segmenter is used only where its files, its description and its graph's metadata agree."""

from __future__ import annotations

import json

import pytest
from tiny_segmenter import CLASS_NAMES, NETWORK, describe, write_graph, write_meta, write_segmenter

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError, UsageError
from pipeline.inference.bundle import open_bundle
from pipeline.inference.segmenter.bundle import network_path


@pytest.fixture
def segmenter(tmp_path):
    return write_segmenter(tmp_path / "unet")


def test_reads_what_segmenting_needs(segmenter):
    manifest = open_bundle(segmenter).manifest
    assert manifest.class_names == tuple(CLASS_NAMES) and manifest.profile.size == manifest.image_size == 32
    assert manifest.keras is None and manifest.threshold == 0.5


def test_each_system_names_the_command_of_the_other(segmenter, bundle):
    with pytest.raises(UsageError, match="Use segment") as caught:
        open_bundle(segmenter, command="predict")
    assert caught.value.exit_code == 2 and "predict reads" in caught.value.message
    with pytest.raises(UsageError, match="Use predict"):
        open_bundle(bundle, command="segment")


def test_a_changed_file_is_named(segmenter):
    path = segmenter / NETWORK
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CorruptArtifactError, match=r"unet\.onnx was changed"):
        open_bundle(segmenter)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"class_names": ["ALPHA", "ALPHA"]}, "stands twice"),
        ({"class_names": ["ALPHA"]}, "class_names"),
        ({"positive_class": "DELTA"}, "positive_class"),
        ({"image_size": 64}, "the profile's size 32"),
        ({"threshold": 2}, "threshold"),
        ({"network": {"file": "gone.onnx"}}, "gives no hash"),
        ({"network": {"file": NETWORK, "layout": "NWHC"}}, "layout"),
        ({"class_names": CLASS_NAMES[::-1]}, "class_names is"),
        ({"network": {"file": NETWORK, "layout": "NCHW"}}, "layout is NHWC in its metadata"),
    ],
)
def test_a_description_that_does_not_fit_is_refused_with_its_place(segmenter, changes, named):
    describe(segmenter, **changes)
    with pytest.raises(CorruptArtifactError, match=named):
        open_bundle(segmenter)


def test_another_schema_version(segmenter):
    describe(segmenter, schema_version=9)
    with pytest.raises(StaleArtifactError):
        open_bundle(segmenter)


def test_a_single_graph_with_its_metadata(tmp_path):
    network = write_graph(tmp_path / "best.onnx")
    write_meta(network)
    loaded = open_bundle(network)
    assert network_path(loaded.bundle) == network and loaded.manifest.profile.size == 32 and "gate" not in loaded.bundle.document


def test_a_single_graph_answers_as_its_bundle_would(tmp_path):
    """Threshold, pieces, mirror image and preprocessing travel with the graph, since all of them change the answer."""
    profile = {"modality": "xray", "size": 32, "operations": ["equalize"]}
    said = {"profile": profile, "threshold": 0.4, "lung_pieces": "two_largest", "mirror_average": True}
    folder = write_segmenter(tmp_path / "unet", **said)
    write_meta(folder / NETWORK, **said)
    describe(folder, **said)
    whole, alone = open_bundle(folder).manifest, open_bundle(folder / NETWORK).manifest
    for entry in said:
        assert getattr(whole, entry) == getattr(alone, entry), entry
    assert (alone.threshold, alone.lung_pieces, alone.mirror_average) == (0.4, "two_largest", True)
    assert list(alone.profile.operations) == ["equalize"]


@pytest.mark.parametrize(
    ("entry", "other"),
    [
        ("threshold", 0.4),
        ("lung_pieces", "two_largest"),
        ("mirror_average", True),
        ("profile", {"modality": "xray", "size": 32, "operations": ["equalize"]}),
    ],
)
def test_metadata_that_contradicts_its_bundle(segmenter, entry, other):
    write_meta(segmenter / NETWORK, **{entry: other})
    describe(segmenter)
    with pytest.raises(CorruptArtifactError, match=f"{entry} is .* in its metadata"):
        open_bundle(segmenter)


def test_a_graph_without_metadata_names_the_file_that_is_missing(tmp_path):
    network = write_graph(tmp_path / "best.onnx")
    with pytest.raises(MissingArtifactError, match=r"best\.onnx\.meta\.json is not beside it") as caught:
        open_bundle(network)
    assert caught.value.exit_code == 3 and "class names" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "cannot be read as JSON"),
        (json.dumps({"img_size": 256}), "class_names"),
        (None, "normalization"),
    ],
)
def test_metadata_that_cannot_be_used(tmp_path, text, named):
    network = write_graph(tmp_path / "best.onnx")
    path = write_meta(network, normalization="ImageNet")
    if text is not None:
        path.write_text(text)
    with pytest.raises(CorruptArtifactError, match=named):
        open_bundle(network)
