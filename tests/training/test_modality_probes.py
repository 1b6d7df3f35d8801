"""The probes find a modality that is there, however it hides, and none that is not; the label alone gives them their floor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.alignment_words import strongest_probe
from pipeline.training.multitask.adversarial.modality_probes import (
    PROBES,
    ProbedRows,
    even_weights,
    held_out_answers,
    label_floor,
    probe_modality,
    probe_scores,
)

ROWS = 600


@pytest.fixture
def rows():
    """Two thirds X-rays, COVID in a fifth of them and in half of the CT slices; two scans a patient."""
    chance = np.random.default_rng(0)
    modality = (np.arange(ROWS) % 3 < 2).astype(np.int8)
    labels = (chance.random(ROWS) < np.where(modality == 1, 0.2, 0.5)).astype(np.int8)
    patients = np.array([f"p{number // 6}-{number % 3}" for number in range(ROWS)])
    order = chance.permutation(np.unique(patients))
    held = np.isin(patients, order[:80])
    return ProbedRows(modality, labels, patients, np.flatnonzero(~held), np.flatnonzero(held))


def values_of(scores):
    return {name: told["balanced_accuracy"]["value"] for name, told in scores["probes"].items()}


def test_a_modality_in_the_mean_is_found_by_all(rows):
    features = np.random.default_rng(1).normal(size=(ROWS, 8))
    features[:, 0] += 4 * rows.modality
    assert min(values_of(probe_modality(features, rows, 3)).values()) > 0.9


def test_a_modality_without_any_mean_is_found_by_the_strongest(rows):
    """X-rays on a ring, CT slices within it: what a linear probe cannot see."""
    chance = np.random.default_rng(1)
    features = chance.normal(size=(ROWS, 2))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    features *= np.where(rows.modality == 1, 3.0, 1.0)[:, None] + 0.1 * chance.normal(size=(ROWS, 1))
    scores = probe_modality(features, rows, 3)
    assert values_of(scores)["linear"] < 0.65
    assert strongest_probe(scores)["value"] > 0.9 and scores["strongest"] != "linear"


def test_noise_tells_nothing(rows):
    scores = probe_modality(np.random.default_rng(2).normal(size=(ROWS, 30)), rows, 3)
    for told in scores["probes"].values():
        assert told["balanced_accuracy"]["low"] < 0.5 < told["balanced_accuracy"]["high"]
        assert told["auc"]["low"] < 0.5 < told["auc"]["high"]


def test_the_label_alone_gives_the_floor(rows):
    label = rows.labels[:, None].astype(float)
    by_cells, by_modality = (probe_modality(label, rows, 3, weighting=weighting) for weighting in ("cells", "modality"))
    assert by_cells["floor"] == 0.5
    for told in by_cells["probes"].values():
        assert told["balanced_accuracy"]["value"] == pytest.approx(0.5, abs=0.03)
    held = rows.held
    shares = [np.mean(rows.labels[held][rows.modality[held] == side]) for side in (1, 0)]
    assert by_modality["floor"] == label_floor(rows) == pytest.approx(0.5 + abs(shares[0] - shares[1]) / 2)
    assert values_of(by_modality)["linear"] == pytest.approx(by_modality["floor"])


def test_scores_weigh_the_four_cells_alike():
    modality, labels = np.array([1] * 6 + [0] * 4), np.array([0, 0, 0, 0, 1, 1, 0, 0, 0, 1])
    rows = ProbedRows(modality, labels, np.array([f"p{n}" for n in range(10)]), np.arange(10), np.arange(10))
    told = np.array([0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9])  # right: 3/4, 1/2, 2/3, 0/1
    scores = probe_scores({"linear": told}, rows, resamples=50)
    assert scores["probes"]["linear"]["balanced_accuracy"]["value"] == pytest.approx((3 / 4 + 1 / 2 + 2 / 3 + 0) / 4)
    assert scores["counts"] == {"xray 0": 4, "xray 1": 2, "ct 0": 3, "ct 1": 1}


def test_several_trainings_give_their_mean(rows):
    chance = np.random.default_rng(3)
    answers = chance.random((4, len(rows.held)))
    together = probe_scores({"mlp": answers}, rows, resamples=50)["probes"]["mlp"]
    alone = [probe_scores({"mlp": one}, rows, resamples=50)["probes"]["mlp"]["balanced_accuracy"]["value"] for one in answers]
    assert together["balanced_accuracy"]["value"] == pytest.approx(np.mean(alone))
    assert together["by_training"] == pytest.approx(alone)


def test_no_probe_answers_a_patient_from_whom_it_learnt(rows):
    """Features that name the patient: whoever has seen another scan of a patient knows its modality."""
    codes = np.unique(rows.patients, return_inverse=True)[1]
    modality = codes % 2  # the modality goes by patient and by nothing else
    own = ProbedRows(modality, rows.labels, rows.patients, rows.fit, rows.held)
    features = np.random.default_rng(4).normal(size=(codes.max() + 1, 40))[codes]
    scores = probe_modality(features, own, 3)
    assert max(values_of(scores).values()) < 0.75


def test_one_patient_a_cell_is_asked_without_folds():
    modality, labels = np.tile([1, 1, 0, 0], 10), np.tile([0, 1, 0, 1], 10)
    patients = np.array([f"p{n}" for n in range(40)])
    rows = ProbedRows(modality, labels, patients, np.arange(36), np.arange(36, 40))
    answers = held_out_answers(modality[:, None].astype(float), rows, 0)
    assert set(answers) == set(PROBES)
    assert all((told.round() == modality[36:]).all() for told in answers.values())


def test_cells_weigh_alike():
    weights = even_weights(np.array([0, 0, 0, 2]))
    assert weights.sum() == pytest.approx(4) and weights[:3].sum() == pytest.approx(weights[3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values, rows: (values[:-1], rows), "shape"),
        (lambda values, rows: (np.where(np.arange(ROWS)[:, None] == 7, np.nan, values), rows), "NaN or infinity in row 7"),
        (lambda values, rows: (values, replace(rows, modality=np.ones(ROWS))), "one modality"),
    ],
)
def test_bad_input_is_refused(rows, change, message):
    with pytest.raises(DataError, match=message):
        held_out_answers(*change(np.zeros((ROWS, 3)), rows), 0)
