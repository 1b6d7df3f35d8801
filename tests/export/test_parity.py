import numpy as np
import pytest

from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.parity import ParityRecord, scaled_difference, spread_rows


def test_probabilities_are_compared_plainly_and_large_features_by_scale():
    assert scaled_difference(np.array([0.2, 0.5]), np.array([0.2, 0.4])) == pytest.approx(0.1)
    assert scaled_difference(np.array([200.0, 1.0]), np.array([200.0, 3.0])) == pytest.approx(0.01)


@pytest.mark.parametrize("found", [[np.nan, 0.1], [0.1], [np.inf, 0.1]])
def test_nan_and_other_shapes_never_pass(found):
    with pytest.raises(CorruptArtifactError, match="parity of xray"):
        ParityRecord().compare("xray", np.array(found), np.array([0.1, 0.1]), "the run")


def test_it_says_whose_answer_is_not_finite():
    for found, expected, side in (([np.nan, 0.1], [0.1, 0.1], "ONNX"), ([0.1, 0.1], [np.inf, np.nan], "Keras")):
        with pytest.raises(CorruptArtifactError, match=f"the run: {side} answers with [12] values that are not finite"):
            ParityRecord().compare("xray", np.array(found), np.array(expected), "the run")


def test_a_difference_over_the_limit_is_refused_and_below_it_noted():
    record = ParityRecord()
    record.compare("ct", np.array([0.10005]), np.array([0.1]), "the run")
    with pytest.raises(CorruptArtifactError, match="against the run: ONNX and Keras differ by 1.10e-04"):
        record.compare("xray", np.array([0.10011]), np.array([0.1]), "the run")
    assert record.document()["keras_max_difference"] == pytest.approx(1.1e-4)
    assert record.document()["checks"]["ct"]["rows"] == 1


def test_rows_are_spread_and_never_repeated():
    assert spread_rows(100, 3).tolist() == [0, 49, 99]
    assert spread_rows(2, 32).tolist() == [0, 1]
