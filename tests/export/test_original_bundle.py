import json
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.errors import CorruptArtifactError, DataError, MissingArtifactError, UsageError
from pipeline.export.original.bundle import OriginalExporter
from pipeline.export.parity import Graph
from pipeline.export.template import ExportOptions
from pipeline.models.original_models import check_shapes, find_models, load_models

WIDTH, FEATURES, SIZE = 20, 12, 32


def _network(shape, widths, name, final="linear"):
    import keras
    from keras import layers

    x = inputs = keras.Input(shape)
    if len(shape) == 3:
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(x))
        x = layers.Rescaling(1 / 128)(x)
    else:
        x = layers.BatchNormalization()(x)
    for width in widths:
        x = layers.LeakyReLU()(layers.Dense(width)(x))
    return keras.Model(inputs, layers.Dense(1, activation=final)(x), name=name)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    import keras

    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("original")
    image, embedding, joint = (SIZE, SIZE, 3), (WIDTH,), (2 * FEATURES,)
    models = {
        "X_Embed_Task_EfficientNetB0": _network(image, [WIDTH], "a"),
        "CT_Embed_Task_EfficientNetB1": _network(image, [WIDTH], "a"),
        "X_Embed_Shared_ResNet50": _network(image, [WIDTH], "a"), "CT_Embed_Shared_ResNet50V2": _network(image, [WIDTH], "a"),
        "X_Ray_Task": _network(embedding, [16, FEATURES], "t"), "CT_Scan_Task": _network(embedding, [16, FEATURES], "t"),
        "Shared_Model": _network(embedding, [FEATURES], "s", "sigmoid"),
        "Classifier_Head_X_Model": _network(joint, [8], "h", "sigmoid"),
        "Classifier_Head_CT": _network(joint, [8], "h", "sigmoid"),
    }  # fmt: skip
    for name, model in models.items():
        model.save(folder / f"{name}.h5")
    return folder, models


@pytest.fixture(scope="module")
def imported(original, tmp_path_factory) -> Path:
    return OriginalExporter(original[0]).write(tmp_path_factory.mktemp("imported") / "bundle")


def _expected(models, modality, gray, x):
    """The original's own arithmetic: layers up to the last Dense, features side by side, the head's sigmoid."""
    import keras

    def features(name, rows):
        return keras.Model(models[name].inputs[0], models[name].layers[-1].input)(rows, training=False)

    rgb = np.repeat(gray[..., None], 3, axis=-1).astype(np.float32)
    names = {"xray": ("X_Embed_Task_EfficientNetB0", "X_Ray_Task", "X_Embed_Shared_ResNet50"),
             "ct": ("CT_Embed_Task_EfficientNetB1", "CT_Scan_Task", "CT_Embed_Shared_ResNet50V2")}[modality]  # fmt: skip
    task = features(names[1], features(names[0], rgb))
    shared = features("Shared_Model", features(names[2], rgb))
    return np.asarray(models[x](np.concatenate([task, shared], axis=1), training=False))[:, 0]


@pytest.mark.parametrize(("modality", "head"), [("xray", "Classifier_Head_X_Model"), ("ct", "Classifier_Head_CT")])
def test_covid_is_one_minus_the_output(original, imported, modality, head):
    gray = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE), dtype=np.uint8)
    image = (gray / np.float32(255))[..., None]
    embeddings = {
        f"{role}_features": Graph(imported / f"backbone_{modality}_{role}.onnx").answer({"image": image})["features"]
        for role in ("task", "shared")
    }
    found = Graph(imported / f"{modality}.onnx").answer(embeddings)["covid_probs"][:, 0]
    np.testing.assert_allclose(found, 1 - _expected(original[1], modality, gray, head), atol=1e-5)


def test_the_description_has_no_pair_and_the_originals_preprocessing(imported):
    from pipeline.inference.bundle import open_bundle

    document = json.loads((imported / "bundle.json").read_text())
    assert document["paired"] is None and document["figures"] == {} and document["variant"] == "original"
    assert document["profiles"]["ct_32_clahe_opening"]["operations"] == ["clahe", "opening"]
    assert document["profiles"]["xray_32_clahe"]["size"] == SIZE
    assert open_bundle(imported).manifest.paired is None
    card = (imported / "MODEL_CARD.md").read_text()
    assert "not a medical device" in card and "no figures" in card and "Positive index 0" in card


def test_positive_index_one_reads_the_output_as_it_is(original, imported, tmp_path):
    other = OriginalExporter(original[0], ExportOptions(positive_index=1)).write(tmp_path / "bundle")
    feeds = {f"{role}_features": np.ones((1, WIDTH), np.float32) for role in ("task", "shared")}
    a, b = (Graph(folder / "ct.onnx").answer(feeds)["covid_probs"] for folder in (imported, other))
    np.testing.assert_allclose(a + b, 1, atol=1e-6)
    with pytest.raises(UsageError, match="0 and 1"):
        OriginalExporter(original[0], ExportOptions(positive_index=2)).write(tmp_path / "b2")


@pytest.mark.posix
def test_missing_and_doubled_files_are_all_named(original, tmp_path):
    for path in original[0].iterdir():
        if not re.match("Shared|CT_Scan", path.name):
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(MissingArtifactError, match=r"CT_Scan_Task\*\.h5, Shared\*\.h5"):
        find_models(tmp_path)
    (tmp_path / "X_Embed_Task_VGG16.h5").write_bytes(b"")
    with pytest.raises(DataError, match="X_Embed_Task_EfficientNetB0.h5, X_Embed_Task_VGG16.h5"):
        find_models(tmp_path)


def test_all_models_that_do_not_fit_are_named(original):
    files = find_models(original[0])
    models = load_models(files)
    models["shared"] = _network((WIDTH + 1,), [FEATURES], "s")
    models["head_ct"] = _network((5,), [8], "h")
    models["xray_task"] = _network((SIZE, SIZE, 1), [WIDTH], "a")
    with pytest.raises(DataError) as caught:
        check_shapes(models, files)
    for said in ("Shared_Model.h5 takes (None, 21), it is given (None, 20)", "Classifier_Head_CT.h5 takes (None, 5)",
                 "X_Embed_Task_EfficientNetB0.h5 takes (None, 32, 32, 1)"):  # fmt: skip
        assert said in str(caught.value)


def test_a_broken_file_and_a_lambda_are_refused(original, tmp_path):
    import keras

    broken = tmp_path / "X_Ray_Task.h5"
    broken.write_bytes(b"not HDF5")
    with pytest.raises(CorruptArtifactError, match=r"X_Ray_Task\.h5 cannot be loaded"):
        load_models({"task_xray": broken})
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs)).save(tmp_path / "Shared.h5")
    with pytest.raises(CorruptArtifactError, match=r"Shared\.h5 cannot be loaded"):
        load_models({"shared": tmp_path / "Shared.h5"})
