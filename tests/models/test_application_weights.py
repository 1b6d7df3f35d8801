"""ImageNet weights of keras.applications without a network: which file belongs where, and what is no such file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import h5py
import keras
import pytest
from keras.src.legacy.saving import legacy_h5_format

from pipeline.engine.errors import ConfigError, CorruptArtifactError, PipelineError, StorageError
from pipeline.models.backbones import application_weights
from pipeline.models.backbones.construction import build_backbone, build_body
from pipeline.models.backbones.names import BACKBONES
from pipeline.models.backbones.split_backbone import split_backbone

FILES = sys.modules[keras.utils.get_file.__module__]
APPLICATIONS = [backbone for backbone in BACKBONES.values() if backbone.family == "application"]
RESNET50 = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
RESNET50_MD5 = "4d473c1dd8becc155b73f8504c6f6626"
# One of each module of keras.applications, the smallest.
ONE_A_MODULE = {sys.modules[getattr(keras.applications, backbone.name).__module__].__name__: backbone.name
                for backbone in sorted(APPLICATIONS, key=lambda one: (one.minimum_size, one.name), reverse=True)}  # fmt: skip


def no_network(origin, target, *rest):
    raise OSError(f"URL fetch failure on {origin}: None -- [Errno -3] no address")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keras's cache, empty, and a network that answers nothing."""
    monkeypatch.setattr(FILES.config, "keras_home", lambda: str(tmp_path / "cache"))
    monkeypatch.setattr(FILES, "urlretrieve", no_network)
    return tmp_path / "cache" / "models"


def refusal_of(name: str, size: int, build=build_body) -> PipelineError:
    """What is said of a network's published weights; the network itself takes no memory."""
    with pytest.raises(PipelineError) as refused, keras.StatelessScope(initialize_variables=False):
        build(name, size, "imagenet")
    return refused.value


def told_of_an_absent_file(name: str, size: int, cache) -> str:
    refusal = refusal_of(name, size)
    assert isinstance(refusal, ConfigError)
    assert f"the ImageNet weights of {name} from keras.applications, which cannot be fetched ([Errno -3] no" in refusal.message
    assert str(cache) in refusal.remedy and f"keras.applications.{name}(include_top=False)" in refusal.remedy
    assert "`none` (random)" in refusal.remedy and "://" not in str(refusal)
    place = refusal.message.split(" is missing")[0]
    assert place.startswith(str(cache)) and place.endswith(".h5") and os.path.basename(place) in refusal.remedy
    return os.path.basename(place)


@pytest.mark.parametrize("name", sorted(ONE_A_MODULE.values()))
def test_the_missing_file_and_its_place_are_named(name, cache):
    told_of_an_absent_file(name, BACKBONES[name].native_size, cache)


@pytest.mark.slow
def test_every_application_names_a_file_of_its_own(cache):
    files = [told_of_an_absent_file(one.name, one.native_size, cache) for one in APPLICATIONS]
    assert len(set(files)) == len(APPLICATIONS) == 40


def test_resnet50s_file_is_the_published_one(cache):
    refusal = refusal_of("ResNet50", 224)
    assert refusal.message.startswith(str(cache / RESNET50)) and f"{RESNET50} (MD5 {RESNET50_MD5})" in refusal.remedy
    assert "SHA-256 d547c096" in refusal_of("ConvNeXtTiny", 32).remedy


@pytest.mark.parametrize("build", [
    lambda name, size, weights: build_backbone(name, size, weights, taps=("conv2_block3_out",)),
    lambda name, size, weights: build_backbone(name, size, weights, mirrored=True),
    lambda name, size, weights: split_backbone(name, size, weights, (), "conv4_block6_out"),
], ids=["taps", "mirrored", "tail"])  # fmt: skip
def test_taps_and_tails_say_the_same(build, cache):
    assert str(refusal_of("ResNet50", 64, build)) == str(refusal_of("ResNet50", 64))


@pytest.mark.parametrize("content", [b"", b"half of a file", b"\x89HDF\r\n\x1a\n" + bytes(200)], ids=["empty", "text", "torn"])
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2"])
def test_a_file_that_is_not_the_published_one_is_refused_and_kept(name, content, cache):
    file = told_of_an_absent_file(name, 96, cache)
    (cache / file).write_bytes(content)
    refusal = refusal_of(name, 96)
    assert isinstance(refusal, CorruptArtifactError)
    assert f"the ImageNet weights of {name} from keras.applications" in refusal.message
    assert f"It has {len(content)} bytes" in refusal.message and refusal.remedy.startswith(f"Remove it, then put {file}")
    assert ("its MD5 is not" if name == "ResNet50" else "Keras cannot read it") in refusal.message
    assert (cache / file).read_bytes() == content


def test_another_networks_file_is_refused_where_keras_knows_no_hash(cache):
    file = told_of_an_absent_file("MobileNet", 128, cache)
    with h5py.File(cache / file, "w") as other:
        other.attrs["layer_names"] = [b"conv"]
        other.create_group("conv").attrs["weight_names"] = []
    assert "Keras cannot read it" in refusal_of("MobileNet", 128).message


def test_a_file_that_is_there_is_read_even_where_nothing_can_be_written(cache, monkeypatch):
    """Of a network without a published hash, so that its own random weights may stand for the file, in its old format."""
    keras.utils.set_random_seed(4)
    published = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(96, 96, 3))
    cache.mkdir(parents=True)
    file = cache / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"
    with h5py.File(file, "w") as stored:
        legacy_h5_format.save_weights_to_hdf5_group(stored, published)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(application_weights, "_require_writable", None)
    real = FILES.get_file
    body, _ = build_body("MobileNetV2", 96, "imagenet")
    assert FILES.get_file is real
    for mine, theirs in zip(published.get_weights(), body.get_weights(), strict=True):
        assert (mine == theirs).all()


def test_a_fetched_file_is_checked(cache, monkeypatch):
    fetched = b"not the published bytes"
    monkeypatch.setattr(FILES, "urlretrieve", lambda origin, target, *_: Path(target).write_bytes(fetched))
    assert "Incomplete or corrupted file detected" in refusal_of("ResNet50", 64).message
    assert "its MD5 is not" in refusal_of("ResNet50", 64).message


def test_a_cache_that_cannot_be_written_is_told_and_mended_by_keras_home(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(FILES.config, "keras_home", lambda: str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(FILES, "urlretrieve", no_network)
    refusal = refusal_of("VGG16", 64)
    assert isinstance(refusal, StorageError) and "nothing can be written there" in refusal.message
    assert refusal.remedy.startswith("Set KERAS_HOME to a folder of your own, or put vgg16_")
    assert "into its models" in refusal.remedy
