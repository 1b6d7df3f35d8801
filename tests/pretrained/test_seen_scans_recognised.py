"""The shipped bundles recognise the scans that they were trained on and chosen by, and no others; marked `realdata`.

`pytest -m realdata -s` on this file prints the table: of each bundle, part and kind of copy how many are recognised.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.layouts.data_source import read_scans
from pipeline.data.notes.clinical_notes import NoteMasker
from pipeline.data.reading.gray_reader import read_gray
from pipeline.data.scans import CT, XRAY
from pipeline.engine.config import load_run_config
from pipeline.engine.errors import DataError
from pipeline.engine.seeds import derive_seed
from pipeline.inference.bundle import read_description
from pipeline.inference.seen.seen_scans import open_section
from pipeline.inference.seen.words import CHOSEN_ON, TRAINED_ON, UNSEEN
from stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
BUNDLES = ("pneumonia_binary", "pneumonia_three_class", "radiography_unet", "respiratory_mtl", "vision_text")
TOLD = {"train": TRAINED_ON, "valid": CHOSEN_ON, "test": UNSEEN}
# Scans of the test part that are training scans under another patient's name, looked at one by one: no mistake.
COPIES = {"respiratory_mtl": {f"ct_covidct/COVID/kjr-21-e24-p5-{slice_}.jpg" for slice_ in (29, 31)}}

pytestmark = pytest.mark.realdata


@cache
def picture(path: Path) -> np.ndarray:
    return read_gray(path)


def halved(gray: np.ndarray) -> np.ndarray:
    return cv2.resize(gray, (gray.shape[1] // 2, gray.shape[0] // 2), interpolation=cv2.INTER_AREA)


def png(gray: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".png", gray)[1], cv2.IMREAD_GRAYSCALE)


FORMS = {"as it is": np.array, "PNG": png, "half": halved, "512": lambda gray: cv2.resize(gray, (512, 512))}


def split_of(name: str):
    """The scans that the bundle's configuration splits, those that its networks do not tell apart left out."""
    config = load_run_config(ROOT / "configs" / f"{name}.yaml", STAGES)
    document, data = read_description(ROOT / "pretrained" / name), config.stages["s01"].data
    scans = read_scans(DATA, data, derive_seed(config.seed, "s01_preprocessing"), lambda said: None)
    if "note" in document:
        masker = NoteMasker(tuple(document["note"]["mask_words"]))
        scans = [scan for scan in scans if masker.mask(scan.attributes.get("notes", "")).text]
    return [scan for scan in scans if scan.label in document["class_names"]]


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_recognises_what_it_learnt_from(name):
    seen, mine = open_section(ROOT / "pretrained" / name), split_of(name)
    assert {scan.modality for scan in mine} == set(seen)
    for form, copy in FORMS.items():
        found: dict[str, Counter] = {part: Counter() for part in TOLD}
        recognised = set()
        for scan in mine:
            told = seen[scan.modality].look(copy(picture(scan.path)))
            found[scan.split][told] += 1
            recognised |= {scan.id} if told != UNSEEN else set()
        for part, counts in found.items():
            print(f"{name:22} {form:9} {part:5} {dict(counts)}")
        for part in ("train", "valid"):
            # Validation scans that are copies of training scans, by another patient's name, are told as those.
            assert found[part].total() - found[part][UNSEEN] >= 0.995 * found[part].total(), (name, form, part)
            assert form not in ("as it is", "PNG") or found[part][TOLD[part]] == found[part].total(), (name, form, part)
        assert {scan.id for scan in mine if scan.split == "test"} & recognised == COPIES.get(name, set()), (name, form)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_recognises_nothing_else(name):
    seen, mine = open_section(ROOT / "pretrained" / name), {scan.path for scan in split_of(name)}
    sets = {CT: ["ct_covidct"], XRAY: ["cxr4", "cxr_nih", "cxr_ieee_other", "dicom"]}
    files = {modality: [p for name in names for p in sorted((DATA / name).rglob("*"))] for modality, names in sets.items()}
    others = {modality: [path for path in paths if path not in mine] for modality, paths in files.items()}
    for modality, scans in seen.items():
        counts: Counter = Counter()
        for path in [*others[modality], *others[CT if modality == XRAY else XRAY][:200]]:
            try:
                counts[scans.look(picture(path))] += 1
            except DataError:
                counts["unreadable"] += 1
        print(f"{name:22} {modality} others {dict(counts)}")
        assert set(counts) <= {UNSEEN, "unreadable"} and counts[UNSEEN]
