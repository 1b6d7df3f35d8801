"""The section `seen`: which scans of a run are in it, that their copies are recognised, and what a wrong run is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.data.preprocessing import Profile
from pipeline.engine.errors import DataError, UsageError
from pipeline.export import amendment
from pipeline.export.seen.section import FILE, refuse_other_split, write_seen
from pipeline.inference.seen.description import SeenSection
from pipeline.inference.seen.seen_scans import read_seen
from tests.export.made_scan_run import SPLITS, MadeScanRun
from tests.smooth_scans import smooth_scan

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
XRAY = {"modality": "xray", "size": 128, "operations": []}
CT = XRAY | {"modality": "ct"}
DOCUMENT = {"class_names": ["COVID", "Non_COVID"]}
TOLD = {"train": "trained on", "valid": "chosen on", "test": "no"}


@pytest.fixture(scope="module")
def chests() -> dict[str, list[np.ndarray]]:
    return {"xray": [smooth_scan(seed) for seed in range(12)], "ct": [smooth_scan(seed) for seed in range(50, 62)]}


def written(run, folder: Path, document=DOCUMENT, **profiles):
    profiles = profiles or {"xray": Profile(**XRAY)}
    entry = write_seen(run, document, profiles, folder)
    return entry, read_seen(folder, SeenSection.model_validate(entry)) if entry is not None else None


def halved(gray):
    return cv2.resize(gray, (gray.shape[1] // 2, gray.shape[0] // 2), interpolation=cv2.INTER_AREA)


def as_jpeg(gray):
    return cv2.imdecode(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_GRAYSCALE)


COPIES = {
    "the same": lambda gray: gray.copy(),
    "half the size": halved,
    "stretched to 512": lambda gray: cv2.resize(gray, (512, 512)),
    "another format": as_jpeg,
    "half, and another format": lambda gray: as_jpeg(halved(gray)),
    "mirrored": lambda gray: gray[:, ::-1].copy(),
    "brighter": lambda gray: np.clip(gray.astype(int) + 10, 0, 255).astype(np.uint8),
    "of more contrast": lambda gray: (gray * 1.15).astype(np.uint8),
}


@pytest.mark.parametrize("copy", COPIES)
def test_every_kind_of_copy_is_recognised_by_its_part_and_the_test_part_is_not(chests, tmp_path, copy):
    run = MadeScanRun(tmp_path, chests, {"plain": XRAY, "slices": CT})
    entry, seen = written(run, tmp_path, xray=Profile(**XRAY), ct=Profile(**CT))
    assert [(kind["trained_on"], kind["chosen_on"]) for kind in entry["kinds"]] == [(6, 3), (6, 3)]
    for modality, pictures in chests.items():
        found = [seen[modality].look(COPIES[copy](gray)) for gray in pictures]
        assert found == [TOLD[SPLITS[row % 4]] for row in range(12)], modality


def test_others_are_not_recognised_and_nor_is_the_other_modality(chests, tmp_path):
    _, seen = written(MadeScanRun(tmp_path, chests, {"plain": XRAY}), tmp_path)
    others = [smooth_scan(seed) for seed in range(100, 140)]
    assert {seen["xray"].look(gray) for gray in [*others, *chests["ct"]]} == {"no"} and set(seen) == {"xray"}


def test_an_array_with_operations_is_hashed_as_it_is(chests, tmp_path):
    clahe = XRAY | {"operations": ["clahe"]}
    entry, seen = written(MadeScanRun(tmp_path, chests, {"only": clahe}), tmp_path, xray=Profile(**clahe))
    assert entry["kinds"][0]["profile"]["operations"] == ["clahe"]
    assert seen["xray"].look(as_jpeg(chests["xray"][0])) == "trained on" and seen["xray"].look(chests["xray"][3]) == "no"


def test_equal_runs_give_equal_bytes_in_the_order_of_the_digests(chests, tmp_path):
    entry, seen = written(MadeScanRun(tmp_path, chests, {"plain": XRAY}), tmp_path)
    first = (tmp_path / FILE).read_bytes()
    turned = {name: pictures[::-1] for name, pictures in chests.items()}
    run = MadeScanRun(tmp_path, turned, {"plain": XRAY})
    index = pd.read_csv(tmp_path / "scan_index.csv").assign(split=[SPLITS[row % 4] for row in reversed(range(12))] * 2)
    run.put("scan_index", index)
    again, _ = written(run, tmp_path)
    assert again == entry and (tmp_path / FILE).read_bytes() == first
    assert (np.diff(seen["xray"].digests.astype(object)) > 0).all()


def test_a_scan_in_both_parts_was_trained_on(chests, tmp_path):
    twice = {"xray": [chests["xray"][0], chests["xray"][1], chests["xray"][0], chests["xray"][2]]}
    _, seen = written(MadeScanRun(tmp_path, twice, {"plain": XRAY}), tmp_path)
    assert seen["xray"].look(twice["xray"][2]) == "trained on"


def test_scans_of_classes_that_the_network_does_not_tell_apart_are_left_out(chests, tmp_path):
    labels = {"xray": ["COVID", "OTHER_NIH"] * 6, "ct": ["COVID"] * 12}
    entry, seen = written(MadeScanRun(tmp_path, chests, {"plain": XRAY}, labels), tmp_path)
    assert (entry["kinds"][0]["trained_on"], entry["kinds"][0]["chosen_on"]) == (3, 3)
    assert seen["xray"].look(chests["xray"][1]) == "no"
    nothing = MadeScanRun(tmp_path, chests, {"plain": XRAY}, {"xray": ["OTHER"] * 12, "ct": ["OTHER"] * 12})
    assert written(nothing, tmp_path) == (None, None)


def test_of_notes_only_scans_with_one_were_learnt_from(chests, tmp_path):
    document = DOCUMENT | {"note": {"mask_words": ["covid"]}}
    run = MadeScanRun(tmp_path, chests, {"plain": XRAY})
    notes = ["a cough", "covid", "fever", "fever", "", *["a cough"] * 7]
    ids = [f"xray{row}" for row in range(12)]
    run.put("scan_attributes", pd.DataFrame({"id": ids, "modality": "xray", "row": range(12), "notes": notes}))
    entry, seen = written(run, tmp_path, document)
    # the second note holds nothing but a masked word
    assert entry["kinds"][0]["trained_on"] == 4 and seen["xray"].look(chests["xray"][1]) == "no"
    run.put("fusion_split_predictions", pd.DataFrame({"id": ["xray1", "xray2"]}))
    entry, _ = written(run, tmp_path, document)
    assert (entry["kinds"][0]["trained_on"], entry["kinds"][0]["chosen_on"]) == (1, 1)


def test_a_run_of_another_split_is_refused(chests, tmp_path):
    config = {"seed": 1, "s01": {"data": {"manifest": "manifest.csv"}}}
    run = MadeScanRun(tmp_path, chests, {"plain": XRAY}, config=config)
    refuse_other_split(run, {}, tmp_path)
    # a setting at its default, told or not, is the same
    same = {"seed": 1, "config": {"s01": {"data": {"manifest": "manifest.csv", "valid_fraction": 0.15}}}}
    refuse_other_split(run, {"training": same}, tmp_path)
    with pytest.raises(UsageError, match="another seed"):
        refuse_other_split(run, {"training": {"seed": 2}}, tmp_path)
    with pytest.raises(UsageError, match=r"another s01\.data"):
        refuse_other_split(run, {"training": same | {"config": {"s01": {"data": {"manifest": "other.csv"}}}}}, tmp_path)


def test_a_bundle_is_amended_from_a_run(chests, tmp_path, monkeypatch):
    from tiny_classifier import write_classifier

    bundle = write_classifier(tmp_path / "bundle", ("Non_COVID", "COVID"))
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    run = MadeScanRun(tmp_path, chests, {"plain": XRAY})
    monkeypatch.setattr(amendment, "CheckedRun", lambda folder: run)
    done = amendment.amend_from_run(bundle, "seen", tmp_path)
    assert (done.version, done.added) == (1, [FILE])
    after = {path.name: path.read_bytes() for path in bundle.iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {"bundle.json", FILE}
    assert json.loads(after["bundle.json"])["seen"]["kinds"][0]["trained_on"] == 6
    again = amendment.amend_from_run(bundle, "seen", tmp_path)
    assert again.removed == [] and (bundle / FILE).read_bytes() == after[FILE]
    monkeypatch.setattr(run, "arrays", {})
    with pytest.raises(DataError, match="none of its scans"):
        amendment.amend_from_run(bundle, "seen", tmp_path)
