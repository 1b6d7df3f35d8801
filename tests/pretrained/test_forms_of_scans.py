"""A scan in every form that Python has one gets the same answer of every shipped bundle, to the last digit."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import open_bundle
from pipeline.cli.app import main

SCANS = Path(__file__).parent / "respiratory_mtl_scans"
XRAY, CT = SCANS / "viral_14_xray.png", SCANS / "viral_14_ct.png"
BUNDLES = ("respiratory_mtl", "pneumonia_binary", "radiography_unet", "vision_text")
EIGHT = cv2.imread(str(XRAY), cv2.IMREAD_UNCHANGED)
DEEP = (EIGHT.astype(np.uint16) << 4) + (np.arange(EIGHT.size, dtype=np.uint16).reshape(EIGHT.shape) & 15)
COLOUR = np.stack([EIGHT, np.roll(EIGHT, 1, axis=0), EIGHT // 2], axis=-1)


@pytest.fixture(scope="module", params=BUNDLES)
def opened(request):
    return open_bundle(request.param)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    for name, pixels in {"deep": DEEP, "colour": COLOUR, "deep colour": COLOUR.astype(np.uint16) << 6}.items():
        cv2.imwrite(str(folder / f"{name}.png"), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return {path.stem: path for path in folder.iterdir()}


FORMS = {
    "text": (None, str(XRAY)),
    "uint8": (None, EIGHT),
    "one channel": (None, EIGHT[..., None]),
    "three equal channels": (None, np.repeat(EIGHT[..., None], 3, axis=2)),
    "float64": (None, EIGHT / 255),
    "float32": (None, (EIGHT / 255).astype(np.float32)),
    "uint16": ("deep", DEEP),
    "big-endian uint16": ("deep", DEEP.astype(">u2")),
    "RGB": ("colour", COLOUR),
    "RGB in floats": ("colour", COLOUR / 255),
    "RGB of 16 bits": ("deep colour", COLOUR.astype(np.uint16) << 6),
}


@pytest.fixture(scope="module")
def of_files(opened, files):
    """The bundle's answer to each file."""
    return {name: opened.answer(xray=path) for name, path in {None: XRAY, **files}.items()}


@pytest.mark.parametrize(("file", "scan"), FORMS.values(), ids=FORMS)
def test_an_array_is_answered_as_its_file(opened, of_files, file, scan):
    expected, found = of_files[file], opened.answer(xray=scan)
    assert found.predicted is not None
    for mine, theirs in zip(found.findings, expected.findings, strict=True):
        assert mine.probabilities == pytest.approx(theirs.probabilities, abs=1e-6)
    assert found == expected
    if expected.lung_mask is not None:
        np.testing.assert_array_equal(found.lung_mask, expected.lung_mask)


def test_sixteen_bits_are_not_taken_for_eight(of_files):
    """The deep file is the plain one, finer and darker: no bundle may see another picture."""
    plain, deep = of_files[None], of_files["deep"]
    assert deep.predicted == plain.predicted and deep.confidence == pytest.approx(plain.confidence, abs=0.1)


COMMANDS = {
    "respiratory_mtl": ("predict", "--xray", XRAY, "--ct", CT),
    "pneumonia_binary": ("classify", XRAY),
    "radiography_unet": ("segment", XRAY),
    "vision_text": ("classify", XRAY, "--note", "dry cough and fever"),
}
ASKED = {
    "respiratory_mtl": {"xray": XRAY, "ct": CT}, "vision_text": {"image": XRAY, "note": "dry cough and fever"},
}  # fmt: skip


def test_python_says_what_the_command_says(opened, tmp_path, capsys):
    command, *words = COMMANDS[opened.path.name]
    out = ["--out", tmp_path] if command == "segment" else []
    assert main((), [str(word) for word in (command, *words, "--bundle", opened.path, *out, "--quiet", "--json")]) == 0
    told = json.loads(capsys.readouterr().out)["answers"]
    answer = opened.answer(**ASKED.get(opened.path.name, {"image": XRAY}))
    mine = answer.to_dict()["findings"]
    assert len(told) == len(mine)
    for theirs, finding in zip(told, mine, strict=True):
        shared = finding.keys() if command == "predict" else finding.keys() - {"warnings"}
        assert {name: theirs[name] for name in shared} == {name: finding[name] for name in shared}
        assert command == "predict" or theirs["warnings"] == list(answer.warnings)
