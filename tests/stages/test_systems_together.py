"""Systems side by side in one run: every artifact has a name of its own, and each system's stages work as they do alone."""

from __future__ import annotations

import pytest

from pipeline.engine.config import build_run_config
from pipeline.engine.errors import ConfigError
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import run_pipeline
from pipeline.engine.wiring import wire
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.tables.run_arms import joined_runs
from pipeline.systems import system_named
from stages import STAGES
from tests.outputs_page import check_run

SIZE = 64
QUICK = ComparisonSettings(resamples=50, permutations=50)


def document(**more) -> dict:
    """All systems on one s01; those of the first read both modalities, the others the X-rays."""
    scans = {"sets": {"xray": "xray", "ct": "ct"}, "set_column": "modality", "label_column": "label",
             "labels": {"COVID": "COVID", "Non_COVID": "Non_COVID"}, "mask_column": "mask_path", "split_column": "split",
             "attribute_columns": ["notes"]}  # fmt: skip
    embedders = {
        f"{modality}_{role}": {"profile": modality, "weights": "none"}
        for modality in ("xray", "ct") for role in ("task", "shared")
    }
    fit = {"epochs": 1, "batch_size": 16}
    return {
        "system": "together",
        "seed": 3,
        "s01": {"data": {"selection": [scans], "valid_fraction": 0.25}, "sample_sheet": False, "lung_masks": ["xray"],
                "profiles": {name: {"modality": name, "size": SIZE} for name in ("xray", "ct")}},
        "s02": {"embedders": embedders, "fit": fit}, "s03": {"fit": fit}, "s04": {"variants": ["plain"], "fit": fit},
        "s05": {"fit": fit}, "s06": {},
        "s07": {"profile": "xray", "positive_class": "COVID", "architecture": {"channels": [4, 8], "decoded_channels": 4},
                "fit": {"epochs": 1, "batch_size": 8}, "tensorboard": True, "gate": {"profile": "xray"}},
        "s08": {"profile": "xray", "weights": "none", "head": {"hidden": [], "standardize": True, "solver": "logistic"}},
        "s09": {"profile": "xray", "weights": "none", "encoder": {"finetune_layers": 1}},
        "s10": {},
        **more,
    }  # fmt: skip


def test_one_configuration_holds_every_system():
    wiring = wire(build_run_config(document(), STAGES), STAGES)
    assert [item.id for item in wiring] == [f"s{number:02d}" for number in range(1, 11)]
    audit = wiring["s10_audit"]
    assert not audit.absent
    assert {audit.producers[name] for name in ("published_encoder_weights", "masked_notes")} == {"s09_vision_text"}


@pytest.fixture(scope="module")
def run(tiny_inputs, without_graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    settings = document(s07=document()["s07"] | {"gate": None, "tensorboard": False})
    for unused in ("s06", "s09", "s10"):
        del settings[unused]
    with without_graphs():
        run_pipeline(build_run_config(settings, STAGES), STAGES, folder, tiny_inputs[0])
    return RunDirectory(folder)


def test_a_run_of_three_systems_is_read_by_name(run):
    for told_by in ("heads", "unet_weights", "classifier_weights"):
        assert run.has(told_by)
    places = {name: run.artifact(name).parent.name for name in ("head_metrics", "segmenter_metrics", "classifier_metrics")}
    assert places == {
        "head_metrics": "s05_classifier_head", "segmenter_metrics": "s07_segmenter", "classifier_metrics": "s08_classifier",
    }  # fmt: skip
    assert {run.artifact(f"{stem}_predictions").name for stem in ("head", "segmenter", "classifier")} == {"predictions.csv"}
    assert run.load_json("segmenter_test_metrics")["class_names"] == run.load_json("classifier_metrics")["test"]["class_names"]


def test_the_documentation_tells_of_every_column(run):
    said = check_run(run.path)
    assert {"`metrics_epochwise.csv` of `s07`", "`predictions.csv` of `s07`", "`predictions.csv` of `s08`"} <= said


def test_each_systems_arms_are_what_its_stage_measured(run):
    """What `compare` reads of a run are the rows that the run's own metrics were made of."""
    heads, segmenter, classifier = (
        build_comparison(joined_runs({"run": system_named(name).load("arms")(run)}).arms, settings=QUICK)["modalities"]
        for name in ("respiratory_mtl", "radiography_unet", "classifier")
    )
    made = run.load_json("head_metrics")
    assert heads["xray"]["plain"]["auc"]["value"] == pytest.approx(made["plain"]["xray"]["auc"]["value"])
    assert heads["paired"]["plain"]["f1"]["value"] == pytest.approx(made["plain"]["paired"]["f1"]["value"])
    made = run.load_json("segmenter_test_metrics")
    assert segmenter["lungs"]["run"]["dice"]["value"] == pytest.approx(made["segmentation"]["dice"]["value"])
    said = segmenter["images"]["run"]["auc"]["value"]
    assert said == pytest.approx(made["classification"]["per_class"]["COVID"]["auc"]["value"])
    made = run.load_json("classifier_metrics")["test"]["metrics"]
    assert classifier["images"]["run"]["auc"]["value"] == pytest.approx(made["per_class"]["COVID"]["auc"]["value"])
    assert classifier["images"]["run"]["accuracy"]["value"] == pytest.approx(made["accuracy"]["value"])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"s08": {"fusion": {"profile": "xray", "folds": 3}}}, "now s09, without `fusion:`"),
        ({"s09": {"profile": "xrai"}}, "s09.profile: s01 has no profile 'xrai'. Did you mean 'xray'"),
        ({"s09": {"profile": "xray", "fusion": {}}}, "unknown key 's09.fusion'"),
        ({"s10": {"context_words": ["*"]}}, "mask word '*' would take out everything"),
    ],
)
def test_a_section_that_cannot_be_run_says_why(section, said):
    with pytest.raises(ConfigError) as refused:
        build_run_config(document(**section), STAGES)
    assert said in str(refused.value)


def test_a_recorded_classifier_is_of_the_same_configuration_still():
    recorded = build_run_config(document(s08=document()["s08"] | {"fusion": None}), STAGES).raw
    assert recorded == build_run_config(document(), STAGES).raw and recorded["s08"]["fusion"] is None


def test_an_audit_of_nothing_is_refused():
    settings = document()
    del settings["s09"]
    with pytest.raises(ConfigError, match="s10 audits what s09 made, and this run has no such stage"):
        build_run_config(settings, STAGES)
