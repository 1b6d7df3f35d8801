"""`study alignment`, small: what it writes, says and refuses."""

from __future__ import annotations

import json

from pipeline.cli.study.alignment import _show
from tests.outputs_page import FILES, check, rows_below


def test_one_study_from_phantoms_to_its_sentences(command, tmp_path, capsys):
    out = tmp_path / "study"
    words = ("study", "alignment", "--part", "nothing", "--patients", 24, "--size", 64, "--seeds", 1, "--epochs", 1)
    code, said, err = command(*words, "--out", out, "--quiet", "--json")
    assert code == 0 and err == "", err
    document = json.loads(said)
    assert document == json.loads((out / "alignment_study.json").read_text()) and document["schema_version"] == 1
    told = document["studies"]["nothing"]
    assert document["settings"]["patients"] == 24 and list(told["arms"]) == ["plain", "adversarial", "erased"]
    assert sum(told["counts"][side][split]["all"] for side in ("xray", "ct") for split in told["counts"][side]) == 24
    assert len(told["verdicts"]) == 7 and told["kept_epochs"] == {"adversarial": 1}
    files = [path.name for path in out.iterdir()]
    assert check("study", FILES, files) == set(rows_below("study", FILES))
    _show(document, out, files)
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("embeddings", "erased", "minus plain", "alignment_study.json"))
    assert told["verdicts"][0] in shown.replace("\n", "")


def test_what_cannot_be_studied(command, tmp_path):
    code, _, err = command("study", "alignment", "--part", "hiden", "--out", tmp_path / "study")
    assert code == 2 and "hidden" in err
    taken = tmp_path / "file"
    taken.write_text("")
    code, _, err = command("study", "alignment", "--out", taken)
    assert code == 2 and "is a file" in err
