from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.layouts.kermany_names import KermanyName, read_kermany_name
from pipeline.data.new_folder import refuse_occupied
from pipeline.data.rearranging.reorganization import labelled, published_leakage, read_pool, remaining_leakage, split_anew
from pipeline.data.rearranging.reorganized_folders import write_label_sets
from pipeline.engine.errors import DataError, StorageError, UsageError


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("person1_bacteria_2", KermanyName("person1", "BACTERIA")),
        ("person88_virus_163", KermanyName("person88", "VIRUS")),
        ("IM-0115-0001", KermanyName("IM-0115", "NORMAL")),
        ("IM-0439-0001-0002", KermanyName("IM-0439", "NORMAL")),
        ("NORMAL2-IM-1427-0001", KermanyName("NORMAL2-IM-1427", "NORMAL")),
        ("VIRUS-1135262-0003", KermanyName("1135262", "VIRUS")),
        ("BACTERIA-30629-0001", KermanyName("30629", "BACTERIA")),
        ("person1_fungus_2", None),
        ("IM0115", None),
        ("xperson1_bacteria_2", None),
    ],
)
def test_names_tell_patient_and_kind(stem, expected):
    assert read_kermany_name(stem) == expected


def test_one_number_with_two_organisms_is_one_person_of_two_patients():
    one, two = read_kermany_name("person9_bacteria_1"), read_kermany_name("person9_virus_2")
    assert one.person == two.person and one.patient != two.patient


def write(root, name, level):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(level).integers(0, 256, (20, 20), dtype=np.uint8)
    cv2.imwrite(str(path.with_suffix(".png")), pixels)
    path.with_suffix(".png").rename(path)


@pytest.fixture
def published(tmp_path):
    """24 healthy children, 20 persons with bacteria (two films each, one in train and one in test), 20 with viruses; the
    first of these share a number with a bacterial one, and two children share a picture."""
    root, level = tmp_path / "chest_xray", 0
    for number in range(24):
        level += 1
        write(root, f"{('train', 'test')[number % 2]}/NORMAL/IM-{115 + number:04d}-0001.jpeg", 7 if number in (0, 9) else level)
    for number in range(20):
        for split in ("train", "test"):
            level += 1
            write(root, f"{split}/PNEUMONIA/person{number}_bacteria_{level}.jpeg", level)
        level += 1
        write(root, f"test/PNEUMONIA/person{100 + number if number else 0}_virus_{level}.jpeg", level)
    return tmp_path


def test_the_published_split_is_measured(published):
    found = published_leakage(read_pool(published))
    # person0's virus is on one side only, and its bacteria on two: the number was counted already
    assert (found.patients, found.numbers, found.pixels) == (20, 20, 1)
    assert "20 patients are on more than one side" in found.sentences[0]


def test_the_new_split_keeps_persons_and_pictures_together(published):
    pool = read_pool(published)
    scans = split_anew(pool, seed=42)
    sides, pictures = defaultdict(set), defaultdict(set)
    for scan in scans:
        sides[scan.patient_id].add(scan.split)
        pictures[pool.pixel_hashes[scan.id]].add(scan.split)
    assert len(scans) == 84 and all(len(found) == 1 for found in [*sides.values(), *pictures.values()])
    assert remaining_leakage(scans, pool).sentences() == []
    for label, count in {"NORMAL": 24, "BACTERIA": 40, "VIRUS": 20}.items():
        shares = [sum(s.label == label and s.split == split for s in scans) / count for split in ("train", "valid", "test")]
        np.testing.assert_allclose(shares, (0.70, 0.15, 0.15), atol=0.06)
    assert scans == split_anew(pool, seed=42) and scans != split_anew(pool, seed=43)


def test_children_who_share_a_picture_are_never_parted(published):
    pool = read_pool(published)
    alike = [scan.id for scan in pool.scans if list(pool.pixel_hashes.values()).count(pool.pixel_hashes[scan.id]) > 1]
    assert len(alike) == 3
    for seed in range(12):
        assert len({scan.split for scan in split_anew(pool, seed) if scan.id in alike}) == 1


def test_both_label_sets_share_the_split(published):
    scans = split_anew(read_pool(published), seed=1)
    binary, three = labelled(scans, "binary"), labelled(scans, "three_class")
    assert {scan.id: scan.split for scan in binary} == {scan.id: scan.split for scan in three}
    assert {scan.label for scan in binary} == {"NORMAL", "PNEUMONIA"}
    assert {scan.label for scan in three} == {"NORMAL", "BACTERIA", "VIRUS"}


def test_a_pneumonia_of_unknown_kind_has_binary_labels_only(published):
    write(published, "chest_xray/train/PNEUMONIA/child.jpeg", 1000)
    said = []
    scans = split_anew(read_pool(published, said.append), seed=1, warn=said.append)
    assert len(labelled(scans, "binary")) == 85 and len(labelled(scans, "three_class")) == 84
    assert any("1 pneumonias do not say" in text for text in said)


def test_the_cap_keeps_the_classes_shares(published):
    pool, said = read_pool(published), []
    scans = split_anew(pool, seed=1, total=42, warn=said.append)
    assert {label: sum(s.label == label for s in scans) for label in ("NORMAL", "BACTERIA", "VIRUS")} == {
        "NORMAL": 12, "BACTERIA": 20, "VIRUS": 10,
    }  # fmt: skip
    assert len(split_anew(pool, seed=1, total=1000, warn=said.append)) == 84 and "the pool has 84" in said[-1]
    with pytest.raises(DataError, match="a class without any"):
        split_anew(pool, seed=1, total=1)


def test_what_contradicts_its_folder_or_cannot_be_read_is_left_out(published):
    write(published, "chest_xray/train/NORMAL/person7_virus_900.jpeg", 900)
    (published / "chest_xray/test/NORMAL/IM-0900-0001.jpeg").write_bytes(b"\xff\xd8\xff broken")
    pool = read_pool(published)
    assert len(pool.scans) == 84
    assert list(pool.left_out) == ["train/NORMAL/person7_virus_900.jpeg"]
    assert "name says VIRUS" in next(iter(pool.left_out.values()))
    assert list(pool.unreadable) == ["test/NORMAL/IM-0900-0001.jpeg"]


def test_other_classes_are_refused(published):
    write(published, "chest_xray/train/COVID/x.jpeg", 3)
    with pytest.raises(DataError, match="'COVID' is neither"):
        read_pool(published, lambda text: None)


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_folders_are_written_and_nothing_is_moved(published, tmp_path, mode):
    before = sorted(published.rglob("*"))
    scans = split_anew(read_pool(published), seed=1)
    out = tmp_path / "new" / "folders"
    counts = write_label_sets(scans, out, ("binary", "three_class"), mode)
    assert [path for path in sorted(published.rglob("*")) if out.parent not in [path, *path.parents]] == before
    assert sum(sum(found.values()) for found in counts["binary"].values()) == 84
    files = [path for path in (out / "three_class").rglob("*.jpeg")]
    assert len(files) == 84 and all(path.is_symlink() == (mode == "link") for path in files)
    rows = (out / "binary" / "patients.csv").read_text().splitlines()
    assert rows[0] == "image,patient_id,source,from" and len(rows) == 85
    assert any(row.startswith("train/PNEUMONIA/person") for row in rows)
    with pytest.raises(DataError, match="not empty"):
        write_label_sets(scans, out, ("binary",), mode)


def test_where_no_link_can_be_made_copies_are_named_and_nothing_is_left(published, tmp_path, monkeypatch):
    """As on Windows without the right to make links."""

    def refused(*_):
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refused)
    scans = split_anew(read_pool(published), seed=1)
    with pytest.raises(StorageError, match=r"no link to it can be made here \(A required privilege.* Copy the files instead"):
        write_label_sets(scans, tmp_path / "new" / "folders", ("binary",), "link")
    assert list((tmp_path / "new").iterdir()) == []


def test_files_of_one_name_do_not_fall_on_each_other(published, tmp_path):
    write(published, "chest_xray/train/PNEUMONIA/same.jpeg", 2000)
    write(published, "chest_xray/test/PNEUMONIA/same.jpeg", 2001)
    said = []
    scans = split_anew(read_pool(published, said.append), seed=1, warn=said.append)
    counts = write_label_sets(scans, tmp_path / "out", ("binary",))
    names = sorted(path.name for path in (tmp_path / "out").rglob("*same.jpeg"))
    assert names == ["test__PNEUMONIA__same.jpeg", "train__PNEUMONIA__same.jpeg"]
    assert sum(sum(found.values()) for found in counts["binary"].values()) == 86


def test_the_output_may_not_lie_in_the_data(published):
    with pytest.raises(UsageError, match="never written to"):
        refuse_occupied(published / "chest_xray" / "new", published)
