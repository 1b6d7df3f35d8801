"""The studies on planted embeddings: what is hidden and kept, that nothing is invented, and that no unknown label is learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.data.scans import CT, XRAY
from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.alignment_words import strongest_probe
from pipeline.training.alignment_study.arms import train_arms
from pipeline.training.alignment_study.document import study_document
from pipeline.training.alignment_study.phantom_scans import PhantomFeatures
from pipeline.training.alignment_study.settings import StudySettings
from pipeline.training.alignment_study.studies import STUDIES
from pipeline.training.multitask.adversarial.shared_extractors import SharedExtractors
from pipeline.training.multitask.recipes import SharedRecipe
from pipeline.training.multitask.scan_labels import labelled
from pipeline.training.settings import AdversarialSettings, FitSettings
from pipeline.training.trained_network import Workshop
from tests.training.made_embeddings import made_scans


def settings(epochs: int, fit_epochs: int = 5, **changed) -> StudySettings:
    fit = FitSettings(epochs=fit_epochs, patience=fit_epochs, learning_rate=3e-4, monitor="val_auc")
    duel = AdversarialSettings(epoch_budget=epochs, probe_every=max(1, epochs // 2))
    return StudySettings(seeds=1, fit=fit, adversarial=duel, **changed)


def strongest(document: dict) -> dict[str, float]:
    read = {"raw": document["raw"], **{arm: told["probes"] for arm, told in document["arms"].items()}}
    return {name: strongest_probe(scores)["value"] for name, scores in read.items()}


@pytest.mark.slow
def test_a_planted_modality_is_hidden_and_the_lesion_kept():
    document = study_document(made_scans(), "hidden", settings(60))
    read = strongest(document)
    assert read["raw"] > 0.9 and read["plain"] > 0.8
    assert read["adversarial"] < read["plain"] - 0.2
    linear = {arm: told["probes"]["probes"]["linear"]["balanced_accuracy"]["value"] for arm, told in document["arms"].items()}
    assert linear["erased"] < linear["plain"] - 0.2
    for side in (XRAY, CT):
        assert document["arms"]["plain"]["auc"][side]["value"] > 0.6
        for arm in ("adversarial", "erased"):
            assert document["arms"][arm]["difference"][side]["value"] > -0.15
    assert document["kept_epochs"]["adversarial"] in (30, 60)
    assert document["verdicts"][0].startswith("The marker still shows in the plain features")


@pytest.mark.slow
def test_of_nothing_nothing_is_found_or_lost():
    document = study_document(made_scans(modality=0.0), "nothing", settings(4))
    assert max(strongest(document).values()) < 0.65
    for side in (XRAY, CT):
        assert abs(document["arms"]["adversarial"]["difference"][side]["value"]) < 0.1


def test_an_epoch_has_as_many_minibatches_however_many_phantoms_there_are():
    sizes = [StudySettings().batch_size(scans) for scans in (4, 240, 480, 1800)]
    assert sizes == [8, 16, 32, 120]


@pytest.fixture(scope="module")
def turned():
    """The same scans, and with every label of CT slices that train or choose turned."""
    scans = made_scans(36)
    ct = scans.indexes[CT]
    labels = np.where(ct.splits == "test", ct.labels, 1 - ct.labels).astype(np.int8)
    return scans, replace(scans, indexes={**scans.indexes, CT: replace(ct, labels=labels)})


@pytest.mark.parametrize(("taught", "alike"), [((XRAY,), True), ((XRAY, CT), False)])
def test_labels_of_a_modality_that_is_not_taught_change_no_byte(turned, taught, alike):
    first, second = (train_arms(scans, settings(2, 2), "unlabelled", taught) for scans in turned)
    assert not alike or first.kept_epochs == second.kept_epochs
    for arm in first.arms:
        for side in (XRAY, CT):
            given = [made.arms[arm].probabilities[side].tobytes() for made in (first, second)]
            assert (given[0] == given[1]) is alike, (arm, side)


def test_a_lesion_labelled_in_one_modality_is_known_in_the_other():
    document = study_document(made_scans(100), "unlabelled", settings(2, arms=("plain", "erased")))
    for arm in ("plain", "erased"):
        assert document["arms"][arm]["auc"][CT]["value"] > 0.7
    assert "Taught on X-rays alone" in document["verdicts"][1] and len(document["verdicts"]) == 4


def test_labels_that_are_not_known_are_refused_by_objectives_that_would_take_them_for_a_class():
    scans = made_scans(20)
    known = {name: labelled(index) for name, index in scans.indexes.items()}
    known[CT] = replace(known[CT], labels=np.full_like(known[CT].labels, -1))
    recipe = SharedRecipe(fit=FitSettings(), adversarial=AdversarialSettings(), finetune=FitSettings())
    with pytest.raises(DataError, match="unknown labels"):
        SharedExtractors(scans.embeddings, known, recipe, Workshop(0, "float16")).train("inverted")


@pytest.mark.parametrize(("study", "marked"), [("nothing", False), ("hidden", True)])
def test_halves_of_one_modality_share_no_patient_and_are_alike_but_for_the_marker(study, marked):
    scans = made_scans(80)
    xray = scans.embeddings[XRAY]
    made = PhantomFeatures(xray, xray + 100, scans.embeddings[CT], scans.indexes)
    halves = made.scans_of(STUDIES[study], 3)
    patients = [set(halves.indexes[side].patients) for side in (XRAY, CT)]
    assert not patients[0] & patients[1] and patients[0] | patients[1] == set(scans.indexes[XRAY].patients)
    for split in ("train", "valid", "test"):
        shares = [halves.indexes[side].labels[halves.indexes[side].rows(split)] for side in (XRAY, CT)]
        assert abs(len(shares[0]) - len(shares[1])) <= 2 and abs(shares[0].mean() - 0.5) < 0.1
    rows = np.concatenate([halves.embeddings[side][halves.indexes[side].rows("train")] for side in (XRAY, CT)])
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-4)
    assert bool(halves.embeddings[XRAY].mean() > 0.5 > -0.5 > halves.embeddings[CT].mean()) is marked


def test_x_rays_and_ct_slices_are_whole_and_carry_no_marker():
    scans = made_scans(80)
    made = PhantomFeatures(scans.embeddings[XRAY], scans.embeddings[XRAY] + 100, scans.embeddings[CT], scans.indexes)
    both = made.scans_of(STUDIES["unlabelled"], 3)
    assert [len(both.embeddings[side]) for side in (XRAY, CT)] == [80, 80] and np.abs(both.embeddings[XRAY]).max() < 20
