"""What the commands say of scans that a bundle has learnt from: how many, which, and the figures without them."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import pytest

from pipeline.engine.files import write_json
from pipeline.export.amendment import amend_bundle
from pipeline.export.gate.distance_section import profiles_of
from pipeline.export.seen.section import write_seen
from pipeline.inference.bundle import read_description
from tests.export.made_scan_run import MadeScanRun
from tests.smooth_scans import smooth_scan

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
NAMES = ("NORMAL", "PNEUMONIA")
LEARNT, NEW = range(4), range(20, 28)


def taught(bundle: Path, folder: Path, **profiles: dict) -> Path:
    """The bundle with a section of four scans of each modality: 0 and 1 trained on, 2 chosen on, 3 of the test part."""
    scans = {modality: [smooth_scan(seed) for seed in LEARNT] for modality in profiles}
    labels = {modality: [NAMES[seed % 2] for seed in LEARNT] for modality in profiles}
    named = {f"own_{modality}": profile for modality, profile in profiles.items()}
    folder.mkdir()
    run = MadeScanRun(folder, scans, named, labels)
    document = read_description(bundle)
    write_json(folder / "seen.json", write_seen(run, document | {"class_names": NAMES}, profiles_of(document), folder))
    amend_bundle(bundle, "seen", folder)
    return bundle


@pytest.fixture
def classifier(tmp_path) -> Path:
    from tiny_classifier import write_classifier

    return taught(write_classifier(tmp_path / "classifier"), tmp_path / "run", xray={"modality": "xray", "size": 128})


def labelled(folder: Path, seeds) -> Path:
    """Class folders; the scans that were learnt from are JPEG copies of half the size."""
    for seed in seeds:
        place = folder / NAMES[seed % 2] / f"{seed}.{'jpg' if seed in LEARNT else 'png'}"
        place.parent.mkdir(parents=True, exist_ok=True)
        gray = smooth_scan(seed)
        cv2.imwrite(str(place), cv2.resize(gray, (128, 128), interpolation=cv2.INTER_AREA) if seed in LEARNT else gray)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_evaluate_names_what_was_seen_and_gives_the_figures_without(command, classifier, tmp_path):
    data, out = labelled(tmp_path / "data", [*LEARNT, *NEW]), tmp_path / "out"
    code, said, _ = command("evaluate", "--bundle", classifier, "--data", data, "--out", out)
    assert code == 0
    assert "The bundle has seen 3 of the 12 images: 2 in training, 1 in validation. The figures above flatter it:" in said
    document = json.loads((out / "metrics.json").read_text())
    seen = document["seen"]
    assert seen["asked"] and seen["trained_on"] == ["NORMAL/0.jpg", "PNEUMONIA/1.jpg"] and seen["chosen_on"] == ["NORMAL/2.jpg"]
    assert seen["without_seen"]["images"] == 9 and document["images"] == 12
    # the figures without them are those of an evaluation that never had them
    alone = labelled(tmp_path / "new", [3, *NEW])
    assert command("evaluate", "--bundle", classifier, "--data", alone, "--out", tmp_path / "alone")[0] == 0
    expected = json.loads((tmp_path / "alone" / "metrics.json").read_text())
    assert seen["without_seen"]["metrics"] == expected["metrics"] and seen["without_seen"]["confusion"] == expected["confusion"]
    assert expected["seen"] == {"asked": True, "trained_on": [], "chosen_on": [], "without_seen": None}
    told = {row["image"]: row["seen"] for row in rows_of(out / "predictions.csv")}
    assert [told[name] for name in ("NORMAL/0.jpg", "NORMAL/2.jpg", "PNEUMONIA/3.jpg")] == ["trained on", "chosen on", "no"]


def test_evaluate_on_nothing_but_seen_scans_says_that_none_is_left(command, classifier, tmp_path):
    data = labelled(tmp_path / "data", [0, 1, 2])
    _, said, _ = command("evaluate", "--bundle", classifier, "--data", data, "--out", tmp_path / "out")
    assert "has seen 3 of the 3 images" in said and "without them none is left" in said
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["seen"]["without_seen"] is None
    data = labelled(tmp_path / "more", [0, 1, 2, 20])
    _, said, _ = command("evaluate", "--bundle", classifier, "--data", data, "--out", tmp_path / "again")
    assert "those that are left cannot be judged" in said


def test_a_bundle_that_does_not_say_is_told_of(command, tmp_path):
    from tiny_classifier import write_classifier

    bundle, data = write_classifier(tmp_path / "untold"), labelled(tmp_path / "data", NEW)
    code, said, _ = command("evaluate", "--bundle", bundle, "--data", data, "--out", tmp_path / "out")
    assert code == 0 and "The bundle does not say which scans it learnt from" in said
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["seen"]["asked"] is False
    assert {row["seen"] for row in rows_of(tmp_path / "out" / "predictions.csv")} == {""}


def test_classify_counts_a_folder_and_warns_of_one(command, classifier, tmp_path):
    data = labelled(tmp_path / "data", [0, 2, 20, 21])
    code, said, _ = command("classify", data, "--bundle", classifier)
    assert code == 0 and "The bundle has seen 2 of the 4 images: 1 in training, 1 in validation." in said
    code, said, _ = command("classify", data / "NORMAL" / "0.jpg", "--bundle", classifier, "--json")
    document = json.loads(said)
    assert document["seen"] == {"trained_on": 1, "chosen_on": 0}
    assert document["answers"][0]["seen"] == "trained on" and "trained on this scan" in document["answers"][0]["warnings"][0]


def test_predict_tells_pairs_of_a_table(command, tmp_path):
    from tiny_bundle import write_bundle

    bundle = taught(write_bundle(tmp_path / "pairs"), tmp_path / "run", xray={"modality": "xray", "size": 128})
    labelled(tmp_path / "data", [0, 20, 21])
    table = tmp_path / "pairs.csv"
    table.write_text("id,xray,ct\nold,data/NORMAL/0.jpg,data/NORMAL/20.png\nnew,data/NORMAL/20.png,data/PNEUMONIA/21.png\n")
    code, said, _ = command("predict", "--bundle", bundle, "--csv", table, "--out", tmp_path / "answers.csv")
    assert code == 0 and "The bundle has seen 1 of the 2 pairs: 1 in training, 0 in validation." in said
    told = {(row["id"], row["modality"]): row["seen"] for row in rows_of(tmp_path / "answers.csv")}
    # a pair is as little new as its halves are; of CT this bundle does not say
    assert [told["old", name] for name in ("xray", "ct", "paired")] == ["trained on", "", "trained on"]
    assert [told["new", name] for name in ("xray", "ct", "paired")] == ["no", "", "no"]


def test_compare_gives_the_comparison_without_what_one_of_two_has_seen(command, classifier, tmp_path):
    from tiny_classifier import write_classifier

    other = taught(write_classifier(tmp_path / "other"), tmp_path / "another", xray={"modality": "xray", "size": 64})
    data = labelled(tmp_path / "data", [*LEARNT, *NEW])
    for bundle in (classifier, other):
        assert command("evaluate", "--bundle", bundle, "--data", data, "--out", tmp_path / f"by_{bundle.name}")[0] == 0
    folders = [tmp_path / "by_classifier", tmp_path / "by_other"]
    document = json.loads(command("compare", "--predictions", *folders, "--json")[1])
    seen = document["seen"]
    assert seen["arms"] == {folder.name: {"images": {"trained_on": 2, "chosen_on": 1}} for folder in folders}
    assert (document["counts"]["images"]["rows"], seen["without_seen"]["counts"]["images"]["rows"]) == (12, 9)
    alone = labelled(tmp_path / "new", [3, *NEW])
    assert command("evaluate", "--bundle", classifier, "--data", alone, "--out", tmp_path / "by_classifier_alone")[0] == 0
    expected = json.loads(command("compare", "--predictions", tmp_path / "by_classifier_alone", "--json")[1])
    (fresh,) = expected["modalities"]["images"].values()
    assert seen["without_seen"]["modalities"]["images"]["by_classifier"] == fresh
    assert expected["seen"] == {
        "arms": {"by_classifier_alone": {"images": {"trained_on": 0, "chosen_on": 0}}}, "without_seen": None,
    }  # fmt: skip
    said = command("compare", "--predictions", *folders)[1]
    assert "Seen before, which flatters the figures above" in said and "Without them:" in said
    assert "images, by_other: 2 in training, 1 in validation" in said.replace("Images", "images")


def test_compare_of_tables_that_say_nothing_says_nothing(command, tmp_path):
    (tmp_path / "a.csv").write_text("id,label,predicted\n1,NORMAL,NORMAL\n2,PNEUMONIA,NORMAL\n")
    assert "seen" not in json.loads(command("compare", "--predictions", tmp_path / "a.csv", "--json")[1])


def test_a_section_of_a_newer_version_is_refused_by_name(command, classifier, tmp_path):
    document = json.loads((classifier / "bundle.json").read_text())
    document["seen"]["version"] = 2
    (classifier / "bundle.json").write_text(json.dumps(document))
    code, _, err = command("classify", labelled(tmp_path / "data", [20]), "--bundle", classifier)
    assert code == 3 and "section 'seen' is of version 2" in err
