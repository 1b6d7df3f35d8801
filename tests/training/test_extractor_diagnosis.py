"""The AUC of an extractor's own diagnosis: of validation alone, mean over trainings, of two classes and of more."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.data.run_classes import RunClasses
from pipeline.data.scan_index import ModalityIndex
from pipeline.training.multitask.reports.extractor_diagnosis import extractor_diagnosis


def index(modality: str, classes: RunClasses | None, draw) -> ModalityIndex:
    count = 2 if classes is None else len(classes)
    labels = np.arange(120) % count
    splits = np.repeat(["train", "valid", "test"], 40)
    ids = np.array([f"{modality}{number}" for number in range(120)])
    return ModalityIndex(modality, ids, draw.permutation(labels).astype(np.int8), splits, ids, ids, classes)


@pytest.mark.parametrize("classes", [None, RunClasses(("A", "B", "C"), None)], ids=["two", "three"])
def test_it_is_the_mean_over_trainings_of_the_validation_scans_auc(classes):
    draw = np.random.default_rng(0)
    indexes = {name: index(name, classes, draw) for name in ("xray", "ct")}
    shape = (2, 120) if classes is None else (2, 120, 3)
    told = {name: draw.random(shape) for name in indexes}
    told = told if classes is None else {name: values / values.sum(axis=-1, keepdims=True) for name, values in told.items()}
    made = extractor_diagnosis(indexes, {"plain": told}, seed=0)
    for name, mine in indexes.items():
        rows = mine.rows("valid")
        expected = np.mean([
            roc_auc_score(mine.labels[rows], values[rows], multi_class="ovr", average="macro") for values in told[name]
        ])  # fmt: skip
        found = made["plain"][name]
        assert found["value"] == pytest.approx(expected) and found["low"] < expected < found["high"]
