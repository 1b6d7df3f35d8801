"""The linear probe finds a modality that is there and none that is not."""

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.training.multitask.modality_alignment import modality_probe


def features(generator, rows, shift):
    modality = np.arange(rows) % 3 == 0
    values = generator.normal(size=(rows, 12)) * np.geomspace(0.01, 100, 12)
    values[:, 0] += shift * 0.01 * modality
    return values, modality.astype(int)


def test_reads_a_modality_off_a_small_scale_feature():
    generator = np.random.default_rng(0)
    report = modality_probe(*features(generator, 300, 6.0), *features(generator, 150, 6.0), resamples=200)
    assert report["auc"]["value"] > 0.98
    assert report["accuracy"]["low"] > report["majority_rate"]
    assert report["majority_rate"] == pytest.approx(2 / 3)
    assert (report["n_train"], report["n_test"]) == (300, 150)


def test_finds_nothing_where_nothing_is():
    generator = np.random.default_rng(1)
    train, test = features(generator, 300, 0.0), features(generator, 300, 0.0)
    report = modality_probe(*train, *test, groups_test=np.arange(300) // 2, resamples=300)
    assert report["auc"]["low"] < 0.5 < report["auc"]["high"]
    assert report["balanced_accuracy"]["value"] == pytest.approx(0.5, abs=0.06)


def test_constant_features_give_the_majority():
    known = np.array([0, 0, 1] * 10)
    report = modality_probe(np.ones((30, 4)), known, np.ones((30, 4)), known, resamples=50)
    assert report["accuracy"]["value"] == pytest.approx(report["majority_rate"])
    assert report["auc"]["value"] == 0.5


@pytest.mark.parametrize(
    ("train", "known", "test", "message"),
    [
        (np.zeros((4, 2)), [1, 1, 1, 1], np.zeros((2, 2)), "one modality"),
        (np.array([[0.0], [np.nan]]), [0, 1], np.zeros((2, 1)), "NaN or infinity in row 1"),
        (np.zeros((4, 2)), [0, 1, 0, 1], np.zeros((2, 3)), "2 columns, test features 3"),
        (np.zeros((3, 2)), [0, 1, 0, 1], np.zeros((2, 2)), "for 4 rows"),
    ],
)
def test_bad_input_is_refused(train, known, test, message):
    with pytest.raises(DataError, match=message):
        modality_probe(train, known, test, [0, 1])
