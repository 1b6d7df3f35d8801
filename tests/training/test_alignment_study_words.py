"""What the studies say: kept or not, found or not, shown or not shown, each by its interval."""

from __future__ import annotations

import pytest

from pipeline.training.alignment_study.figure import study_figure
from pipeline.training.alignment_study.studies import STUDIES
from pipeline.training.alignment_study.words import verdicts


def interval(value: float, half: float = 0.05) -> dict:
    return {"value": value, "low": value - half, "high": value + half}


def scores(value: float, area: float | None = None) -> dict:
    probes = {name: {"balanced_accuracy": interval(value), "auc": interval(value)} for name in ("linear", "mlp", "neighbours")}
    probes["linear"]["auc"] = interval(area or value)
    return {"probes": probes, "strongest": "mlp", "floor": 0.5}


def document(study: str, probe: float = 0.5, change: float = 0.0, half: float = 0.05, area: float | None = None,
             noise: float = 0.01, seeds: int = 4) -> dict:  # fmt: skip
    spread = {"training_noise": {"ct": {"sd": noise, "min": 0.2, "max": 0.9, "seeds": seeds}}}
    plain = spread | {"probes": scores(0.95), "auc": {"xray": interval(0.9), "ct": interval(0.8)}}
    difference = {side: interval(change, half) for side in ("xray", "ct")}
    auc = {"xray": interval(0.9), "ct": interval(0.8 + change)}
    mine = spread | {"probes": scores(probe, area), "auc": auc, "difference": difference}
    sides, question = dict(STUDIES[study].sides), STUDIES[study].question
    return {"question": question, "sides": sides, "raw": scores(0.99), "arms": {"plain": plain, "adversarial": mine}}


@pytest.mark.parametrize(
    ("study", "given", "said"),
    [
        ("hidden", {"probe": 0.55}, "The adversarial features hide the marker"),
        ("hidden", {"probe": 0.55}, "tells marked X-rays from unmarked ones with balanced accuracy 0.550"),
        ("unlabelled", {"probe": 0.55}, "The adversarial features hide the modality"),
        ("unlabelled", {"change": -0.3}, "its single trainings reach from 0.200 to 0.900"),
        ("unlabelled", {"probe": 0.7}, "tells X-ray from CT with balanced accuracy 0.700"),
        ("hidden", {"probe": 0.7}, "The marker still shows in the adversarial features"),
        ("hidden", {"change": -0.01, "half": 0.005}, "kept within 0.02: AUC of adversarial minus plain -0.010 [-0.015, -0.005]"),
        ("hidden", {"change": -0.01}, "a larger loss is not ruled out"),
        ("hidden", {"change": -0.03, "half": 0.005}, "The lesion is not kept"),
        ("hidden", {"change": -0.03}, "at this sample size that may be chance"),
        ("nothing", {"probe": 0.52}, "adversarial: every fresh probe is at chance"),
        ("nothing", {"probe": 0.58}, "adversarial: a fresh probe is not at chance"),
        ("nothing", {"probe": 0.52, "area": 0.6}, "adversarial: a fresh probe is not at chance"),
        ("nothing", {"change": 0.04}, "AUC is not shown to change in X-rays, one half"),
        ("nothing", {"change": 0.06}, "AUC is shown to change in X-rays, one half"),
        ("unlabelled", {"change": 0.06}, "adversarial is shown to help in CT slices"),
        ("unlabelled", {"change": -0.06}, "adversarial is shown to harm in CT slices"),
        ("unlabelled", {"change": 0.06, "noise": 0.05}, "adversarial is not shown to help or to harm in CT slices"),
        ("unlabelled", {"change": 0.06, "seeds": 1}, "adversarial is not shown to help or to harm in CT slices"),
        ("unlabelled", {"change": 0.04}, "adversarial is not shown to help or to harm in CT slices"),
    ],
)
def test_a_sentence_says_what_its_interval_says(study, given, said):
    assert any(said in sentence for sentence in verdicts(study, document(study, **given)))


def test_a_loss_that_is_ruled_out_is_not_left_open():
    for change in (-0.01, -0.03):
        said = " ".join(verdicts("hidden", document("hidden", change=change, half=0.005)))
        assert "not ruled out" not in said and "may be chance" not in said


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize(("change", "said"), [
    (-0.27, "adversarial: no lesion was planted, and none is invented in {side}: AUC 0.530"),
    (-0.20, "adversarial: no lesion was planted, and yet the label is not at chance in {side}: AUC 0.600"),
])  # fmt: skip
def test_where_no_lesion_was_planted_none_is_kept_or_known(study, change, said):
    sentences = verdicts(study, document(study, change=change), severity=0.0)
    assert any(said.format(side=STUDIES[study].sides["ct"]) in sentence for sentence in sentences)
    assert not any(word in " ".join(sentences) for word in ("kept", "knows", "help", "change"))


@pytest.mark.parametrize("study", STUDIES)
def test_the_figure_has_a_mark_for_every_probe_side_and_arm(study):
    figure = study_figure(document(study))
    left, right = figure.axes
    assert [len([line for line in axis.lines if line.get_marker() != "None"]) for axis in (left, right)] == [9, 4]
    assert [text.get_text() for text in left.get_yticklabels()] == ["embeddings", "plain", "adversarial"]
