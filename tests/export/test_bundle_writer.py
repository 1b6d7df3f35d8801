import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError, UsageError
from pipeline.engine.files import sha256_file
from pipeline.export.multitask.bundle import MultitaskExporter
from pipeline.export.multitask.finished_run import FinishedRun
from pipeline.export.parity import Graph
from pipeline.inference.sessions import open_graph
from pipeline.models.composed_networks import probability_output


def described(bundle):
    return json.loads((bundle / "bundle.json").read_text())


def test_every_file_is_listed_with_its_hash_and_none_is_large(bundle):
    document = described(bundle)
    found = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert found == {"bundle.json", *document["files"]}
    for name, entry in document["files"].items():
        assert entry == {"sha256": sha256_file(bundle / name), "bytes": (bundle / name).stat().st_size}
        assert entry["bytes"] <= 30_000_000


def test_the_description(bundle):
    document = described(bundle)
    assert document["schema_version"] == 1 and document["system"] == "respiratory_mtl"
    assert document["class_names"] == ["Non_COVID", "COVID"] and document["positive_class"] == "COVID"
    assert document["variant"] == "adversarial" and document["stored_precision"] == "float16"
    assert document["figures"]["test"]["ct"]["auc"]["low"] == 0.5
    assert 0 < document["parity"]["keras_max_difference"] <= 1e-4
    assert document["paired"] == {"network": "paired.onnx"}


def test_a_backbone_that_embedders_share_is_stored_once(bundle):
    document = described(bundle)
    assert list(document["backbones"]) == ["tiny_32"]
    assert document["backbones"]["tiny_32"]["feature_width"] == 16
    assert document["modalities"]["ct"]["embedders"]["shared"] == {"backbone": "tiny_32", "profile": "ct_p"}
    assert len(list(bundle.glob("backbone_*.onnx"))) == 1


def test_the_shared_extractor_is_stored_once(bundle):
    held = [t for t in onnx.load(bundle / "xray.onnx", load_external_data=False).graph.initializer if t.external_data]
    assert sum(np.prod(t.dims) for t in held) >= 1280 * 960 + 960 * 640 + 640 * 960 + 960 * 1280 + 1280 * 640


def test_large_kernels_are_float16(bundle):
    for file in ("xray.onnx", "ct.onnx", "paired.onnx"):
        large = [t for t in onnx.load(bundle / file, load_external_data=False).graph.initializer if np.prod(t.dims) > 20_000]
        assert large and all(t.data_type == TensorProto.FLOAT16 for t in large)


def test_graphs_give_the_runs_probabilities_from_its_pixels(bundle, finished_run):
    joint = {}
    for modality in ("xray", "ct"):
        pixels = np.load(finished_run / f"s01_preprocessing/pixels_{modality}_p.npy")
        features = Graph(bundle / "backbone_tiny_32.onnx").answer({"image": (pixels / np.float32(255))[..., None]})["features"]
        answer = Graph(bundle / f"{modality}.onnx").answer({"task_features": features, "shared_features": features})
        joint[modality] = answer["joint_features"]
        stored = np.load(finished_run / f"s05_classifier_head/probabilities_{modality}.npy")[0]
        np.testing.assert_allclose(answer["covid_probs"][:, 0], stored, atol=1e-4)
    paired = Graph(bundle / "paired.onnx").answer({"xray_features": joint["xray"], "ct_features": joint["ct"][::-1]})
    stored = np.load(finished_run / "s05_classifier_head/probabilities_paired.npy")[0]
    np.testing.assert_allclose(paired["covid_probs"][:, 0], stored, atol=1e-4)


def test_the_probability_is_called_after_the_class(bundle, finished_run, tmp_path):
    """The name stands in `bundle.json` and in both kinds of graph, also where it comes after `joint_features`."""
    from pipeline.inference.bundle import open_bundle

    assert described(bundle)["probability_output"] == "covid_probs"
    source = FinishedRun(finished_run)
    source.dataset = {**source.dataset, "class_names": ["Normal", "Lung Opacity"], "positive_class": "Lung Opacity"}
    made = MultitaskExporter(source).write(tmp_path / "bundle")
    assert described(made)["probability_output"] == "lung_opacity_probs"
    assert set(open_graph(made / "xray.onnx", "cpu").outputs) == {"lung_opacity_probs", "joint_features"}
    assert list(open_graph(made / "paired.onnx", "cpu").outputs) == ["lung_opacity_probs"]
    scans = {name: np.load(finished_run / f"s01_preprocessing/pixels_{name}_p.npy")[0] for name in ("xray", "ct")}
    answers = [open_bundle(folder).answer(**scans, methods=("gradcam",)) for folder in (bundle, made)]
    for of_covid, of_opacity in zip(*(answer.findings for answer in answers), strict=True):
        assert of_covid.error is None and of_covid.probability == of_opacity.probability
        assert set(of_opacity.probabilities) == {"Normal", "Lung Opacity"}


@pytest.mark.parametrize(("name", "output"), [
    ("COVID", "covid_probs"), ("Viral Pneumonia", "viral_pneumonia_probs"), ("Non_COVID", "non_covid_probs"),
    ("COVID-19 (PCR+)", "covid_19_pcr_probs"), ("Pneumonie à virus", "pneumonie_virus_probs"), ("肺炎", "positive_class_probs"),
])  # fmt: skip
def test_names_of_outputs_are_ascii(name, output):
    assert probability_output(name) == output


def test_the_predictor_accepts_it(bundle):
    from pipeline.inference.bundle import open_bundle

    loaded = open_bundle(bundle).manifest
    assert [loaded.class_names[loaded.decide([1 - p, p])] for p in (0.4, 0.6)] == ["Non_COVID", "COVID"]
    assert loaded.test_metrics("xray")["auc"]["value"] == 0.75


def test_nothing_of_this_machine_is_in_it(bundle, finished_run):
    for name in ("bundle.json", "MODEL_CARD.md"):
        assert str(finished_run.parent) not in (bundle / name).read_text()
    assert described(bundle)["training"]["config"]["s02"]["embedders"]["xray_task"]["weights"] == "own.weights.h5"


def test_the_card_states_use_terms_control_and_hashes(bundle):
    card = (bundle / "MODEL_CARD.md").read_text()
    for needed in (
        "not a medical device", "CC BY 4.0 (9); not stated (1)", "example.org (10)", "control: shuffled pairs",
        "0.750 [0.500, 0.900]", "No known patient", "Collected by **us**.", "predict --bundle", "1 files could not be read",
    ):  # fmt: skip
        assert needed in card
    assert described(bundle)["files"]["xray.onnx"]["sha256"] in card


def test_keras_networks_can_be_loaded_again(bundle):
    from pipeline.models.stored_models import load_model

    head = load_model(bundle / "keras/head_paired.weights.h5", bundle / "keras/head_paired.json")
    assert head.input_shape == (None, 2560)
    assert (bundle / "keras/backbone_tiny_32.json").is_file()


def test_a_foreign_folder_is_left_alone(finished_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a bundle"):
        MultitaskExporter.of_run(finished_run).write(tmp_path / "out")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["thesis.txt"]


def test_a_refused_export_leaves_the_former_bundle(own_run, tmp_path):
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "bundle.json").write_text("{}")
    weights = own_run / "s03_task_features/task_extractor_ct.weights.h5"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(CorruptArtifactError, match="task_extractor_ct.weights.h5 was changed.*--only s03 --force"):
        MultitaskExporter.of_run(own_run).write(out)
    assert [p.name for p in out.iterdir()] == ["bundle.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "run"]


def test_a_stage_made_from_older_artifacts_is_refused(own_run, tmp_path):
    path = own_run / "s04_shared_features/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["inputs"]["dataset"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(StaleArtifactError, match="s04_shared_features was made from another 'dataset'"):
        MultitaskExporter.of_run(own_run).write(tmp_path / "bundle")


def test_an_unfinished_run_is_refused(own_run, tmp_path):
    shutil.rmtree(own_run / "s05_classifier_head")
    with pytest.raises(MissingArtifactError, match="--only s05"):
        MultitaskExporter.of_run(own_run).write(tmp_path / "bundle")
