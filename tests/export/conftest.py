"""A finished run in miniature: untrained networks of the tabled widths on random scans, stored as the stages do."""

import shutil

import numpy as np
import pytest

from pipeline.engine.contract import Artifact
from pipeline.engine.files import sha256_file, write_json
from pipeline.engine.manifest import Manifest, describe_output

SIZE, ROWS = 32, 10
MODALITIES = ("xray", "ct")


def tiny_backbone(name="tiny", seed=0):
    """Every kind of layer that conversion treats in its own way: convolution, depthwise, batch normalisation."""
    import keras
    from keras import layers

    from pipeline.models.backbones.construction import InputScaling

    keras.utils.set_random_seed(seed)
    image = keras.Input((SIZE, SIZE, 1), name="image")
    x = InputScaling([2.0] * 3, [-1.0] * 3, name="input_scaling")(image)
    for position, width in enumerate((8, 16)):
        x = layers.Conv2D(width, 3, 2, padding="same", use_bias=False, name=f"conv_{position}")(x)
        x = layers.BatchNormalization(name=f"bn_{position}")(x)
        x = layers.ReLU(6.0, name=f"relu_{position}")(x)
        x = layers.DepthwiseConv2D(5, padding="same", use_bias=False, name=f"depthwise_{position}")(x)
    x = layers.Identity(name="features")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, x, name=name)
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 2.0, w.shape).astype("float32") for w in layer.get_weights()])
    return model


def _answer(model, *inputs):
    return np.asarray(model(inputs[0] if len(inputs) == 1 else list(inputs), training=False))


def _probabilities(logits):
    logits = np.asarray(logits, np.float64)
    if logits.shape[1] == 1:
        return (1 / (1 + np.exp(-logits))).astype(np.float32)[:, 0]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def write_run(folder, data_folder, names=("COVID", "Non_COVID"), modalities=MODALITIES):
    """Write the run; returns nothing that the folder does not hold. Of two classes the first name is the positive one."""
    import keras

    from pipeline.models import respiratory_networks as networks
    from pipeline.models.stored_models import save_model
    from pipeline.models.stored_precision import round_kernels

    keras.utils.set_random_seed(5)
    generator, logits = np.random.default_rng(5), 1 if len(names) == 2 else len(names)
    stages: dict[str, dict[str, str]] = {}

    def place(stage, name, file):
        stages.setdefault(stage, {})[name] = file
        path = folder / stage / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def store(stage, name, model):
        round_kernels(model, "float16")
        weights = place(stage, f"{name}_weights", f"{name}.weights.h5")
        save_model(model, weights, place(stage, f"{name}_architecture", f"{name}.json"))

    joint, parts = {}, {}
    shared = networks.build_shared_adversarial(networks.build_generator(), logits=logits)
    store("s04_shared_features", "shared_adversarial", shared)
    for modality in modalities:
        pixels = generator.integers(0, 256, (ROWS, SIZE, SIZE), dtype=np.uint8)
        np.save(place("s01_preprocessing", f"pixels_{modality}_p", f"pixels_{modality}_p.npy"), pixels)
        backbone = tiny_backbone(f"tiny_{modality}")
        store("s02_embeddings", f"backbone_Tiny_{modality}_p", backbone)
        pooled = _answer(backbone, (pixels.astype(np.float32) / np.float32(255))[..., None])
        for role in ("task", "shared"):
            name = f"{modality}_{role}"
            np.save(place("s02_embeddings", f"backbone_features_{name}", f"backbone_features_{name}.npy"), pooled)
            parts[name] = networks.build_embedder(pooled.mean(0), pooled.var(0) + 1e-3, f"embedder_{name}", logits=logits)
            store("s02_embeddings", f"embedder_{name}", parts[name])
        build = networks.build_xray_task_extractor if modality == "xray" else networks.build_ct_task_extractor
        extractor = build(logits=logits)
        store("s03_task_features", f"task_extractor_{modality}", extractor)
        readers = {"task": extractor, "shared": shared}
        joint[modality] = np.concatenate([
            _answer(networks.features_of(reader), _answer(networks.features_of(parts[f"{modality}_{role}"]), pooled))
            for role, reader in readers.items()
        ], axis=1)  # fmt: skip
    pairs = np.stack([np.arange(ROWS), np.arange(ROWS)[::-1]], axis=1)
    inputs = dict(joint)
    if len(modalities) > 1:
        inputs["paired"] = np.concatenate([joint["xray"][pairs[:, 0]], joint["ct"][pairs[:, 1]]], axis=1)
    stages.setdefault("s05_classifier_head", {})["heads"] = "heads/"
    for name, rows in inputs.items():
        head = networks.build_classifier_head(rows.shape[1], f"head_{name}", logits)
        round_kernels(head, "float16")
        place("s05_classifier_head", f"probabilities_{name}", f"probabilities_{name}.npy")
        stem = folder / "s05_classifier_head" / "heads" / f"head_adversarial_{name}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        save_model(head, stem.with_suffix(".weights.h5"), stem.with_suffix(".json"))
        np.save(folder / f"s05_classifier_head/probabilities_{name}.npy", _probabilities(_answer(head, rows))[None])
    _write_documents(place, pairs, names, modalities)
    _write_manifests(folder, stages, data_folder)


def _write_documents(place, pairs, names, modalities):
    interval = {"value": 0.75, "low": 0.5, "high": 0.9}
    precision = {"precision": "float16"}
    embedders = {
        f"{m}_{r}": {"backbone": "Tiny", "profile": f"{m}_p", "weights": "imagenet", "taps": [], "key": f"Tiny_{m}_p"}
        for m in modalities for r in ("task", "shared")
    }  # fmt: skip
    profiles = {f"{m}_p": {"modality": m, "size": SIZE, "operations": []} for m in modalities}
    counts = {m: {"train": dict.fromkeys(names, 3), "test": dict.fromkeys(names, 2)} for m in modalities}
    write_json(place("s01_preprocessing", "dataset", "dataset.json"), {
        "class_names": list(names), "positive_class": names[0] if len(names) == 2 else None, "profiles": profiles,
        "counts": counts,
        "leakage": [], "unreadable": 1,
    })  # fmt: skip
    lines = ["id,modality,row,label,split,patient_id,source,pixel_sha1"]
    lines += [f'{m}/{row}.png,{m},{row},"{names[0]}",test,p{row},set_{m},' for m in modalities for row in range(ROWS)]
    place("s01_preprocessing", "scan_index", "scan_index.csv").write_text("\n".join(lines) + "\n")
    write_json(place("s02_embeddings", "embedder_recipe", "embedder_recipe.json"), {"recipe": precision, "embedders": embedders})
    write_json(place("s03_task_features", "task_recipe", "task_recipe.json"), precision)
    write_json(place("s04_shared_features", "shared_recipe", "shared_recipe.json"), {"recipe": precision})
    probe = {"strongest": "mlp", "floor": 0.5, "probes": {"mlp": {"balanced_accuracy": interval}}}
    probes = {"raw": probe, "adversarial": probe} if len(modalities) > 1 else {}
    write_json(place("s04_shared_features", "alignment", "alignment.json"), probes)
    write_json(place("s05_classifier_head", "head_recipe", "head_recipe.json"), precision)
    write_json(place("s05_classifier_head", "choice", "choice.json"), {"chosen": "adversarial", "variants": ["adversarial"]})
    answered = (*modalities, "paired", "shuffled_pairs") if len(modalities) > 1 else modalities
    auc = "auc" if len(names) == 2 else "macro_auc"
    metrics = {name: {auc: interval, "accuracy": interval} for name in answered}
    write_json(place("s05_classifier_head", "head_metrics", "metrics.json"), {"adversarial": metrics})
    if len(modalities) == 1:
        return
    rows = [f"{a}|{b},{a},{b}" for a, b in pairs]
    place("s05_classifier_head", "pairs", "pairs.csv").write_text("\n".join(["id,xray_row,ct_row", *rows]) + "\n")


def _write_manifests(folder, stages, data_folder):
    dataset = sha256_file(folder / "s01_preprocessing" / "dataset.json")
    for stage, artifacts in stages.items():
        outputs = {name: describe_output(folder / stage, Artifact(name, file)) for name, file in artifacts.items()}
        inputs = {} if stage.startswith("s01") else {"dataset": dataset}
        warnings = [f"{data_folder}/manifest.csv: 3 rows left out"] if stage.startswith("s01") else []
        Manifest(stage, {}, 1, "code", {}, inputs, "", 0, outputs, 1.0, warnings, packages={"keras": "3"}).write(folder / stage)
    data_folder.mkdir()
    columns = "set,image,license,origin"
    rows = [f"set_xray,xray/{row}.png,{'CC BY 4.0' if row else ''},https://www.example.org/case/{row}" for row in range(ROWS)]
    (data_folder / "manifest.csv").write_text("\n".join([columns, *rows]) + "\n")
    write_json(folder / "run.json", {
        "schema_version": 1, "data": str(data_folder), "command": "python run_pipeline.py run",
        "config": {"system": "respiratory_mtl", "seed": 7, "description": "Random scans",
                   "s02": {"embedders": {"xray_task": {"weights": str(data_folder / "own.weights.h5")}}}},
        "stages": [{"name": name, "artifacts": sorted(artifacts)} for name, artifacts in stages.items()],
    })  # fmt: skip


@pytest.fixture(scope="session")
def backbone_maker():
    return tiny_backbone


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A run folder, not to be changed."""
    place = tmp_path_factory.mktemp("finished")
    write_run(place / "run", place / "data")
    return place / "run"


@pytest.fixture
def own_run(finished_run, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(finished_run, tmp_path / "run")


@pytest.fixture(scope="session")
def bundle(finished_run, tmp_path_factory):
    """The run's bundle with its Keras networks, not to be changed."""
    from pipeline.export.multitask.bundle import MultitaskExporter
    from pipeline.export.template import ExportOptions

    out = tmp_path_factory.mktemp("bundles") / "bundle"
    return MultitaskExporter.of_run(finished_run, ExportOptions(keras=True, card="Collected by **us**.")).write(out)
