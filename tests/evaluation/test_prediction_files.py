"""Prediction CSVs become tables, and unreadable ones are refused by name."""

import numpy as np
import pytest

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.document import build_comparison
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.tables.prediction_files import read_predictions

QUICK = ComparisonSettings(resamples=100, permutations=100)
HEADER = "id,modality,probability,predicted,error,label,patient_id\n"


def written(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def test_reads_what_predict_writes(tmp_path):
    text = HEADER + (
        "s1,ct,0.9,COVID,,COVID,p1\ns2,ct,0.2,Non_COVID,,Non_COVID,p1\n"
        "s3,ct,,,cannot be read,COVID,p2\ns1,xray,0.7,COVID,,COVID,p3\n"
    )
    read = read_predictions([written(tmp_path, "plain.csv", text)])
    tables = read.arms
    ct = tables["plain"]["ct"]
    assert list(ct.ids) == ["s1", "s2"]
    assert list(ct.truth) == [1, 0]
    assert list(ct.patients) == ["p1", "p1"]
    assert ct.probabilities[..., 1].tolist() == [[0.9, 0.2]] and ct.class_names == ("Non_COVID", "COVID")
    assert list(tables["plain"]["xray"].ids) == ["s1"]
    assert read.warnings == ["plain.csv: 1 of 4 rows have no answer and were left out"]


def test_seeds_and_arms_and_pairs(tmp_path):
    text = "id,modality,probability,label,patient_id,patient_id_ct,seed,arm\n" + "".join(
        f"{row},paired,{0.1 * row + 0.01 * seed:.2f},{row % 2},x{row},c{row // 2},{seed},{arm}\n"
        for arm in ("plain", "adversarial")
        for seed in (10, 11)
        for row in range(4)
        if (arm, seed, row) != ("plain", 11, 3)
    )
    read = read_predictions([written(tmp_path, "runs.csv", text)])
    tables = read.arms
    assert list(tables) == ["plain", "adversarial"]
    expected = np.array([[0.0, 0.1, 0.2], [0.01, 0.11, 0.21]]) + 0.1
    assert tables["plain"]["paired"].probabilities[..., 1] == pytest.approx(expected)
    assert tables["adversarial"]["paired"].patients.shape == (4, 2)
    assert list(tables["adversarial"]["paired"].clusters) == [0, 0, 1, 1]
    assert read.warnings == ["plain, paired: 1 rows lack an answer of some seed and were left out"]


def test_labels_from_a_second_file_win(tmp_path):
    predicted = written(tmp_path, "a.csv", "id,modality,probability\ns1,ct,0.9\ns2,ct,0.4\ns3,ct,0.3\n")
    labels = written(tmp_path, "labels.csv", "id,label,patient_id\ns3,0,p3\ns2,1,p2\ns1,1,p1\nextra,0,p9\n")
    read = read_predictions([predicted], labels)
    tables = read.arms
    assert list(tables["a"]["ct"].truth) == [1, 1, 0]
    assert list(tables["a"]["ct"].patients) == ["p1", "p2", "p3"]
    missing = written(tmp_path, "few.csv", "id,label\ns1,1\n")
    with pytest.raises(DataError, match="'s2' has no label .2 such rows."):
        read_predictions([predicted], missing)


def test_two_files_are_two_arms_of_one_comparison(tmp_path):
    rows = "".join(f"s{row},ct,{{}},x,,{row % 2},p{row}\n" for row in range(6))
    good = written(tmp_path, "good.csv", HEADER + rows.format(0.1, 0.9, 0.2, 0.8, 0.3, 0.7))
    bad = written(tmp_path, "bad.csv", HEADER + rows.format(0.9, 0.1, 0.8, 0.2, 0.7, 0.3))
    document = build_comparison(read_predictions([good, bad]).arms, settings=QUICK)
    assert document["arms"] == ["good", "bad"]
    assert document["modalities"]["ct"]["good"]["auc"]["value"] == 1.0
    accuracy = next(test for test in document["tests"] if test["test"] == "clustered_permutation")
    assert accuracy["effect"]["value"] == -1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as CSV"),
        ("id,modality\ns1,ct\n", "lacks the column.s. probability"),
        (HEADER, "has no rows"),
        (HEADER + "s1,ct,0.5,x,,,p1\n", "'s1' has no label"),
        (HEADER + "s1,ct,high,x,,1,p1\n", "'high' is not a number"),
        (HEADER + "s1,ct,1.5,x,,1,p1\n", "outside"),
        (HEADER + "s1,ct,nan,x,,1,p1\n", "not a number"),
        (HEADER + "s1,ct,,,broken,1,p1\n", "every row is an error"),
        (HEADER + "s1,ct,0.5,x,,1,p1\ns1,ct,0.6,x,,1,p1\n", "'s1' is predicted twice"),
        (HEADER + "s1,ct,0.5,x,,normal,p1\ns2,ct,0.5,x,,viral,p1\n", "labels are normal, viral"),
        ("id,modality,probability\ns1,ct,0.5\n", "--labels"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, text, message):
    path = written(tmp_path, "mine.csv", text)
    with pytest.raises(DataError, match=message):
        read_predictions([path])


def test_missing_and_double_files(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_predictions([tmp_path / "none.csv"])
    with pytest.raises(DataError, match="No prediction file"):
        read_predictions([])
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, "a.csv", HEADER + "s1,ct,0.5,x,,1,p1\n")
    with pytest.raises(DataError, match="both named a.csv"):
        read_predictions([tmp_path / "one" / "a.csv", tmp_path / "two" / "a.csv"])


def test_spellings_of_modalities_classes_and_missing_ids_are_one(tmp_path):
    first, second = tmp_path / "one.csv", tmp_path / "two.csv"
    first.write_text("id,modality,label,probability,patient_id\na,xray,COVID,0.9,p1\nb,xray,Non_COVID,0.2,NA\n")
    second.write_text("id,modality,label,probability,patient_id\na,XRay,covid,0.8,p1\nb,X Ray, NON_COVID,0.1,?\n")
    read = read_predictions([first, second])
    assert {arm: list(tables) for arm, tables in read.arms.items()} == {"one": ["xray"], "two": ["xray"]}
    one, two = (read.arms[arm]["xray"] for arm in ("one", "two"))
    assert one.class_names == two.class_names and one.truth.tolist() == two.truth.tolist()
    assert one.patients.tolist() == two.patients.tolist() == ["p1", ""]


def test_classes_that_differ_by_case_alone_stay_two_where_one_table_has_both(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,label,prob_a,prob_A\nx,a,0.9,0.1\ny,A,0.2,0.8\n")
    rows = read_predictions([path]).arms["t"]["images"]
    assert rows.class_names == ("a", "A") and rows.truth.tolist() == [0, 1]
