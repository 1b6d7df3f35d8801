"""Groups by a column: texts, ages, DICOM ages, missing values, and what is refused."""

import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.studies.patient_groups import age_years, patient_groups


def test_texts_are_groups_and_missing_values_none():
    groups = patient_groups(["F", "M", " F ", "", "nan", "unknown"], "sex")
    assert groups.names == ("F", "M") and groups.codes.tolist() == [0, 1, 0, -1, -1, -1] and not groups.banded


@pytest.mark.parametrize("column", ["age", "patient_age", "PatientAge", "age_years", "Age"])
def test_ages_are_banded(column):
    groups = patient_groups(["3", "17.9", "18", "39", "40", "59.5", "60", "89"], column)
    assert groups.names == ("<18", "18-39", "40-59", "60+") and groups.banded
    assert groups.codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_dicom_ages_and_numbers():
    assert [age_years(text) for text in ("065Y", "006M", "26W", "65", "old")] == pytest.approx(
        [65, 0.5, 26 * 7 / 365.25, 65, None]
    )
    assert patient_groups(["065Y", "006M", "017Y", "018Y"], "PatientAge").codes.tolist() == [2, 0, 0, 1]
    assert patient_groups([71.0, float("nan"), 20], "age").names == ("18-39", "60+")


def test_numbers_that_are_no_ages_stay():
    assert patient_groups(["10", "9", "9"], "ward").names == ("9", "10")
    assert patient_groups(["1.0", "2.0"], "stage").names == ("1.0", "2.0")
    # "dosage" and "image" hold the letters, not the word
    assert not patient_groups(["10", "70"], "dosage").banded and not patient_groups(["10", "70"], "image").banded


def test_bands_that_are_given_stay_in_order():
    assert patient_groups(["60+", "18-39", "<18"], "age").names == ("<18", "18-39", "60+")


@pytest.mark.parametrize(
    ("values", "column", "said"),
    [
        (["F", "F", ""], "sex", "one value 'F'"),
        (["30", "31"], "age", "one value '18-39'"),
        (["", "nan"], "sex", "no value in any of 2 rows"),
        (["30", "430"], "age", "the age 430"),
        (["-1", "30"], "age", "the age -1"),
        ([str(number) for number in range(30)], "ward", "30 values"),
    ],
)
def test_refusals(values, column, said):
    with pytest.raises(DataError, match=said):
        patient_groups(values, column)
