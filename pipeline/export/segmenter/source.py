"""Where a segmenter's bundle comes from: a finished run, or a PyTorch checkpoint of the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.data.masks.lung_components import LungPieces
from pipeline.data.preprocessing import Profile
from pipeline.data.scans import Warn, warn_python
from pipeline.engine.errors import UsageError
from pipeline.engine.files import sha256_file
from pipeline.export.checked_run import CheckedRun
from pipeline.inference.segmenter.bundle import LUNG_THRESHOLD
from pipeline.models.checkpoints import load_unet_checkpoint
from pipeline.models.unet import build_unet

IMAGE_SIZE = 256


@dataclass(frozen=True)
class SegmenterSource:
    """A network and what its bundle says of it.

    images: ``(N, size, size)`` uint8, preprocessed, on which ONNX is compared with Keras; images_are: their name there.
    run: where the gate and the data's terms come from; None for a checkpoint. kept_epoch: which was kept, by what; None where a
    run does not say.
    """

    network: keras.Model
    class_names: list[str]
    profile: Profile
    threshold: float
    lung_pieces: LungPieces
    mirror_average: bool
    positive_class: str | None
    images: np.ndarray
    images_are: str
    training: dict[str, Any]
    figures: dict[str, Any] = field(default_factory=dict)
    run: CheckedRun | None = None
    kept_epoch: dict[str, Any] | None = None


def read_segmenter_run(run_dir: Path) -> SegmenterSource:
    """The source that a finished run is. Raises as CheckedRun, where s07 has not run too."""
    run = CheckedRun(run_dir)
    segmenter = run.load_json("segmenter")
    profile = Profile(**segmenter["profile"])
    return SegmenterSource(
        network=in_float32(run.load_network("unet")),
        class_names=list(segmenter["class_names"]),
        profile=profile,
        threshold=float(segmenter["threshold"]),
        lung_pieces=segmenter.get("lung_pieces", "all"),
        mirror_average=segmenter.get("mirror_average", False),
        positive_class=segmenter.get("positive_class"),
        images=run.stored_scans(profile),
        images_are="Keras on scans of the run",
        figures=run.load_json("segmenter_test_metrics") if run.has("segmenter_test_metrics") else {},
        training=run.training(),
        run=run,
        kept_epoch=segmenter.get("kept_epoch"),
    )


def read_checkpoint(
    checkpoint: Path, class_names: Sequence[str], image_size: int = IMAGE_SIZE, prefix: str | None = None,
    warn: Warn = warn_python,
) -> SegmenterSource:  # fmt: skip
    """The source that a ``.pth`` file of the original is; its class names are not in the file.

    prefix: what stands before the names of its tensors; found where it is not said, and ``warn`` is told.

    Raises:
        UsageError: fewer than two names, or one twice.
        CorruptArtifactError: not a checkpoint of this network (every tensor that does not fit is named), or unsafe.
    """
    names = list(class_names)
    if len(names) < 2 or len(set(names)) != len(names) or "" in names:
        raise UsageError(f"--classes {','.join(names)}: two or more different names are needed.", "Alphabetical, as in training.")
    network = build_unet(len(names))
    load_unet_checkpoint(network, checkpoint, before=prefix, warn=warn)
    profile = Profile(modality="xray", size=image_size)
    return SegmenterSource(
        network=network,
        class_names=names,
        profile=profile,
        threshold=LUNG_THRESHOLD,
        lung_pieces="all",
        mirror_average=False,
        positive_class=None,
        images=_phantoms(profile),
        images_are="Keras on generated X-rays",
        training={"config": {}, "packages": {}, "warnings": [], "imported_from": {checkpoint.name: sha256_file(checkpoint)}},
    )


def in_float32(network: keras.Model) -> keras.Model:
    """The network computing in float32 throughout: one trained in mixed precision says so in every layer.

    Its variables are float32 already, so nothing is rounded.
    """
    policies = {layer.dtype_policy.name for layer in network.layers}
    if policies == {"float32"}:
        return network
    twin = keras.Model.from_config(_with_policy(network.get_config(), "float32"))
    twin.set_weights(network.get_weights())
    return twin


def _with_policy(config: Any, policy: str) -> Any:
    if isinstance(config, Mapping):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {**config["config"], "name": policy}}
        return {key: _with_policy(value, policy) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_policy(value, policy) for value in config)
    return config


def _phantoms(profile: Profile) -> np.ndarray:
    from pipeline.data.phantom import make_patient
    from pipeline.data.preprocessing import preprocess

    cases = [("covid", 0), ("normal", 1), ("covid", 2), ("normal", 3)]
    return np.stack([preprocess(make_patient(seed, condition).xray, profile) for condition, seed in cases])
