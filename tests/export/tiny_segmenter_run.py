"""A segmenter's finished run in miniature: an untrained UNet on random scans, stored as s07 does, under a name of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.preprocessing import Profile
from pipeline.engine.contract import Artifact
from pipeline.engine.files import sha256_file, write_json
from pipeline.engine.manifest import Manifest, describe_output

CLASS_NAMES = ["BACTERIAL", "COVID", "NORMAL", "VIRAL"]
SHAPE = {"channels": (4, 8, 12, 16, 20), "strides": (2, 2, 2, 2), "decoded_channels": 8}
SIZE = 32
INTERVAL = {"value": 0.97, "low": 0.96, "high": 0.98}


def small_unet(seed=0):
    """Random kernels, statistics and slopes, rounded as a stage rounds them."""
    import keras

    from pipeline.models.stored_precision import round_kernels
    from pipeline.models.unet import build_unet

    keras.utils.set_random_seed(seed)
    network = build_unet(len(CLASS_NAMES), **SHAPE)
    chance = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([chance.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
        if isinstance(layer, keras.layers.PReLU):
            layer.set_weights([chance.uniform(-0.3, 0.6, w.shape) for w in layer.get_weights()])
    return round_kernels(network, "float16")


def write_run(folder: Path, network) -> Path:
    """A finished run in miniature, as s01 and s07 leave it."""
    from pipeline.models.stored_models import save_model

    first, second = folder / "s01_preprocessing", folder / "s07_segmenter"
    first.mkdir(parents=True)
    second.mkdir()
    pixels = np.random.default_rng(3).integers(0, 256, (12, SIZE, SIZE), dtype=np.uint8)
    np.save(first / "pixels_small.npy", pixels)
    profile = Profile(modality="xray", size=SIZE).model_dump(mode="json")
    write_json(first / "dataset.json", {
        "class_names": CLASS_NAMES, "profiles": {"other": {**profile, "size": 64}, "small": profile}, "leakage": [],
        "counts": {"xray": {"train": {"COVID": 6}, "test": {"COVID": 3}}}, "unreadable": 0,
    })  # fmt: skip
    lines = [f"x/{row}.png,xray,{row},COVID,test,p{row},set_a," for row in range(12)]
    (first / "scan_index.csv").write_text("id,modality,row,label,split,patient_id,source,pixel_sha1\n" + "\n".join(lines) + "\n")
    save_model(network, second / "unet.weights.h5", second / "unet.json")
    write_json(second / "segmenter.json", {
        "class_names": CLASS_NAMES, "image_size": SIZE, "profile": profile, "threshold": 0.5, "positive_class": "COVID",
    })  # fmt: skip
    write_json(second / "metrics.json", {"segmentation": {"dice": INTERVAL}, "rows": 3})
    files = {
        first: {"pixels_small": "pixels_small.npy", "dataset": "dataset.json", "scan_index": "scan_index.csv"},
        second: {"unet_weights": "unet.weights.h5", "unet_architecture": "unet.json", "segmenter": "segmenter.json",
                 "segmenter_test_metrics": "metrics.json"},
    }  # fmt: skip
    for stage, artifacts in files.items():
        outputs = {name: describe_output(stage, Artifact(name, file)) for name, file in artifacts.items()}
        inputs = {"dataset": sha256_file(first / "dataset.json")} if stage is second else {}
        Manifest(stage.name, {}, 1, "code", {}, inputs, "", 0, outputs, 1.0, [], packages={"keras": "3"}).write(stage)
    write_json(folder / "run.json", {
        "schema_version": 1, "data": None, "command": "python run_pipeline.py run",
        "config": {"system": "my_lungs", "seed": 7, "description": "Random X-rays",
                   "s07": {"weights": "/home/someone/secret/own.weights.h5"}},
        "stages": [{"name": stage.name, "artifacts": sorted(artifacts)} for stage, artifacts in files.items()],
    })  # fmt: skip
    return folder
