"""Tables of pairs: what is read, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.layouts.pair_table import PairRow, read_pairs
from pipeline.engine.errors import DataError


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
