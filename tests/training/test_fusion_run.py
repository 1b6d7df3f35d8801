"""A whole vision-and-text run and its bundle: what is compared, what is shown, and answers without TensorFlow."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.engine.errors import CorruptArtifactError, DataError, UsageError
from tests.outputs_page import check_run

_spec = importlib.util.spec_from_file_location("tiny_fusion", Path(__file__).with_name("tiny_fusion.py"))
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)


@pytest.fixture(scope="module")
def run(tmp_path_factory, without_graphs):
    with without_graphs():
        return tiny.run_tiny_fusion(tmp_path_factory.mktemp("fusion"))


@pytest.fixture(scope="module")
def bundle(run):
    from pipeline.export.vision_text.bundle import VisionTextExporter

    return VisionTextExporter.of_run(run).write(run.parent / "bundle")


@pytest.fixture(scope="module")
def predictor(bundle):
    from pipeline.inference.bundle import open_bundle

    return open_bundle(bundle)


@pytest.fixture(scope="module")
def gray(run):
    return cv2.imread(str(run.parent / "scans" / "images" / "02.png"), cv2.IMREAD_GRAYSCALE)


def artifact(run, name, stage="s09_vision_text"):
    return run / stage / name


def read_json(run, name, stage="s09_vision_text"):
    return json.loads(artifact(run, name, stage).read_text())


def test_every_arm_judges_every_compared_row_out_of_fold(run):
    probabilities, folds = np.load(artifact(run, "fold_probabilities.npy")), np.load(artifact(run, "folds.npy"))
    assert probabilities.shape == (6, 2, 36)
    assert np.isfinite(probabilities).all()
    assert sorted(np.unique(folds)) == [0, 1]
    np.testing.assert_allclose(probabilities[5], probabilities[:2].mean(axis=0), atol=1e-6)


def test_the_documentation_tells_of_every_column(run):
    tables = ("out_of_fold", "masked_notes", "split_predictions")
    assert {f"`{name}.csv` of `s09`" for name in tables} | {"`scan_attributes.csv` of `s01`"} <= check_run(run)


def test_rows_without_a_note_are_not_compared_but_audited(run):
    audit = read_json(run, "note_audit.json", "s10_audit")
    assert audit["presence"]["rows"] == 40
    assert audit["presence"]["share"] == {"positive": 16 / 20, "negative": 1.0}


def test_what_was_masked_is_shown(run):
    notes = pd.read_csv(artifact(run, "masked_notes.csv")).fillna("")
    assert notes.masked_words[2] == "COVID-19"
    assert notes.masked_words[1] == "strep"
    assert "COVID" not in " ".join(notes.text)
    assert notes.truncated.sum() == sum(notes.pieces > 16) > 0


def test_only_the_planned_comparisons_are_tested(run):
    document = read_json(run, "comparison.json")
    pairs = {(test["a"], test["b"]) for test in document["tests"]}
    fused = ("concatenation", "cross_attention", "gated", "late_average")
    assert pairs == {(half, arm) for half in ("image_only", "text_only") for arm in fused}
    assert {test["metric"] for test in document["tests"]} == {"auc"}
    assert [entry["arm"] for entry in document["better_than_both"]] == list(fused)


def test_the_arms_that_compare_reads_are_those_that_the_run_compared(run):
    from pipeline.engine.rundir import RunDirectory
    from pipeline.evaluation.statistics.intervals import metric_intervals
    from pipeline.evaluation.tables.run_arms import joined_runs
    from pipeline.systems import system_of_run

    directory = RunDirectory(run)
    told = system_of_run(directory, None).load("arms")(directory)
    document = read_json(run, "comparison.json")
    said = document["modalities"]["vision_text"]
    arms = joined_runs({"run": told}).arms
    assert list(arms) == document["arms"] and told.document == "fusion_comparison" and "fusion_report" in told.files
    for arm, tables in arms.items():
        found = metric_intervals(tables["vision_text"], resamples=2)
        assert {name: made["value"] for name, made in found.items()} == pytest.approx(
            {name: made["value"] for name, made in said[arm].items()}
        )


def test_the_report_says_what_was_found(run):
    report = artifact(run, "report.md").read_text()
    for said in ("better than", "With one half missing", "Stage s10 audits the notes", "covid-19 (16)", "The stored network"):
        assert said in report


def test_the_audit_reads_the_published_encoder_and_the_folds(run):
    """The probes again, from s09's files alone: the encoder that it stored was fine-tuned on the labels."""
    from pipeline.training.vision_text.reports.note_audit import probe_numbers
    from pipeline.training.vision_text.settings import EncoderSettings
    from pipeline.training.vision_text.text_features import load_encoder, text_features

    encoder, tokenizer = load_encoder(EncoderSettings(source=str(run.parent / "bert")))
    notes = pd.read_csv(artifact(run, "masked_notes.csv")).fillna("")
    mine = notes[notes["compared"]]
    labels = pd.read_csv(artifact(run, "out_of_fold.csv")).drop_duplicates("id").set_index("id").loc[mine["id"]]
    means = text_features(encoder.network, tokenizer, list(mine["text"])).means()
    seed = json.loads((run / "s10_audit" / "manifest.json").read_text())["seed"]
    folds = np.load(artifact(run, "folds.npy"))[0]
    expected = probe_numbers(means, labels["label"].to_numpy(), labels["patient_id"].to_numpy(str), folds, 100, seed)
    found = read_json(run, "note_audit.json", "s10_audit")
    assert found["notes"]["masked"]["embedding"]["auc"] == pytest.approx(expected["auc"], abs=1e-6)
    report = artifact(run, "report.md", "s10_audit").read_text()
    assert "What the notes give away" in report and "presence of a note, all 40 scans" in report


def test_a_bundle_answers_as_the_run_did(bundle, run):
    parity = json.loads((bundle / "bundle.json").read_text())["parity"]
    assert set(parity["checks"]) == {"text_encoder", "whole path"}
    assert parity["keras_max_difference"] < 1e-4


def test_the_encoder_is_stored_in_8_bits(bundle):
    import onnx

    graph = onnx.load(bundle / "text_encoder.onnx").graph
    large = [tensor for tensor in graph.initializer if np.prod(tensor.dims) >= 4096]
    assert large
    assert {tensor.data_type for tensor in large} == {onnx.TensorProto.INT8}
    assert "Apache License" in (bundle / "NOTICE.md").read_text()


def test_image_note_or_both(predictor, gray):
    note = "old man with fever; bilateral opacity"
    answers = [predictor.answer(gray, note=note), predictor.answer(gray), predictor.answer(note=note)]
    assert [answer.used for answer in answers] == [("image", "note"), ("image",), ("note",)]
    assert len({round(answer.probabilities["COVID"], 6) for answer in answers}) == 3
    for answer in answers:
        assert list(answer.probabilities) == ["Other", "COVID"]
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_diagnosis_words_change_nothing_and_are_shown(predictor, gray):
    plain, telling = (predictor.answer(gray, note=f"fever {word} and cough") for word in ("", "COVID-19"))
    assert telling.masked == ("COVID-19",)
    assert telling.probabilities == plain.probabilities


def test_a_note_beyond_the_window_is_cut_and_said(predictor, gray):
    found = predictor.answer(gray, note="fever and cough " * 20)
    assert any("cut off" in warning for warning in found.warnings)


def test_a_note_of_nothing_leaves_the_image(predictor, gray):
    alone = predictor.answer(gray).probabilities
    for note in ("", "  ", "COVID-19"):
        found = predictor.answer(gray, note=note)
        assert found.probabilities == alone
        assert any("image alone" in warning for warning in found.warnings)
    with pytest.raises(DataError, match="Nothing is left"):
        predictor.answer(note="COVID-19")
    with pytest.raises(UsageError, match="Neither"):
        predictor.answer()


def test_another_script_is_answered_with_a_warning(predictor, gray):
    found = predictor.answer(gray, note="患者发热咳嗽三天")
    assert any("not Latin" in warning for warning in found.warnings)


def test_answers_need_no_tensorflow(bundle):
    code = (
        "import sys, numpy; from pathlib import Path;"
        "from pipeline.inference.bundle import open_bundle;"
        "from pipeline.inference.vision_text.predictor import FusionPredictor;"
        f"open_bundle(Path({str(bundle)!r})).answer(numpy.arange(3000).reshape(60, 50).astype('uint8'), note='fever');"
        "assert not {'tensorflow', 'keras', 'pandas', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_changed_file_is_refused(bundle, tmp_path):
    import shutil

    from pipeline.inference.bundle import open_bundle

    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(CorruptArtifactError, match=r"tokenizer\.json was changed"):
        open_bundle(copy)
