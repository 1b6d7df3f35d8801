"""Six stages, end to end: rows keep their scans, one seed gives one set of bytes, a kill costs nothing but time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.outputs_page import check_run
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
METRICS = {"accuracy", "balanced_accuracy", "class_wise_mean_accuracy", "sensitivity", "specificity", "f1", "auc"}


def test_all_six_ran_and_are_then_skipped(tiny_run, run_tiny):
    assert [outcome.action for outcome in tiny_run.outcomes] == ["ran"] * 6
    again = run_tiny(tiny_run.folder).outcomes
    assert [(outcome.action, outcome.reason) for outcome in again] == [("skipped", "unchanged")] * 6


def test_the_documentation_tells_of_every_column(tiny_run):
    assert check_run(tiny_run.folder) == {
        "`scan_index.csv` of `s01`", "`failures.csv` of `s01`", "`pairs.csv` of `s05`", "`predictions.csv` of `s05`",
        "`out_of_fold.csv` of `s06`",
    }  # fmt: skip


def test_a_fine_tuned_embedder_answers_from_the_stored_maps(tiny_run):
    from pipeline.models.respiratory_networks import features_of
    from pipeline.models.stored_models import load_model

    folder = tiny_run.folder / "s02_embeddings"
    rows = np.load(folder / "backbone_features_ct_shared.npy")
    assert rows.shape == (24, 2 * 2 * 192)
    tuned = load_model(folder / "embedder_ct_shared.weights.h5", folder / "embedder_ct_shared.json")
    stored, anew = np.load(folder / "embedding_ct_shared.npy"), np.asarray(features_of(tuned)(rows))
    np.testing.assert_allclose(stored, anew, rtol=1e-3, atol=1e-3)


def test_each_row_is_the_scan_that_the_index_names(tiny_run):
    from pipeline.data.preprocessing import Profile, preprocess
    from pipeline.data.reading.gray_reader import read_gray
    from pipeline.models.respiratory_networks import features_of
    from pipeline.models.stored_models import load_model
    from pipeline.training.frozen_features import scaled

    folder = tiny_run.folder / "s02_embeddings"
    index = pd.read_csv(tiny_run.folder / "s01_preprocessing" / "scan_index.csv")
    assert len(index) == 48 and index["id"].is_unique
    for modality in ("xray", "ct"):
        name = f"backbone_EfficientNetLite0_{modality}_plain"
        key = next(
            path.name.removesuffix(".weights.h5") for path in folder.glob(f"{name}*.weights.h5") if "_to_" not in path.name
        )
        backbone = load_model(folder / f"{key}.weights.h5", folder / f"{key}.json")
        embedder = load_model(folder / f"embedder_{modality}_task.weights.h5", folder / f"embedder_{modality}_task.json")
        features = np.load(folder / f"backbone_features_{modality}_task.npy")
        embeddings = np.load(folder / f"embedding_{modality}_task.npy")
        rows = index[index["modality"] == modality]
        for scan in rows.sample(6, random_state=1).itertuples():
            pixels = preprocess(read_gray(tiny_run.data / scan.id), Profile(modality=modality, size=64))
            mine = np.asarray(backbone(scaled(pixels[None])))
            np.testing.assert_allclose(features[scan.row], mine[0], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(embeddings[scan.row], np.asarray(features_of(embedder)(mine))[0], rtol=1e-3, atol=1e-3)
        assert len(np.unique(features, axis=0)) == len(rows)


def test_the_tables_agree_with_the_arrays(tiny_run):
    heads = tiny_run.folder / "s05_classifier_head"
    table = pd.read_csv(heads / "predictions.csv", keep_default_na=False)
    for place, variant in enumerate(json.loads((heads / "choice.json").read_text())["variants"]):
        for modality in ("xray", "ct", "paired"):
            rows = table[(table["variant"] == variant) & (table["modality"] == modality)]
            stored = np.load(heads / f"probabilities_{modality}.npy")[place]
            np.testing.assert_allclose(rows["probability"], stored, rtol=1e-6)
    scans = table[table["modality"] != "paired"]
    assert all(("/COVID/" in name) == bool(label) for name, label in zip(scans["id"], scans["label"], strict=True))


def test_what_the_last_stage_says(tiny_run):
    document = json.loads((tiny_run.folder / "s06_significance" / "comparison.json").read_text())
    assert document["schema_version"] == 1 and document["arms"] == ["plain", "adversarial", "erased"]
    assert set(document["modalities"]) == {"xray", "ct", "paired", "shuffled_pairs"}
    for by_arm in document["modalities"].values():
        for metrics in by_arm.values():
            assert set(metrics) >= METRICS
            assert set(metrics["auc"]) == {"value", "low", "high"}
    assert {test["test"] for test in document["tests"]} == {
        "mcnemar_midp", "clustered_permutation", "corrected_resampled_t", "original_anova"
    }  # fmt: skip
    assert not any("accepted" in verdict["sentence"] for verdict in document["verdicts"])
    out_of_fold = np.load(tiny_run.folder / "s06_significance" / "fold_probabilities_ct.npy")
    assert out_of_fold.shape == (3, 24) and np.isfinite(out_of_fold).all()


def test_one_seed_in_two_folders_gives_the_same_bytes(tiny_run, run_tiny, without_graphs, tmp_path, contents):
    with without_graphs():
        run_tiny(tmp_path / "second", last="s05")
    first, second = (contents(run, ("s01", "s02", "s03", "s04", "s05")) for run in (tiny_run.folder, tmp_path / "second"))
    assert len(first) > 40
    assert [name for name in first if first[name] != second.get(name)] == [] and set(first) == set(second)


def wait_for(pattern: str, folder: Path, process: subprocess.Popen) -> None:
    wait_until(lambda: any(folder.glob(pattern)), lambda: process.poll() is None, pattern)


@pytest.mark.posix
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "sign"),
    [
        ("s01", ".staging/s01_*/*pixels_*"),  # scans are being read
        ("s02", ".scratch/**/embedder_xray_shared.done.json"),
        ("s03", ".scratch/**/task_extractor_xray.done.json"),
        ("s04", ".scratch/**/shared_plain.done.json"),
        ("s05", ".scratch/**/plain/head_xray.done.json"),
        ("s06", ".scratch/**/seed_00.npz"),
    ],
)
def test_kill_9_then_the_same_command_gives_the_bytes_of_an_undisturbed_run(stage, sign, compiled_run, tmp_path, contents):
    run = tmp_path / "killed"
    words = ["run", "-q", "-c", compiled_run.config, "--data", compiled_run.data, "--out", run, "--to", stage]
    command = [sys.executable, str(ROOT / "run_pipeline.py"), *map(str, words)]
    for _ in range(5):  # on a busy machine a kill may come after the stage was committed, and tests nothing
        shutil.rmtree(run, ignore_errors=True)
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
            wait_for(sign, run, process)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if any(run.glob(sign)) and not list(run.glob(f"{stage}_*")):
            break
    else:
        pytest.fail(f"{stage} was over each time before the kill")
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    ran = tuple(path.name[:3] for path in run.glob("s0*"))
    first, second = contents(compiled_run.folder, ran), contents(run, ran)
    assert [name for name in first if first[name] != second.get(name)] == [] and set(first) == set(second)


@pytest.mark.slow
def test_a_second_compiled_run_gives_the_same_bytes(compiled_run, run_tiny, tmp_path, contents):
    run_tiny(tmp_path / "second")
    assert contents(tmp_path / "second") == contents(compiled_run.folder)
