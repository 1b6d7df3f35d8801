"""`run --search N`: what is tried, and what becomes of it."""

from __future__ import annotations

import json

import pytest

from pipeline.cli.run.search_option import searched_overrides
from pipeline.engine.config import build_run_config
from pipeline.engine.errors import UsageError
from pipeline.engine.progress import Reporter
from stages.s01_preprocessing import STAGE as S01
from stages.s08_classifier import STAGE as S08

STAGES = (S01, S08)
DOCUMENT = {
    "system": "tiny",
    "seed": 3,
    "s01": {"data": {"layout": "class_folders"}, "sample_sheet": False, "positive_class": "PNEUMONIA",
            "profiles": {"xray": {"modality": "xray", "size": 64}}},
    "s08": {"profile": "xray", "weights": "none", "head": {"hidden": [4]},
            "fit": {"epochs": 2, "batch_size": 8, "monitor": "val_loss"}},
}  # fmt: skip


def test_a_run_without_a_classifier_cannot_be_searched(tmp_path):
    settings = build_run_config({name: DOCUMENT[name] for name in ("system", "seed", "s01")}, (S01,))
    with pytest.raises(UsageError, match="classifier's head"):
        searched_overrides(settings, (S01,), tmp_path / "run", tmp_path, 2)


@pytest.mark.slow
def test_the_best_settings_become_overrides_of_the_run(tmp_path):
    pytest.importorskip("keras_tuner")
    from pipeline.data.phantom import write_dataset
    from pipeline.data.rearranging.reorganization import read_pool, split_anew
    from pipeline.data.rearranging.reorganized_folders import write_label_sets

    write_dataset(tmp_path / "chest_xray", 24, 3, layout="pneumonia", size=64, workers=1)
    scans = split_anew(read_pool(tmp_path, lambda text: None), 1, warn=lambda text: None)
    write_label_sets(scans, tmp_path / "data", ["binary"])
    settings, data = build_run_config(DOCUMENT, STAGES), tmp_path / "data" / "binary"
    words = searched_overrides(settings, STAGES, tmp_path / "run", data, 2, reporter=Reporter(quiet=True))
    (table,) = (tmp_path / "run" / ".cache" / "search").glob("*/search.json")
    found = json.loads(table.read_text())
    assert len(found["trials"]) == 2 and found["chosen_on"] == "validation"
    assert found["best"]["score"] == max(trial["score"] for trial in found["trials"])
    assert {word.partition("=")[0] for word in words} == {f"s08.{place}" for place in found["best"]["values"]}
    assert not (tmp_path / "run" / "s08_classifier").exists()
    build_run_config(DOCUMENT, STAGES, overrides=words)
    assert searched_overrides(settings, STAGES, tmp_path / "run", data, 2, reporter=Reporter(quiet=True)) == words
