"""Copies of pictures are found however they were saved, scaled or flipped, and other pictures are not taken for them."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.reading.gray_reader import read_gray
from pipeline.data.scans import TEST, TRAIN, Scan
from pipeline.data.splitting.leakage import find_leakage
from pipeline.data.splitting.near_duplicates import FLIPS, find_near_duplicates, thumbnail

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


def jpeg(gray: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def scaled(gray: np.ndarray, factor: float, how: int) -> np.ndarray:
    return cv2.resize(gray, None, fx=factor, fy=factor, interpolation=how)


def turned(gray: np.ndarray, flip: str) -> np.ndarray:
    across, down = FLIPS[flip]
    return np.ascontiguousarray(gray[:: -1 if down else 1, :: -1 if across else 1])


WAYS = {
    "jpeg 30": lambda gray: jpeg(gray, 30),
    "jpeg 75": lambda gray: jpeg(gray, 75),
    "half": lambda gray: scaled(gray, 0.5, cv2.INTER_AREA),
    "a third, linear": lambda gray: scaled(gray, 0.33, cv2.INTER_LINEAR),
    "double": lambda gray: scaled(gray, 2, cv2.INTER_CUBIC),
    "square": lambda gray: cv2.resize(gray, (224, 224)),
    "mirrored": lambda gray: turned(gray, "mirrored"),
    "upside down": lambda gray: turned(gray, "upside down"),
    "turned by 180°": lambda gray: turned(gray, "turned by 180°"),
    "mirrored, half, jpeg 60": lambda gray: jpeg(scaled(turned(gray, "mirrored"), 0.5, cv2.INTER_AREA), 60),
}


def picture(seed: int) -> np.ndarray:
    """Smooth shapes under fine noise, 200x160."""
    chance = np.random.default_rng(seed)
    coarse = cv2.resize(chance.uniform(0, 255, (9, 8)).astype(np.float32), (160, 200), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + chance.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)


def pairs_of(pictures: list[np.ndarray]) -> dict[tuple[int, int], str]:
    return {(pair.first, pair.second): pair.flip for pair in find_near_duplicates([thumbnail(each) for each in pictures])}


@pytest.mark.parametrize("way", WAYS)
def test_copies_are_found_and_nothing_else(way):
    originals = [picture(seed) for seed in range(60)]
    found = pairs_of([*originals, *map(WAYS[way], originals)])
    assert set(found) == {(number, number + 60) for number in range(60)}
    assert set(found.values()) == {way.split(",")[0] if way.split(",")[0] in FLIPS else ""}


def test_equal_pictures_stand_for_each_other_and_flat_ones_are_like_none():
    one, flat = picture(0), np.full((50, 50), 80, np.uint8)
    assert pairs_of([one, picture(1), one, one, flat, flat, flat + 1, jpeg(one, 50)]) == {(0, 2): "", (0, 3): "", (0, 7): ""}
    assert find_near_duplicates([]) == find_near_duplicates([thumbnail(one)]) == []


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(FLIPS)), st.integers(40, 100), st.floats(0.4, 3), st.integers(2, 30))
def test_any_copy_is_found_among_any_others(seed, flip, quality, factor, others):
    one = picture(seed)
    copy = jpeg(scaled(turned(one, flip), factor, cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR), quality)
    found = pairs_of([one, *(picture(seed + number) for number in range(1, others)), copy])
    assert found == {(0, others): flip}


def test_near_pairs_are_told_by_split_and_label():
    scans = [Scan("a", Path("a"), "xray", "X", split=TRAIN), Scan("b", Path("b"), "xray", "X", split=TEST),
             Scan("c", Path("c"), "xray", "Y", split=TRAIN), Scan("d", Path("d"), "xray", "Y", split=TRAIN)]  # fmt: skip
    one, other = picture(0), picture(1)
    thumbnails = dict(zip("abcd", map(thumbnail, (one, jpeg(one, 60), turned(one, "mirrored"), other)), strict=True))
    found = find_leakage(scans, dict(zip("abcd", "1234", strict=True)), thumbnails)
    assert [str(pair) for pair in found.near_across] == ["a = b", "b = c (mirrored)"]
    assert [str(pair) for pair in found.near_conflicts] == ["a = c (mirrored)", "b = c (mirrored)"]
    assert not found.sentences() and len(found.near_sentences()) == 2
    assert found.near_sentences()[0].startswith("2 pairs of images are nearly one picture on two sides of the split")
    identical = find_leakage(scans, dict.fromkeys("abc", "1"), thumbnails)
    assert identical.near == [] and identical.pixels


@pytest.mark.slow
def test_time_grows_with_the_pictures_and_not_with_their_square():
    """Means of random pairs of smooth pictures: as alike as chest pictures are."""
    chance = np.random.default_rng(0)
    base = np.array([thumbnail(picture(seed)) for seed in range(1000)], np.float32)
    seconds = []
    for count in (10_000, 40_000):
        mixed = sum(base[chance.integers(0, 1000, count)] for _ in range(4)) / 4
        begun = time.process_time()
        find_near_duplicates(mixed.astype(np.uint8))
        seconds.append(time.process_time() - begun)
    assert seconds[1] < 10 * seconds[0]


@pytest.mark.realdata
def test_real_scans_copies_and_what_is_one_picture_among_them():
    with (REAL / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    grays = [read_gray(REAL / row["image"]) for row in rows]
    thumbnails = [thumbnail(gray) for gray in grays]
    found = find_near_duplicates(thumbnails)
    names = [{Path(rows[place]["image"]).name for place in (pair.first, pair.second)}
             for pair in found if rows[pair.first]["patient_id"] != rows[pair.second]["patient_id"]]  # fmt: skip
    # Looked at, each of them: one picture that was published twice, under two patients, two of them under two classes.
    assert {"kjr-21-e24-p5-29.jpg", "71_0.jpg"} in names and {"kjr-21-e24-p5-31.jpg", "71_1.jpg"} in names
    assert len(names) == 8 and all(pair.flip == "" for pair in found)
    chosen = np.random.default_rng(0).choice(len(rows), 200, replace=False)
    for way, change in WAYS.items():
        copies = [thumbnail(change(grays[place])) for place in chosen]
        pairs = {(pair.first, pair.second - len(rows)) for pair in find_near_duplicates([*thumbnails, *copies])}
        hits = sum((int(place), number) in pairs for number, place in enumerate(chosen))
        assert hits >= 198, f"{way}: {hits} of 200"
