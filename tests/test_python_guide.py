"""Every block of docs/python.md runs, in order, on phantoms and the shipped bundles, and says what its comments say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.made_predictions import write_predictions
from tests.cli.made_runs import classifier_run

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
SCANS = ROOT / "tests" / "pretrained" / "respiratory_mtl_scans"


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder with the files that the guide speaks of."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(SCANS / "viral_14_xray.png", "scan.png")
    shutil.copy(SCANS / "viral_14_ct.png", "slice.png")
    Path("scans").mkdir()
    shutil.copy(SCANS / "normal_11_xray.png", "scans/a.png")
    Path("scans/b.png").write_bytes(b"no picture")
    write_predictions(Path("A.csv"), 0.1)
    write_predictions(Path("B.csv"), 2.5)
    Path("runs").mkdir()
    classifier_run(Path("runs/first"), [n // 2 % 3 for n in range(24)])
    return tmp_path


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", GUIDE, flags=re.DOTALL | re.MULTILINE)


def test_the_guide_runs_as_it_stands(workplace, capsys):
    names: dict = {}
    for block in blocks():
        line = GUIDE[: GUIDE.index(block)].count("\n")
        # Errors then name the line of the page.
        exec(compile("\n" * line + block, "docs/python.md", "exec"), names)
    told = capsys.readouterr().out
    for said in ("<Answer NORMAL 95.", "a batch or a volume, where one scan is asked. Ask about",
                 "<Comparison of A, B | CT, B against A: difference shown:", "X-ray Non_COVID", "CT ", "Paired "):  # fmt: skip
        assert said in told
    assert list(names["answers"]) == ["a.png", "scan.png"] and list(names["refused"]) == ["b.png"]
    assert names["answer"].probabilities == pytest.approx({"NORMAL": 0.958, "PNEUMONIA": 0.042}, abs=0.002)
    assert names["heat"].shape == names["pixels"].shape and names["bundle"].methods == ("gradcam", "gradcam_plus_plus")
    assert (workplace / "comparison" / "report.md").is_file()


def test_the_keys_that_the_guide_names_are_those_of_an_answer():
    from pipeline.inference.answers import Answer, Finding

    document = Answer((Finding("xray"),)).to_dict()
    sentence = GUIDE[GUIDE.index("`to_dict()` has") : GUIDE.index("print a finding's keys")]
    named = re.findall(r"`(\w+)`", sentence)
    keys = ["findings", *document["findings"][0], *list(document)[1:]]
    assert named == [*keys, "predict", "classify", "segment"]
