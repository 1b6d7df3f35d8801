"""`validate` from the command line: words, JSON, exit codes, strict, unreadable images."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli import app
from pipeline.data.gate.xray_checks import CHECK_NAMES

INFERENCE_TESTS = Path(__file__).parents[1] / "inference"


@pytest.fixture
def images(tmp_path, monkeypatch) -> dict[str, Path]:
    """The tiny bundle, and images: like training, upside down, small, colourful, broken."""
    monkeypatch.syspath_prepend(INFERENCE_TESTS)
    import tiny_gate

    gray = tiny_gate.near(1)
    pictures = {
        "near": gray,
        "far": tiny_gate.far(1),
        "small": cv2.resize(gray, (200, 200), interpolation=cv2.INTER_AREA),
        # Bluish, with the luma of the gray one.
        "colourful": np.clip(np.dstack([gray + 40.0, gray, gray - 15.0]), 0, 255).astype(np.uint8),
    }
    paths = {name: tmp_path / f"{name}.png" for name in (*pictures, "broken")}
    for name, pixels in pictures.items():
        cv2.imwrite(str(paths[name]), pixels)
    paths["broken"].write_bytes(paths["near"].read_bytes()[:900])
    return paths | {"absent": tmp_path / "absent.png", "bundle": tiny_gate.write_gate_bundle(tmp_path / "bundle")}


@pytest.fixture
def call(monkeypatch, capsys, images):
    """Run `validate` on the tiny bundle; returns (exit code, stdout, stderr)."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*words: object, bundle: Path | None = None) -> tuple[int, str, str]:
        code = app.main((), ["validate", *map(str, words), "--bundle", str(bundle or images["bundle"])])
        return code, *capsys.readouterr()

    return call


def test_json_has_the_fixed_shape_and_every_image_in_its_order(call, images):
    names = ["near", "far", "small", "broken", "absent"]
    code, out, _ = call(*(images[name] for name in names), "--json")
    rows = {Path(row["path"]).stem: row for row in json.loads(out)}
    assert code == 0 and list(rows) == names
    assert all(list(row) == ["path", "valid", "failed", "message", "checks", "kind", "distances", "thresholds",
                              "device", "threads"] for row in rows.values())
    assert {name: (row["valid"], row["failed"]) for name, row in rows.items()} == {
        "near": (True, []), "far": (False, ["embedding_distance"]), "small": (True, ["dimension"]),
        "broken": (False, ["readable"]), "absent": (False, ["readable"]),
    }  # fmt: skip
    assert list(rows["near"]["checks"]) == [*CHECK_NAMES, "embedding_distance"]
    assert rows["broken"]["checks"] == {} and "broken.png" in rows["broken"]["message"]


def test_words_name_refused_images_and_count_them(call, images):
    code, out, _ = call(images["near"], images["far"], images["colourful"], images["broken"], "--quiet")
    lines = out.splitlines()
    assert code == 0
    assert lines[-1] == "4 images: 2 valid, 1 refused, 1 unreadable."
    assert lines[0] == f"valid    {images['near']}"
    assert lines[1].startswith(f"refused  {images['far']}") and "looks like something other than a chest X-ray" in lines[1]
    assert "appears to be colorful" in lines[2] and lines[2].startswith("valid")


def test_strict_lets_the_nine_checks_refuse(call, images):
    code, out, _ = call(images["near"], images["small"], images["colourful"], "--strict", "--json")
    assert code == 0 and [row["valid"] for row in json.loads(out)] == [True, False, False]


@pytest.mark.parametrize("name", ["far", "broken", "absent"])
def test_no_valid_image_at_all_is_exit_code_4(call, images, name):
    code, out, err = call(images[name], "--json")
    assert code == 4 and len(json.loads(out)) == 1
    assert "None of the 1 images" in err


def test_a_folder_stands_for_its_images(call, images):
    _, out, _ = call(images["near"].parent, "--json")
    assert sorted(Path(row["path"]).stem for row in json.loads(out)) == ["broken", "colourful", "far", "near", "small"]


def test_a_bundle_that_is_not_there(call, images, tmp_path):
    code, _, err = call(images["near"], bundle=tmp_path / "nothing")
    assert code == 3 and "nothing" in err
