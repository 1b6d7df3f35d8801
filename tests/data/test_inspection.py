"""What `data inspect` and `data prepare` find and write, below the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.inspection.figures import inspection_figures
from pipeline.data.inspection.survey import count_rows, inspect_scans, origins_with_one_label
from pipeline.data.layouts.respiratory_folders import read_respiratory_folders
from pipeline.data.rearranging.preparation import prepare_folders
from pipeline.data.scans import CLASS_NAMES, Scan
from pipeline.engine.errors import DataError, UsageError
from tests.pictures import shaded


@pytest.fixture
def scans(tmp_path: Path) -> list[Scan]:
    """Two modalities, two classes, train and test; site a is all COVID among the X-rays."""
    found = []
    for modality in ("xray", "ct"):
        for place, label in enumerate(CLASS_NAMES):
            for number, split in enumerate(("train", "train", "test")):
                path = tmp_path / "in" / modality / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                level = 100 * place + 10 * number + 20
                cv2.imwrite(str(path), shaded(20 + number, 30 + place + (modality == "ct"), level))
                source = "ab"[place] if modality == "xray" else "c"
                found.append(
                    Scan(
                        f"{modality}/{label}/{number}.png",
                        path,
                        modality,
                        label,
                        f"{label}{number}",
                        split,
                        source,
                    )
                )
    return found


def test_counts_sizes_intensities_and_shortcuts(scans: list[Scan]) -> None:
    document = inspect_scans(scans, ["a note"]).document()
    json.dumps(document, allow_nan=False)
    assert (document["scans"], document["patients"], document["notices"]) == (12, 6, ["a note"])
    assert {
        "source": "a",
        "modality": "xray",
        "label": "COVID",
        "split": "train",
        "scans": 2,
        "patients": 2,
    } in document["counts"]
    sizes = {(row["source"], row["label"]): row for row in document["sizes"]}
    assert sizes[("a", "COVID")]["height_least_px"] == 20 and sizes[("a", "COVID")]["height_most_px"] == 22
    level = next(row for row in document["intensity"] if row["source"] == "b")
    pixels = np.concatenate([np.tile(shaded(1, 31, gray).ravel(), 8) for gray in (120, 130, 140)])
    told = [np.percentile(pixels, share, method="inverted_cdf") for share in (1, 50, 99)]
    assert (level["mean"], [level["p1"], level["p50"], level["p99"]]) == (130, told)
    assert level["sd"] == pytest.approx(np.std(pixels), abs=0.01)
    assert document["leakage"]["labels_told_by_origin"] == [
        {"modality": "xray", "origin": "a", "label": "COVID"},
        {"modality": "xray", "origin": "b", "label": "Non_COVID"},
    ]


def test_unreadable_files_are_listed_and_copies_across_the_split_found(scans: list[Scan]) -> None:
    scans[0].path.write_bytes(b"")
    scans[5].path.write_bytes(scans[4].path.read_bytes())
    document = inspect_scans(scans).document()
    assert [row["id"] for row in document["unreadable"]] == [scans[0].id]
    assert "zero bytes" in document["unreadable"][0]["error"]
    assert document["leakage"]["identical_pixels_across_splits"] == [[scans[4].id, scans[5].id]]


def test_one_source_is_no_shortcut(scans: list[Scan]) -> None:
    assert origins_with_one_label([scan for scan in scans if scan.modality == "ct"]) == []
    assert sum(row["scans"] for row in count_rows(scans)) == len(scans)


def test_a_set_that_mixes_origins_is_seen_through_its_patient_ids() -> None:
    scans = [
        Scan(str(number), Path("x"), "xray", label, f"{origin}:{number}", "", "one set")
        for number, (origin, label) in enumerate(
            [("web", "COVID"), ("web", "Non_COVID"), ("ward", "Non_COVID")]
        )
    ]
    assert origins_with_one_label(scans) == [{"modality": "xray", "origin": "ward", "label": "Non_COVID"}]


def test_figures_draw_every_group(scans: list[Scan]) -> None:
    figures = inspection_figures(inspect_scans(scans))
    assert set(figures) == {"counts", "sizes", "intensity"}
    assert len(figures["sizes"].axes[0].collections) == 4
    assert sum(len(axes.lines) for axes in figures["intensity"].axes) == 4
    for axes in figures["intensity"].axes:
        assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == len(axes.lines)
        assert len({line.get_linestyle() for line in axes.lines}) == len(axes.lines), "colour alone tells them apart"
    of_one_place = [float(marks.get_sizes()[0]) for marks in figures["sizes"].axes[0].collections]
    assert len(set(of_one_place)) == 4, "groups of one size hide each other"
    assert sum(bar.get_width() for bar in figures["counts"].axes[0].patches) == 12


@pytest.mark.parametrize("how", ["link", "copy"])
def test_prepared_folders_read_back_as_the_same_scans(scans: list[Scan], tmp_path: Path, how: str) -> None:
    out = tmp_path / "out" / "four"
    assert prepare_folders(scans, out, tmp_path / "in", how) == 12
    back = read_respiratory_folders(out)

    def key(s: Scan) -> tuple[str, ...]:
        return (s.modality, s.label, s.split, s.patient_id, s.source)

    assert sorted(map(key, back)) == sorted(map(key, scans))
    assert all(scan.path.is_symlink() == (how == "link") for scan in back)
    assert [path.name for path in out.parent.iterdir()] == ["four"]


def test_prepare_refuses_bad_places_and_leaves_nothing_behind(scans: list[Scan], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="never written to"):
        prepare_folders(scans, tmp_path / "in" / "out", tmp_path / "in")
    with pytest.raises(DataError, match="not empty"):
        prepare_folders(scans, tmp_path / "in", tmp_path / "other")
    scans[3].path.unlink()
    with pytest.raises(DataError, match="no such file"):
        prepare_folders(scans, tmp_path / "out", tmp_path / "in")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
