"""A classifier's finished run in miniature: an untrained network with tapped maps on random scans, stored as s08 does."""

from __future__ import annotations

import numpy as np

from pipeline.engine.contract import Artifact
from pipeline.engine.files import sha256_file, write_json
from pipeline.engine.manifest import Manifest, describe_output

SIZE, ROWS = 32, 10
BINARY, THREE = ("NORMAL", "PNEUMONIA"), ("NORMAL", "BACTERIA", "VIRUS")


def tiny_classifier(classes=2, seed=0, hidden=(12,), taps=True):
    """Named as `build_classifier` names it: 8 px maps of 16 channels after a depthwise block, a tap, a head."""
    import keras
    from keras import layers

    from pipeline.models.backbones.construction import InputScaling
    from pipeline.models.stored_precision import round_kernels

    keras.utils.set_random_seed(seed)
    image = keras.Input((SIZE, SIZE, 1), name="image")
    x = InputScaling([2.0] * 3, [-1.0] * 3, name="input_scaling")(image)
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.ReLU(6.0, name="relu")(x)
    x = layers.DepthwiseConv2D(3, 2, padding="same", name="depthwise")(x)
    tapped = layers.GlobalAveragePooling2D(name="pool_0")(x)
    x = layers.ReLU(name="last_relu")(layers.Conv2D(16, 1, name="last")(x))
    maps = layers.Identity(name="feature_maps")(x)
    last = layers.GlobalAveragePooling2D(name="pool_1")(maps)
    x = layers.Concatenate(name="pooled_features")([tapped, last]) if taps else layers.Identity(name="pooled_features")(last)
    x = layers.BatchNormalization(center=False, scale=False, epsilon=1e-6, name="feature_scaling")(x)
    for place, units in enumerate(hidden, start=1):
        x = layers.ReLU(name=f"relu_{place}")(layers.Dense(units, name=f"dense_{place}")(x))
        x = layers.Dropout(0.5, seed=seed, name=f"dropout_{place}")(x)
    model = keras.Model(image, layers.Dense(classes, name="classification")(x), name="tiny_classifier")
    draw = np.random.default_rng(seed)
    for name in ("bn", "feature_scaling"):
        layer = model.get_layer(name)
        layer.set_weights([draw.uniform(0.2, 2.0, weight.shape).astype("float32") for weight in layer.get_weights()])
    return round_kernels(model, "float16")


def write_classifier_run(folder, class_names=BINARY, system="pneumonia_binary"):
    """Write the run; returns its network."""
    from pipeline.models.stored_models import save_model

    model = tiny_classifier(len(class_names))
    stages: dict[str, dict[str, str]] = {}

    def place(stage, name, file):
        stages.setdefault(stage, {})[name] = file
        (folder / stage).mkdir(parents=True, exist_ok=True)
        return folder / stage / file

    pixels = np.random.default_rng(1).integers(0, 256, (ROWS, SIZE, SIZE), dtype=np.uint8)
    np.save(place("s01_preprocessing", "pixels_x", "pixels_x.npy"), pixels)
    profile = {"modality": "xray", "size": SIZE, "operations": []}
    counts = {"xray": {"train": dict.fromkeys(class_names, 4), "test": dict.fromkeys(class_names, 1)}}
    write_json(place("s01_preprocessing", "dataset", "dataset.json"), {
        "class_names": list(class_names), "positive_class": class_names[-1], "profiles": {"x": profile}, "counts": counts,
        "leakage": [], "unreadable": 0,
    })  # fmt: skip
    lines = ["id,modality,row,label,split,patient_id,source,pixel_sha1,has_mask"]
    lines += [f"{row}.png,xray,{row},{class_names[row % len(class_names)]},test,p{row},kermany,,0" for row in range(ROWS)]
    place("s01_preprocessing", "scan_index", "scan_index.csv").write_text("\n".join(lines) + "\n")
    save_model(
        model,
        place("s08_classifier", "classifier_weights", "classifier.weights.h5"),
        place("s08_classifier", "classifier_architecture", "classifier.json"),
    )
    is_binary = len(class_names) == 2
    write_json(place("s08_classifier", "classification", "classification.json"), {
        "class_names": list(class_names), "positive_class": class_names[-1] if is_binary else None,
        "threshold": 0.3 if is_binary else None, "threshold_rule": "youden" if is_binary else None, "profile": "x",
        "profile_settings": profile, "image_size": SIZE, "backbone": "Tiny", "taps": ["depthwise"], "stored_precision": "float16",
    })  # fmt: skip
    interval = {"value": 0.75, "low": 0.5, "high": 0.9}
    per_class = {name: {"sensitivity": interval, "auc": interval} for name in class_names}
    metrics = {"accuracy": interval, "macro_auc": interval, "per_class": per_class}
    test = {"rows": 10, "patients": 9, "class_names": list(class_names), "metrics": metrics}
    write_json(place("s08_classifier", "classifier_metrics", "metrics.json"), {"validation": test, "test": test})
    _write_manifests(folder, stages, system)
    return model


def _write_manifests(folder, stages, system):
    dataset = sha256_file(folder / "s01_preprocessing" / "dataset.json")
    for stage, artifacts in stages.items():
        outputs = {name: describe_output(folder / stage, Artifact(name, file)) for name, file in artifacts.items()}
        inputs = {} if stage.startswith("s01") else {"dataset": dataset}
        Manifest(stage, {}, 1, "code", {}, inputs, "", 0, outputs, 1.0, [], packages={"keras": "3"}).write(folder / stage)
    write_json(folder / "run.json", {
        "schema_version": 1, "data": None, "command": "python run_pipeline.py run",
        "config": {"system": system, "seed": 7, "description": "Random scans"},
        "stages": [{"name": name, "artifacts": sorted(artifacts)} for name, artifacts in stages.items()],
    })  # fmt: skip
