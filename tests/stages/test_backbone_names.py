"""One list of backbones for all stages: a name, a side or weights that cannot be are refused before any work, alike."""

from __future__ import annotations

import pytest

from pipeline.engine.config import build_run_config
from pipeline.engine.errors import ConfigError
from stages import STAGES


def document(stage: str, size: int, **chosen) -> dict:
    """A configuration whose stage reads X-rays of that side through the chosen backbone."""
    chosen = {"profile": "xray", "weights": "none", **chosen}
    if stage == "s02":
        plain = {f"{m}_{r}": {"profile": m, "weights": "none"} for m in ("xray", "ct") for r in ("task", "shared")}
        chosen = {"embedders": plain | {"xray_task": chosen}}
    profiles = {name: {"modality": name, "size": size} for name in ("xray", "ct")}
    return {"system": "test", "s01": {"profiles": profiles}, stage: chosen}


@pytest.mark.parametrize("stage", ["s02", "s08", "s09"])
@pytest.mark.parametrize(("size", "chosen", "said"), [
    (64, {"backbone": "ResNet5O"}, "unknown backbone 'ResNet5O'. Did you mean 'ResNet50'"),
    (64, {"backbone": "Resnet18"}, "Did you mean 'ResNet18'"),
    (64, {"backbone": "EfficientNetLite3"}, "Did you mean 'EfficientNetLite"),
    (64, {"backbone": "ViTBase"}, "Did you mean 'ViTBase16'"),
    (64, {"backbone": "NASNetLarge"}, "needs 331 px, the profile has 64"),
    (72, {"backbone": "ViTTiny16"}, "cuts 16 px patches; 72 px is no multiple"),
    (64, {"backbone": "ResNet18", "weights": "imagenet"}, "ResNet18 has no ImageNet weights to be had"),
    (64, {"backbone": "ViTSmall16", "weights": "imagenet"}, "Use ViTBase16"),
])  # fmt: skip
def test_refused_with_the_stages_own_place(stage, size, chosen, said):
    with pytest.raises(ConfigError) as refused:
        build_run_config(document(stage, size, **chosen), STAGES)
    assert said in str(refused.value)
    assert {"s02": "s02.embedders.xray_task: ", "s08": "s08.backbone: ", "s09": "s09.backbone: "}[stage] in str(refused.value)


@pytest.mark.parametrize("stage", ["s02", "s08", "s09"])
@pytest.mark.parametrize("name", ["ResNet18", "ViTTiny16", "EfficientNetLite2", "ConvNeXtTiny"])
def test_every_family_is_there_for_every_stage(stage, name):
    assert stage in build_run_config(document(stage, 64, backbone=name), STAGES).stages
