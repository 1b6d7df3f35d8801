"""Tables of text are read as people and spreadsheets write them, and refused where a cell could go astray."""

from __future__ import annotations

import pytest

from pipeline.data.csv_rows import read_header, read_rows
from pipeline.engine.errors import DataError

WANTED = [{"image": "a, b.png", "label": "0012"}, {"image": "c.png", "label": ""}]


@pytest.mark.parametrize(
    "text",
    [
        'image,label\n"a, b.png",0012\nc.png\n',
        "image;label\na, b.png;0012\nc.png;\n",
        "image\tlabel\na, b.png\t0012\nc.png\t\n",
        '\ufeffimage , label\r\n"a, b.png", 0012 \r\n\r\nc.png,,,\r\n',
        'image;label;"age, years, and, more";note, free\n"a, b.png";0012\nc.png;\n',
        "\n\nimage;label\na, b.png;0012\nc.png;\n",
        '\n"image","label"\r"a, b.png",0012\rc.png,',
    ],
)
def test_a_table_as_it_is_written(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    assert [{name: row[name] for name in ("image", "label")} for row in read_rows(tmp_path / "t.csv")] == WANTED
    assert read_header(tmp_path / "t.csv")[:2] == ["image", "label"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,label\na.png,x\nb.png,No, nodule\n", "row 2 has 3 cells and the header 2"),
        ("image;label\na.png;x;y\n", "row 1 has 3 cells and the header 2"),
        ("image,label,label\na.png,x,y\n", "more than one column is called 'label'"),
        ("image,label\na\0.png,x\n", "holds the character NUL"),
        ("image,label\n", "the table has no rows"),
        ("", "the table has no rows"),
    ],
)
def test_a_cell_that_could_be_lost_is_refused(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_rows(tmp_path / "t.csv")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_refused(tmp_path, encoding):
    (tmp_path / "t.csv").write_text("image,label\na.png,Entzündung\n", encoding=encoding)
    with pytest.raises(DataError, match="cannot be read as a CSV table"):
        read_rows(tmp_path / "t.csv")
    with pytest.raises(DataError, match="no such table"):
        read_header(tmp_path / "absent.csv")
