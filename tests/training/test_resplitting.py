"""Resplits by patient: which scan is in which part, and what is refused before anything is trained."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import stages.s06_significance as s06
from pipeline.data.run_classes import RunClasses
from pipeline.data.scan_index import ModalityIndex
from pipeline.engine.errors import DataError
from pipeline.training.multitask import chain_inputs, seed_trainings
from pipeline.training.multitask.resplitting import draw_resplits

CLASSES = RunClasses(("a", "b", "c"), None)


def chain_of(patients_of_c: int) -> SimpleNamespace:
    labels = np.array([0] * 40 + [1] * 40 + [2] * 2 * patients_of_c, np.int8)
    patients = np.array([f"p{number // 2}" for number in range(len(labels))])
    ids, splits = np.arange(len(labels)).astype(str), np.full(len(labels), "train")
    return SimpleNamespace(indexes={"xray": ModalityIndex("xray", ids, labels, splits, patients, splits, CLASSES)})


def test_every_scan_is_tested_once_and_no_patient_is_on_two_sides():
    chain = chain_of(12)
    index, resplits = chain.indexes["xray"], draw_resplits(chain, 3, 7)
    np.testing.assert_array_equal(np.sort(np.concatenate([parts["xray"]["test"] for parts in resplits])), np.arange(104))
    for parts in resplits:
        sides = [set(index.patients[rows]) for rows in parts["xray"].values()]
        assert set.union(*sides) == set(index.patients) and sum(map(len, sides)) == len(set(index.patients))
        assert all(set(index.labels[rows]) == {0, 1, 2} for rows in parts["xray"].values())


def test_a_class_of_too_few_patients_is_refused_before_the_seeds_are_trained(monkeypatch):
    monkeypatch.setattr(chain_inputs, "read_chain", lambda context: chain_of(3))
    monkeypatch.setattr(seed_trainings, "train_seeds", lambda *of: pytest.fail("trained first"))
    with pytest.raises(DataError, match="3 patients, 5 folds"):
        s06.run(SimpleNamespace(seed=7, config=s06.Config(folds=5)))
