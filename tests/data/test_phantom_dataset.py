import csv
import hashlib
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.layouts.respiratory_folders import read_respiratory_folders
from pipeline.data.phantom import dataset, make_patient, write_dataset
from pipeline.data.phantom.folders import plan_patients
from pipeline.data.phantom.patient import PhantomPatient
from pipeline.engine.errors import ConfigError, DataError, StorageError


def rows_of(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def tree(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture
def blank_patients(monkeypatch):
    """Patients without anatomy, for tests of names and folders."""
    seen = []

    def blank(seed, condition, severity, noise, source_artifact, size):
        seen.append((seed, condition, source_artifact))
        image = np.full((size, size), len(seen) % 256, np.uint8)
        mask = np.eye(size, dtype=bool)
        return PhantomPatient(image, image, image.astype(np.int16), mask, mask)

    monkeypatch.setattr(dataset, "make_patient", blank)
    return seen


def test_bytes_are_the_same_whatever_the_worker_count(tmp_path):
    for workers in (1, 2):
        write_dataset(tmp_path / str(workers), 8, seed=4, size=64, workers=workers)
    one, two = tree(tmp_path / "1"), tree(tmp_path / "2")
    assert one == two
    assert len(one) == 8 * 4 + 1
    row = rows_of(tmp_path / "1" / "manifest.csv")[0]
    planned = plan_patients(8, 4, "respiratory", "none", None)[0]
    image = cv2.imread(str(tmp_path / "1" / row["image"]), cv2.IMREAD_UNCHANGED)
    made = make_patient(planned.seed, planned.condition, size=64)
    np.testing.assert_array_equal(image, made.xray)
    mask = cv2.imread(str(tmp_path / "1" / row["mask_path"]), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, made.xray_lung_mask * np.uint8(255))


def test_respiratory_layout_is_what_the_reader_reads(tmp_path, blank_patients):
    manifest = write_dataset(tmp_path / "scans", 40, seed=1, size=64, workers=1)
    rows = rows_of(manifest)
    assert list(rows[0])[:8] == [
        "id", "image", "modality", "label", "condition", "patient_id", "split", "mask_path"
    ]  # fmt: skip
    on_disk = {name for name in tree(tmp_path / "scans") if name != "manifest.csv"}
    assert on_disk == {row["image"] for row in rows} | {row["mask_path"] for row in rows}
    assert len({row["id"] for row in rows}) == 80
    scans = read_respiratory_folders(tmp_path / "scans")
    by_image = {row["image"]: row for row in rows}
    assert len(scans) == 80
    for scan in scans:
        row = by_image[scan.id]
        assert (scan.modality, scan.label, scan.split, scan.patient_id) == (
            row["modality"], row["label"], row["split"], row["patient_id"]
        )  # fmt: skip


def test_classes_are_balanced_and_a_quarter_of_patients_is_test():
    planned = plan_patients(200, 3, "respiratory", "none", None)
    assert Counter(one.label for one in planned) == {"COVID": 100, "Non_COVID": 100}
    conditions = Counter(one.condition for one in planned)
    assert sorted(conditions.values()) == [33, 33, 34, 100]
    for condition, count in conditions.items():
        in_test = sum(one.split == "test" for one in planned if one.condition == condition)
        assert abs(in_test - count / 4) <= 1
    assert sum(one.split == "test" for one in planned) == 50


def test_patients_do_not_depend_on_their_class():
    plans = [
        plan_patients(24, 3, "respiratory", "none", None),
        plan_patients(24, 3, "respiratory", "label", ("covid", "normal")),
        plan_patients(24, 3, "pneumonia", "random", None),
    ]
    assert len({tuple(one.seed for one in plan) for plan in plans}) == 1
    assert len({one.seed for one in plans[0]}) == 24
    assert plan_patients(24, 4, "respiratory", "none", None)[0].seed != plans[0][0].seed


def test_source_artefact_follows_the_label_a_coin_or_nothing(tmp_path, blank_patients):
    for mode in ("none", "label", "random"):
        blank_patients.clear()
        rows = rows_of(write_dataset(tmp_path / mode, 60, 2, size=64, source_artifact=mode, workers=1))
        marked = [artefact for _, _, artefact in blank_patients]
        covid = [condition == "covid" for _, condition, _ in blank_patients]
        assert [row["source"] == "site_b" for row in rows if row["modality"] == "ct"] == marked
        if mode == "none":
            assert not any(marked)
        elif mode == "label":
            assert marked == covid
        else:
            agreement = np.mean(np.array(marked) == np.array(covid))
            assert 0.25 < np.mean(marked) < 0.75 and 0.25 < agreement < 0.75


def test_radiography_layout(tmp_path, blank_patients):
    rows = rows_of(write_dataset(tmp_path / "r", 12, 1, size=64, layout="radiography", workers=1))
    assert Counter(row["label"] for row in rows) == {
        "COVID": 3, "Lung_Opacity": 3, "Normal": 3, "Viral Pneumonia": 3
    }  # fmt: skip
    for row in rows:
        name = Path(row["image"]).name
        assert row["image"] == f"{row['label']}/images/{name}"
        assert row["mask_path"] == f"{row['label']}/masks/{name}"
        assert name.startswith(f"{row['label']}-") and (tmp_path / "r" / row["mask_path"]).is_file()


def test_pneumonia_layout_names_persons(tmp_path, blank_patients):
    rows = rows_of(write_dataset(tmp_path / "p", 24, 1, size=64, layout="pneumonia", workers=1))
    assert len({row["patient_id"] for row in rows}) == 24
    assert {row["condition"] for row in rows} == {"normal", "bacterial", "viral"}
    for row in rows:
        split, label, name = row["image"].split("/")
        assert (split, label) == (row["split"], row["label"]) and split in ("train", "test")
        pattern = {
            "normal": r"IM-\d{4}-0001\.png",
            "bacterial": r"person\d+_bacteria_\d+\.png",
            "viral": r"person\d+_virus_\d+\.png",
        }[row["condition"]]
        assert re.fullmatch(pattern, name) and name.startswith(row["patient_id"])
        assert label == ("NORMAL" if row["condition"] == "normal" else "PNEUMONIA")


def test_conditions_may_be_chosen():
    planned = plan_patients(20, 1, "respiratory", "none", ("covid", "viral"))
    assert Counter(one.condition for one in planned) == {"covid": 10, "viral": 10}
    with pytest.raises(ConfigError, match="'COVID'.*Add covid"):
        plan_patients(20, 1, "respiratory", "none", ("normal",))
    with pytest.raises(ConfigError, match="Did you mean 'bacterial'"):
        plan_patients(20, 1, "pneumonia", "none", ("normal", "bacterail"))


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ({"patients": 3}, DataError, "4 or more"),
        ({"patients": 2.0}, ConfigError, "whole number"),
        ({"layout": "respiratry"}, ConfigError, "'respiratory'"),
        ({"source_artifact": "lable"}, ConfigError, "'label'"),
        ({"workers": 0}, ConfigError, "workers"),
        ({"severity": 9}, ConfigError, "severity"),
        ({"seed": -3}, ConfigError, "seed"),
    ],
)
def test_bad_arguments_are_refused_and_nothing_is_written(tmp_path, arguments, error, word):
    with pytest.raises(error, match=word):
        write_dataset(tmp_path / "out", **({"patients": 8, "seed": 1, "size": 64} | arguments))
    assert not list(tmp_path.iterdir())


def test_other_files_are_never_written_over(tmp_path, blank_patients):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(DataError, match="not empty"):
        write_dataset(tmp_path, 8, 1, size=64, workers=1)
    with pytest.raises(DataError, match="not a folder"):
        write_dataset(tmp_path / "mine.txt", 8, 1, size=64, workers=1)
    assert tree(tmp_path).keys() == {"mine.txt"}


def test_a_folder_appears_whole_or_not_at_all(tmp_path, blank_patients, monkeypatch):
    write = dataset._write_png
    left = iter(range(9))

    def full_disk(path, image):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        write(path, image)

    monkeypatch.setattr(dataset, "_write_png", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        write_dataset(tmp_path / "out", 8, 1, size=64, workers=1)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(dataset, "_write_png", write)
    (tmp_path / "out").mkdir()
    assert write_dataset(tmp_path / "out", 8, 1, size=64, workers=1).is_file()


def test_progress_counts_patients(tmp_path, blank_patients):
    calls = []
    write_dataset(tmp_path / "out", 8, 1, size=64, workers=1, progress=lambda *call: calls.append(call))
    assert calls == [(done, 8) for done in range(1, 9)]
