"""The configurations in configs/: what the merged whole of each is, in key figures; none says again what its base says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engine.config import build_run_config, load_run_config
from pipeline.engine.errors import ConfigError
from pipeline.engine.yaml_text import read_yaml
from stages import STAGES

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))
RUNNABLE = [name for name in FILES if not name.startswith("bases/")]

# path in the merged whole → value, by file
WHOLE = {
    "radiography_unet.yaml": {
        "seed": 2020, "s01.data.manifest": "manifest.csv", "s01.lung_masks": ["xray_128"], "s07.profile": "xray_128",
        "s07.architecture.dropout": 0.1, "s07.fit.early_sizes": [{"image_size": 96, "epochs": 30}], "s07.fit.epochs": 20,
        "s07.fit.learning_rate": 1e-3, "s07.fit.warmup_epochs": 2, "s07.fit.loss_weights.segmentation": 1.0,
        "s07.fit.monitor": "val_loss", "s07.fit.augmentation.rotation_degrees": 15, "s07.lung_pieces": "all",
    },
    "radiography_unet_continued.yaml": {
        "seed": 2020, "s01.data.manifest": "manifest.csv", "s01.lung_masks": ["xray_128"], "s07.profile": "xray_128",
        "s07.architecture.dropout": 0.0, "s07.fit.early_sizes": [], "s07.fit.epochs": 30, "s07.fit.learning_rate": 5e-4,
        "s07.fit.warmup_epochs": 1, "s07.fit.loss_weights.segmentation": 3.0, "s07.fit.monitor": "val_loss",
        "s07.fit.augmentation.rotation_degrees": 15, "s07.lung_pieces": "two_largest", "s07.mirror_average": False,
    },
    "radiography_unet_256.yaml": {
        "seed": 2020, "s01.data.manifest": "manifest.csv", "s01.lung_masks": ["xray_192", "xray_256"],
        "s07.profile": "xray_256", "s07.architecture.dropout": 0.0, "s07.fit.early_sizes": [], "s07.fit.epochs": 15,
        "s07.fit.learning_rate": 5e-4, "s07.fit.warmup_epochs": 1, "s07.fit.loss_weights.segmentation": 3.0,
        "s07.fit.monitor": "val_dice", "s07.fit.fuse_pointwise": True, "s07.fit.augmentation.rotation_degrees": 10,
        "s07.fit.augmentation.flip": 0.5, "s07.lung_pieces": "two_largest", "s07.mirror_average": True,
        "s07.gate.profile": "xray_224", "s07.fit.precision": "mixed_bfloat16",
    },
    "radiography_unet_folders.yaml": {
        "seed": 42, "s01.data.layout": "class_masks", "s01.data.selection": [], "s07.fit.epochs": 100, "s07.gate": None,
    },
    "respiratory_mtl_original.yaml": {
        "seed": 2020, "s01.data.manifest": "manifest.csv", "s01.profiles.xray_clahe.size": 224, "s02.dropout": 0.0,
        "s02.embedders.ct_task.backbone": "EfficientNetB1", "s02.embedders.ct_task.fine_tune": None, "s02.fit.patience": 100,
        "s02.embedders.xray_task.taps": [], "s03.fit.mixup": 0.0, "s03.fit.monitor": "val_accuracy", "s06.seeds": 10,
        "s04.variants": ["plain", "original"], "s04.original.objective": "original", "s04.original.original_steps": 10,
        "s04.finetune.epochs": 100, "s05.fit.learning_rate": 1e-3, "s06.folds": 5,
    },
    "xray_three_classes.yaml": {
        "seed": 2020, "s01.positive_class": None, "s02.embedders.ct_task": None, "s02.embedders.xray_task.profile": "xray_224",
        "s03.modalities": ["xray"], "s04.variants": ["plain"], "s05.modalities": ["xray"], "s06.seeds": 5, "s06.folds": 3,
    },
    "pneumonia_binary.yaml": {
        "seed": 2020, "s01.positive_class": "PNEUMONIA", "s08.classes": ["NORMAL", "PNEUMONIA"], "s08.views": 2,
        "s08.backbone": "EfficientNetLite2", "s08.augmentation.flip": 1.0, "s08.augmentation.blur": 0.0,
        "s08.head.inverse_penalties": [3e-3, 1e-2, 3e-2, 1e-1], "s08.validation.folds": 5, "s08.head.solver": "logistic",
    },
    "pneumonia_three_class.yaml": {
        "seed": 2020, "s01.positive_class": None, "s08.classes": ["NORMAL", "BACTERIAL", "VIRAL"], "s08.views": 2,
        "s08.backbone": "EfficientNetLite0", "s08.augmentation.flip": 1.0, "s08.mode": "frozen",
        "s08.head.inverse_penalties": [1e-3, 3e-3, 1e-2], "s08.validation.folds": 5, "s01.sample_sheet": False,
    },
    "transfer.yaml": {
        "seed": 2020, "s01.positive_class": None, "s08.classes": ["NORMAL", "BACTERIAL", "VIRAL"], "s08.mode": "finetune",
        "s08.augmentation.flip": 0.5, "s08.augmentation.blur": 0.1, "s08.augmentation.crop_from": 240, "s08.views": 2,
        "s08.head.solver": "logistic", "s08.validation.folds": 0, "s08.finetuning.fit.batch_size": 16,
    },
}  # fmt: skip


def value_at(raw, path):
    for key in path.split("."):
        raw = raw[key]
    return raw


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_configuration_is_valid_and_is_as_a_whole_what_it_was(name):
    raw = load_run_config(CONFIGS / name, STAGES).raw
    assert {path: value_at(raw, path) for path in WHOLE.get(name, {})} == WHOLE.get(name, {})


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_run_can_go_on_from_its_record_which_writes_every_default(name):
    raw = load_run_config(CONFIGS / name, STAGES).raw
    assert build_run_config(raw, STAGES).raw == raw


def test_the_profiles_of_a_base_do_not_stay_where_they_are_replaced():
    profiles = load_run_config(CONFIGS / "radiography_unet_256.yaml", STAGES).raw["s01"]["profiles"]
    assert {name: profile["size"] for name, profile in profiles.items()} == {"xray_192": 192, "xray_256": 256, "xray_224": 224}


def lines_of(tree, path=()):
    """{path: plain value} of every scalar and list that a file writes."""
    if isinstance(tree.value, dict):
        return {key: value for name, inner in tree.value.items() for key, value in lines_of(inner, (*path, name)).items()}
    return {path: tree.plain}


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_does_not_say_again_what_its_base_says(name):
    own = read_yaml((CONFIGS / name).read_text(encoding="utf-8"), name)
    base = own.at(("base",))
    if base is None:
        return
    beneath = read_yaml((CONFIGS / name).parent.joinpath(base.plain).read_text(encoding="utf-8"), base.plain)
    replaced = set(own_overrides(own))
    said = {path: value for path, value in lines_of(own).items() if not any(path[: len(top)] == top for top in replaced)}
    assert {path for path, value in said.items() if lines_of(beneath).get(path, ...) == value} == set()


def own_overrides(tree, path=()):
    """The paths that a file tags."""
    if tree.merging is not None:
        yield path
    elif isinstance(tree.value, dict):
        for name, inner in tree.value.items():
            yield from own_overrides(inner, (*path, name))


@pytest.mark.parametrize(
    "override",
    ['fit.epochs="30"', "fit.epochs=30.0", "fit.epochs=true", "fit.augmentation.flip=true", 'fit.augmentation.flip="0.5"',
     "fit.fuse_pointwise=1", "fit.fuse_pointwise=yes", "fit.clip_norm=.inf", "fit.clip_norm=.nan", "gate.profile=5"],
)  # fmt: skip
def test_a_nested_setting_is_not_converted_in_silence(override):
    with pytest.raises(ConfigError, match=rf"--set .*: s07\.{override.partition('=')[0]} is .*must be"):
        load_run_config(CONFIGS / "radiography_unet.yaml", STAGES, [f"s07.{override}"])


def test_a_whole_number_is_a_number():
    raw = load_run_config(CONFIGS / "radiography_unet.yaml", STAGES, ["s07.fit.clip_norm=2"]).raw
    assert raw["s07"]["fit"]["clip_norm"] == 2.0
