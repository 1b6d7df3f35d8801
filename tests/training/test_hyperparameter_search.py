import sys

import numpy as np
import pytest

from pipeline.data.class_index import ClassIndex
from pipeline.engine.errors import ConfigError, MissingPackageError
from pipeline.training.classifier.hyperparameter_search import HEAD_SPACE, Choice, Span, search, search_head, with_values
from pipeline.training.classifier.settings import ClassifierConfig
from pipeline.training.classifier.task import ClassifierTask
from pipeline.training.trained_network import Workshop

PEAK: dict = {"rate": Span(1e-4, 1.0, log=True), "kind": Choice(("flat", "round"))}


def score(values):
    """Largest at rate 0.01 with kind round."""
    return -abs(np.log10(values["rate"]) + 2) + (values["kind"] == "round")


def test_the_best_of_the_trials_is_returned(tmp_path):
    found = search(score, PEAK, 12, 3, tmp_path / "a")
    assert len(found.trials) == 12 and found.best["score"] == max(row["score"] for row in found.trials)
    assert found.best["score"] == pytest.approx(score(found.best["values"])) and found.best["score"] > 0.5
    assert all(1e-4 <= row["values"]["rate"] <= 1 for row in found.trials)
    assert found.overrides("s08") == [f"s08.rate={found.best['values']['rate']}", "s08.kind=round"]
    assert search(score, PEAK, 12, 3, tmp_path / "b").trials == found.trials


def test_a_search_that_was_cut_off_goes_on(tmp_path):
    whole = search(score, PEAK, 5, 3, tmp_path / "whole")
    search(score, PEAK, 3, 3, tmp_path / "cut")
    asked = []
    resumed = search(lambda values: asked.append(1) or score(values), PEAK, 5, 3, tmp_path / "cut")
    assert len(asked) == 2 and len(resumed.trials) == 5 and resumed.trials[:3] == whole.trials[:3]


def test_values_are_checked_as_a_configuration_is():
    settings = ClassifierConfig()
    tried = with_values(settings, {"fit.learning_rate": 0.5, "head.dropout": 0.1, "loss.focal_gamma": 2})
    assert (tried.fit.learning_rate, tried.head.dropout, tried.loss.focal_gamma) == (0.5, 0.1, 2)
    assert settings.fit.learning_rate == 1e-4 and tried.backbone == settings.backbone
    with pytest.raises(ValueError, match="learning_rate"):
        with_values(settings, {"fit.learning_rate": 7})
    assert set(with_values(settings, dict.fromkeys(HEAD_SPACE, 0.01)).model_fields_set) == set(ClassifierConfig.model_fields)


@pytest.fixture
def task(tmp_path):
    """24 pictures of 32 px, bright or dark by their class, and a backbone of random weights; test rows are poison."""
    draw = np.random.default_rng(0)
    truth = np.arange(24) % 2
    pixels = (draw.integers(0, 60, (24, 32, 32)) + 150 * truth[:, None, None]).astype(np.uint8)
    splits = np.array((["train"] * 4 + ["valid"] * 2 + ["test"] * 2) * 3)
    np.save(tmp_path / "pixels.npy", pixels)
    names = np.arange(24).astype(str)
    index = ClassIndex(("dark", "bright"), np.arange(24), names, truth, splits, names, names, np.zeros(24, bool))
    settings = ClassifierConfig.model_validate(
        {"weights": "none", "head": {"hidden": (4,)}, "fit": {"epochs": 2, "batch_size": 4, "monitor": "val_loss"}}
    )
    (tmp_path / "work").mkdir()
    return ClassifierTask(tmp_path / "pixels.npy", 32, index, settings, Workshop(1, "float32", tmp_path / "work"))


def test_a_heads_settings_are_searched_on_validation_alone(task, tmp_path):
    space = {"fit.learning_rate": Span(1e-4, 1e-1, log=True)}
    found = search_head(task, 3, tmp_path / "search", space)
    assert len(found.trials) == 3 and len({row["score"] for row in found.trials}) > 1
    # other answers for the test rows change no score
    task.index.class_index[task.index.splits == "test"] = 0
    assert search_head(task, 3, tmp_path / "again", space).trials == found.trials


def test_what_cannot_be_searched_is_said(task, tmp_path, monkeypatch):
    task.settings = with_values(task.settings, {"head.hidden": (), "head.solver": "logistic"})
    with pytest.raises(ConfigError, match="nothing to search"):
        search_head(task, 2, tmp_path / "s")
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    with pytest.raises(MissingPackageError, match=r"pip install '.\[search\]'"):
        search(score, PEAK, 2, 0, tmp_path / "t")
