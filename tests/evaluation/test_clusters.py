"""Patient clusters and the weights of their resamples."""

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.statistics.clusters import bootstrap_weights, cluster_codes, cluster_note, scarcer_side


def test_rows_of_one_patient_share_a_code_and_unknown_rows_do_not():
    codes = cluster_codes(["b", "a", "b", "", ""])
    assert codes[0] == codes[2] != codes[1]
    assert len(set(codes)) == 4
    assert sorted(set(codes)) == [0, 1, 2, 3]


def test_pairs_take_the_scarcer_side():
    pairs = np.array([["x1", "c1"], ["x2", "c1"], ["x3", "c2"], ["x1", "c2"]])
    assert scarcer_side(pairs) == 1
    assert list(cluster_codes(pairs)) == [0, 0, 1, 1]
    assert scarcer_side(pairs[:, ::-1]) == 0
    assert "clustered by CT patient" in cluster_note(pairs)
    assert scarcer_side(np.array([["a", "b"], ["b", "a"]])) == 0


def test_weights_move_whole_patients_and_keep_their_number():
    codes = np.array([0, 0, 1, 2, 2, 2])
    weights = bootstrap_weights(codes, 500, seed=1)
    assert weights.shape == (500, 6)
    assert np.array_equal(weights[:, 0], weights[:, 1])
    assert np.array_equal(weights[:, 3], weights[:, 5])
    assert np.all(weights[:, [0, 2, 3]].sum(axis=1) == 3)
    assert weights[:, 0].mean() == pytest.approx(1, abs=0.12)
    assert np.array_equal(weights, bootstrap_weights(codes, 500, seed=1))
    assert not np.array_equal(weights, bootstrap_weights(codes, 500, seed=2))


def test_note_counts_unknown_patients():
    assert cluster_note(["a", "b"]) == ""
    assert cluster_note(["a", "", ""]).startswith("2 of 3 rows")


def test_wrong_shape_is_refused():
    with pytest.raises(DataError, match="Patient ids"):
        cluster_codes(np.zeros((4, 3)))
