"""The one preprocessing: its operations, its resize rule, its names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.data.preprocessing import Profile, preprocess, resize_square


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 300), st.integers(16, 300), st.sampled_from([16, 64, 224]))
def test_any_scan_becomes_the_size_and_a_flat_one_stays_flat(height: int, width: int, size: int) -> None:
    result = preprocess(
        noise(height, width), Profile(modality="ct", size=size, operations=("clahe", "opening"))
    )
    assert result.shape == (size, size) and result.dtype == np.uint8
    flat = resize_square(np.full((height, width), 77, np.uint8), size)
    assert np.unique(flat).tolist() == [77]


def test_shrinking_averages_areas() -> None:
    gray = noise(64, 64)
    blocks = gray.reshape(32, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(resize_square(gray, 32) - blocks).max() <= 0.5


def test_an_axis_that_shrinks_is_averaged_even_where_the_other_grows() -> None:
    stripes = np.tile(np.array([0, 0, 0, 255], np.uint8), (20, 64))
    result = resize_square(stripes, 32)
    assert result.shape == (32, 32)
    assert np.unique(result).tolist() == [64]


def test_operations_are_the_tabled_ones_in_their_order_before_the_resize() -> None:
    gray = noise(120, 100)
    clahe = cv2.createCLAHE(clipLimit=4.0, tileGridSize=(8, 8))
    expected = cv2.morphologyEx(clahe.apply(gray), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    expected = cv2.resize(expected, (64, 64), interpolation=cv2.INTER_AREA)
    both = preprocess(gray, Profile(modality="ct", size=64, operations=("clahe", "opening")))
    np.testing.assert_array_equal(both, expected)
    turned = preprocess(gray, Profile(modality="ct", size=64, operations=("opening", "clahe")))
    assert (both != turned).any()


@pytest.mark.parametrize("operations", [(), ("equalize", "opening"), ("clahe",)])
def test_the_scan_itself_is_untouched_and_never_returned(operations: tuple[str, ...]) -> None:
    gray = noise(64, 64)
    before = gray.copy()
    result = preprocess(gray, Profile(modality="xray", size=64, operations=operations))
    np.testing.assert_array_equal(gray, before)
    assert not np.shares_memory(result, gray)


def test_threads_give_the_same_pixels() -> None:
    scans = [noise(200, 220, seed) for seed in range(12)]
    profile = Profile(modality="ct", size=64, operations=("clahe",))
    alone = [preprocess(gray, profile) for gray in scans]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda gray: preprocess(gray, profile), scans))
    np.testing.assert_array_equal(together, alone)


def test_keys_tell_profiles_apart() -> None:
    profiles = [
        Profile(modality=modality, size=size, operations=operations)
        for modality in ("xray", "ct")
        for size in (224, 331)
        for operations in ((), ("clahe",), ("opening",), ("clahe", "opening"), ("opening", "clahe"))
    ]
    assert len({profile.key for profile in profiles}) == len(profiles)
    assert profiles[3].key == "xray_224_clahe_opening"


@pytest.mark.parametrize(
    "wrong", [{"size": 8}, {"size": 4096}, {"operations": ("blur",)}, {"modality": "mr"}, {"x": 1}]
)
def test_profiles_are_checked(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Profile(**({"modality": "ct"} | wrong))
