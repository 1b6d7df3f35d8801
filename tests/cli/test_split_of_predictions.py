"""A run's predictions hold several parts of its split: the test part is judged, another only when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

NAMES = ("NORMAL", "PNEUMONIA")
# how s08 calls its parts, and how many scans each has here
PARTS = {"validation": range(0, 30), "test": range(30, 70), "out_of_fold": range(0, 70)}


def table(path: Path, parts: Iterable[str]) -> Path:
    """As s08 writes it: a scan of the test part has a row out of fold, too."""
    lines = ["id,patient_id,split,fold,label,predicted,prob_NORMAL,prob_PNEUMONIA,sex"]
    for place, part in enumerate(parts):
        chance = np.random.default_rng(place)
        for scan in PARTS.get(part, range(40)):
            share = round(float(chance.random()), 4)
            predicted = NAMES[int(share > 0.5)]
            lines.append(f"s{scan},p{scan},{part},,{NAMES[scan % 2]},{predicted},{1 - share:.4f},{share},{'FM'[scan // 2 % 2]}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def ask(command, tmp_path):
    def ask(parts, *words):
        made = table(tmp_path / "predictions.csv", parts)
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        said = ("--predictions", made, "--by", "sex", "--positive", "PNEUMONIA", "--out", out, "--json", *words)
        code, shown, err = command("fairness", *said)
        return code, json.loads(shown) if code == 0 else err

    return ask


def rows(document: dict) -> int:
    return sum(group["rows"] for group in document["groups"].values())


@pytest.mark.parametrize("parts", [("validation", "test"), ("validation", "test", "out_of_fold"), ("train", "test"), ("test",)])
def test_the_test_part_is_judged_by_default(ask, parts):
    code, found = ask(parts)
    assert code == 0 and rows(found) == 40
    assert ask(parts, "--split", "test")[1]["overall"] == found["overall"]


@pytest.mark.parametrize(
    ("asked", "count"), [("validation", 30), ("valid", 30), ("out_of_fold", 70), ("folds", 70), ("train", 40), ("TEST", 40)]
)
def test_another_part_is_judged_when_it_is_asked_for(ask, asked, count):
    code, found = ask(("validation", "test", "out_of_fold", "train"), "--split", asked)
    assert code == 0 and rows(found) == count


def test_parts_are_never_pooled(ask):
    code, err = ask(("validation", "train"))
    assert code == 4 and "has no test part, but validation and train" in err and "--split validation" in err
    code, found = ask(("validation",))
    assert code == 0 and rows(found) == 30
    assert any("there is no test part: these are the rows of validation" in note for note in found["warnings"])


def test_a_part_that_is_not_there_is_named(ask, command, tmp_path):
    code, err = ask(("validation", "test"), "--split", "tset")
    assert code == 4 and "no rows of the part 'tset': its parts are validation, test" in err and "Did you mean 'test'" in err
    (tmp_path / "plain.csv").write_text("id,label,predicted,sex\na,NORMAL,NORMAL,F\nb,PNEUMONIA,NORMAL,M\n")
    words = ("--predictions", tmp_path / "plain.csv", "--by", "sex", "--out", tmp_path / "o", "--split", "test")
    code, _, err = command("fairness", *words)
    assert code == 4 and "it has no column split" in err


def test_compare_reads_one_part_of_files_and_refuses_it_of_runs(command, tmp_path):
    made = table(tmp_path / "predictions.csv", ("validation", "test", "out_of_fold"))
    words = ("compare", "--predictions", made, "--positive", "PNEUMONIA", "--json")
    counts = json.loads(command(*words)[1])["counts"]
    assert {name: count["rows"] for name, count in counts.items()} == {"images": 40, "out_of_fold": 70}
    counts = json.loads(command(*words, "--split", "validation")[1])["counts"]
    assert {name: count["rows"] for name, count in counts.items()} == {"images": 30}
    code, _, err = command("compare", "--run", tmp_path, "--split", "test")
    assert code == 2 and "--split belongs to --predictions" in err
