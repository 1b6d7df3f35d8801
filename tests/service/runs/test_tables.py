"""Tables: those of numbers alone, the first rows of many; never a row of a patient."""

from __future__ import annotations

import io
import re
from urllib.parse import quote

import pytest

from pipeline.service.runs.run_files import AbsentError
from pipeline.service.runs.tables import SHOWN_ROWS, table_of
from tests import outputs_page


def read(text: str | bytes):
    return table_of(io.BytesIO(text if isinstance(text, bytes) else text.encode()))


def test_numbers_are_shown_as_they_are_written():
    table = read("epoch,val_auc,is_best\n1,0.50,True\n2,nan,\n3,-1e-07,False\n")
    assert table.columns == ["epoch", "val_auc", "is_best"] and table.count == 3
    assert table.rows == [["1", "0.50", "True"], ["2", "nan", ""], ["3", "-1e-07", "False"]]
    assert read("a,b\n4.213030985423496,0.0029860293847571943\n20000000,         \n").rows == [
        ["4.21303", "0.00298603"], ["20000000", ""],
    ]  # fmt: skip
    assert read("\ufeffepoch\n1\n").columns == ["epoch"] and read("").columns == [] and read("epoch\n").rows == []


@pytest.mark.parametrize(
    "column", ["id", "patient_id", "patient_id_ct", "PATIENT", "Patient ID", "image", "xray_id", "scan", "path", "notes", "age",
               "study-uid", "case no", "case number", "row", "subject", "MRN", "birth date", "file.name"],
)  # fmt: skip
def test_a_column_that_tells_whose_a_row_is_keeps_the_table(column):
    with pytest.raises(AbsentError, match="patient"):
        read(f"epoch,{column}\n1,2\n")


@pytest.mark.parametrize("column", ["image_size", "file size px", "path_loss", "name_count", "val_loss", "idle", "ideal", "aged", ""])
def test_a_column_that_only_sounds_like_it_keeps_nothing(column):
    assert read(f"epoch,{column}\n1,2\n").count == 1


@pytest.mark.parametrize("heading", sorted(heading for heading in outputs_page.tables() if re.search(r" of `s\d\d`$", heading)))
def test_of_the_tables_of_a_run_that_of_epochs_alone_is_shown(heading):
    columns = [re.sub(r"<(\w+)>", r"\1", column) for column in outputs_page.rows_below(heading, outputs_page.COLUMNS)]
    text = ",".join(columns) + "\n" + ",".join("1" for _ in columns) + "\n"
    if heading.startswith("`metrics_epochwise.csv`"):
        assert read(text).columns == columns
    else:
        with pytest.raises(AbsentError, match="each scan or patient"):
            read(text)


@pytest.mark.parametrize("cell", ["P0051", "X_Ray_Test/P1.png", "Müller", "a note", "1970-01-01", "1 2", "<b>", "0x10", "—"])
@pytest.mark.parametrize("rows_before", [0, SHOWN_ROWS + 5])
def test_a_word_anywhere_keeps_the_table(cell, rows_before):
    with pytest.raises(AbsentError, match="patients"):
        read("epoch,auc\n" + "1,2\n" * rows_before + f"3,{cell}\n")


@pytest.mark.parametrize("content", [b"a\n\xff\n", b"a\n" + b"1" * 200_000 + b"\n", b"\x00\x89PNG\xff"])
def test_what_is_no_table_is_said(content):
    with pytest.raises(AbsentError):
        read(content)


def test_of_a_huge_table_the_first_rows_are_shown_and_all_are_counted(run, browse):
    rows = 60_000
    text = "epoch,loss\n" + "".join(f"{row},0.5\n" for row in range(rows))
    (run / "s02_training" / "metrics_epochwise.csv").write_text(text)
    client, place = browse(run), f"/runs/{quote(run.name, safe='')}"
    page = client.get(f"{place}/read/s02_training/metrics_epochwise.csv")
    assert page.status_code == 200 and f"The first {SHOWN_ROWS} of {rows} rows." in page.text
    assert page.text.count("<tr>") == SHOWN_ROWS + 1 and len(page.content) < 50_000
    assert client.get(f"{place}/file/s02_training/metrics_epochwise.csv").text == text
    with (run / "s02_training" / "metrics_epochwise.csv").open("ab") as stream:
        stream.truncate(17 << 20)
    assert client.get(f"{place}/read/s02_training/metrics_epochwise.csv").status_code == 404
    assert "more than the 16 MiB" in client.get(place).text
