"""Tables of pairs: what is read, what is refused, what is written."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pipeline.engine.errors import DataError, StorageError, UsageError
from pipeline.inference.answers import Answer
from pipeline.inference.multitask.pair_table import PairRow, prepare_output, read_pairs, refuse_overwriting, write_answers


def table(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text)
    return path


def test_paths_are_looked_up_beside_the_table_then_in_the_working_folder(tmp_path, monkeypatch):
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
    for path in (beside / "both.png", here / "both.png", here / "only.png"):
        path.write_bytes(b"x")
    monkeypatch.chdir(here)
    rows = read_pairs(table(beside, f"id,xray,ct\n0012,both.png,only.png\nb,,{here / 'only.png'}\nc,none.png,\n"))
    assert rows[0] == PairRow("0012", beside / "both.png", Path("only.png"))
    assert rows[1].scans == [here / "only.png"] and rows[1].modalities == ["ct"]
    assert rows[2].xray == beside / "none.png"


def test_label_and_patient_columns_are_kept_and_others_are_not(tmp_path):
    (row,) = read_pairs(table(tmp_path, "id,xray,label,patient_id,age\na,x.png,COVID,p1,60\n"))
    assert row.copied == {"label": "COVID", "patient_id": "p1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,xray\na,1.png\nb,2.png\na,3.png\n", "id 'a' stands in row 1 and in row 3"),
        ("id,xray\na,1.png\n,2.png\n", "row 2 has no id"),
        ("Id,xray\na,1.png\n", "no column 'id'. Did you mean 'Id'"),
        ("id,x_ray\na,1.png\n", "no column 'xray'. Did you mean 'x_ray'"),
        ("id,xray,ct\n", "no rows"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, text, message):
    with pytest.raises(DataError) as caught:
        read_pairs(table(tmp_path, text))
    assert message in str(caught.value)


def test_answers_are_written_a_row_a_modality(tmp_path):
    both = PairRow("a", Path("x"), Path("c"), {"label": "COVID"})
    rows = [
        (both, [Answer("xray", 1 / 3, "Non_COVID"), Answer("ct", error="b,ad")]),
        (PairRow("b", Path("x"), None, {"label": ""}), [Answer("xray", 1e-12, "Non_COVID")]),
    ]
    write_answers(tmp_path / "answers.csv", rows)
    with (tmp_path / "answers.csv").open(newline="") as stream:
        header, *found = list(csv.reader(stream))
    assert header == ["id", "modality", "probability", "predicted", "error", "label"]
    assert found == [
        ["a", "xray", "0.333333333", "Non_COVID", "", "COVID"],
        ["a", "ct", "", "", "b,ad", "COVID"],
        ["b", "xray", "1e-12", "Non_COVID", "", ""],
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]


def test_an_output_on_its_source_is_refused_under_any_name(tmp_path):
    source, link = tmp_path / "source.png", tmp_path / "link.csv"
    source.write_bytes(b"x")
    link.symlink_to(source)
    for output in (source, tmp_path / "." / "source.png", link):
        with pytest.raises(UsageError, match="overwrite its own source"):
            refuse_overwriting([output], [tmp_path / "gone.png", source])
    refuse_overwriting([tmp_path / "new.csv"], [source])


def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        prepare_output(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        prepare_output(tmp_path / "file" / "answers.csv")
    prepare_output(tmp_path / "new" / "answers.csv")
    assert (tmp_path / "new").is_dir()
