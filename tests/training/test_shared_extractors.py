"""The variants of the shared extractor: what they share, what each is, and old recipes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.training.multitask.adversarial.shared_extractors import SharedExtractors
from pipeline.training.multitask.recipes import Labelled, SharedRecipe, features_from
from pipeline.training.settings import AdversarialSettings, FitSettings
from pipeline.training.trained_network import Workshop

ROWS = 40


@pytest.fixture(scope="module")
def scans():
    chance = np.random.default_rng(0)
    embeddings, labelled = {}, {}
    for shift, modality in ((2.0, "xray"), (0.0, "ct")):
        labels = (np.arange(ROWS) % 2).astype(np.int8)
        values = chance.normal(size=(ROWS, 1280)).astype(np.float32)
        values[:, :40] += shift
        values[:, 40:80] += labels[:, None]
        embeddings[modality], labelled[modality] = values, Labelled(labels, np.arange(30), np.arange(30, ROWS))
    return embeddings, labelled


def recipe(**changed) -> SharedRecipe:
    fit = FitSettings(epochs=2, batch_size=16, learning_rate=1e-4)
    short = AdversarialSettings(epoch_budget=2, batch_size=16, probe_every=1)
    return SharedRecipe(fit=fit, finetune=fit, adversarial=short, **changed)


def extractors(scans, **changed) -> SharedExtractors:
    probe = lambda hidden: dict.fromkeys(("linear", "mlp", "neighbours"), 0.5)  # noqa: E731
    return SharedExtractors(*scans, recipe(**changed), Workshop(3, "float16"), probe)


def test_erased_is_the_plain_extractor_but_for_the_modality_and_trains_nothing(scans):
    made = extractors(scans)
    plain, erased = made.train("plain").extractor, made.train("erased").extractor
    for modality, embedding in scans[0].items():
        rows = scans[1][modality].train
        before, after = (features_from(model, embedding[rows]) for model in (plain, erased))
        assert before.shape == after.shape == (30, 640)
        assert np.linalg.matrix_rank(after - before, tol=1e-2 * np.linalg.norm(before)) <= 2
    for label in (0, 1):
        means = [features_from(erased, scans[0][m][:30][scans[1][m].labels[:30] == label]).mean(axis=0) for m in ("xray", "ct")]
        raw = [features_from(plain, scans[0][m][:30][scans[1][m].labels[:30] == label]).mean(axis=0) for m in ("xray", "ct")]
        assert np.linalg.norm(means[0] - means[1]) < 0.05 * np.linalg.norm(raw[0] - raw[1])


def test_the_order_and_the_number_of_variants_change_no_weight(scans):
    together = extractors(scans)
    first = [together.train(variant).extractor for variant in ("erased", "adversarial", "plain")]
    for variant, mine in zip(("erased", "adversarial", "plain"), first, strict=True):
        alone = extractors(scans).train(variant).extractor
        for here, there in zip(mine.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize(("variant", "generator"), [("inverted", "generator_inverted"), ("original", "generator_original")])
def test_former_objectives_are_arms_on_request(scans, variant, generator):
    short = AdversarialSettings(objective=variant, epoch_budget=1, original_steps=1, batch_size=32)
    trained = extractors(scans, **{variant: short}).train(variant)
    assert set(trained.parts) == {generator, f"shared_{variant}"}


def test_a_recipe_from_when_sound_was_inverted_is_refused_with_the_name_it_has_now():
    stored = recipe().model_dump(mode="json")
    stored["adversarial"] = {"objective": "sound", "learning_rate": 1e-4, "warmup_epochs": 5, "hold_epochs": 3}
    with pytest.raises(DataError, match="now called 'inverted'"):
        SharedRecipe.model_validate(stored)
    stored["adversarial"] |= {"objective": "inverted"}
    assert SharedRecipe.model_validate(stored).adversarial.objective == "inverted"
