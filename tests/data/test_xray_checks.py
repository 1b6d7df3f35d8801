"""The nine checks: hand-computed values, and a picture that fails each alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.data.gate.xray_checks import (
    CHECK_NAMES,
    check_xray,
    contrast,
    dark_bright_balance,
    gray_level_count,
    histogram_entropy,
    horizontal_edge_share,
    local_variance,
    mean_channel_difference,
)

SIZE = 300


def textured(low: int = 0, high: int = 256, side: int = SIZE) -> np.ndarray:
    """A smooth ramp with horizontal bars and fine noise: passes all nine."""
    random = np.random.default_rng(0)
    ramp = np.linspace(low, high - 1, side)[None] * np.ones((side, 1))
    ramp[::20] *= 0.5
    return np.clip(ramp + random.normal(0, 9, ramp.shape), 0, 255).astype(np.uint8)


def failed(gray: np.ndarray, rgb: np.ndarray | None = None) -> set[str]:
    return {check.name for check in check_xray(gray, rgb) if not check.passed}


def test_a_textured_picture_passes_all_nine():
    checks = check_xray(textured())
    assert tuple(check.name for check in checks) == CHECK_NAMES and len(checks) == 9
    assert [check.message for check in checks] == [""] * 9


def test_values_by_hand():
    halves = np.zeros((8, 10), np.uint8)
    halves[:, 5:] = 200
    assert contrast(halves) == 100
    assert histogram_entropy(halves) == 1
    assert gray_level_count(halves) == 2
    assert dark_bright_balance(halves) == 0
    # Of 0…99, 25 values lie below 24.75 and 25 above 74.25.
    assert dark_bright_balance(np.arange(100, dtype=np.uint8).reshape(10, 10)) == 0.25
    # 30 zeros: the 25th percentile is 0, and nothing is darker.
    assert dark_bright_balance(np.array([0] * 30 + list(range(1, 71)), np.uint8).reshape(10, 10)) == 0
    assert histogram_entropy(np.arange(256, dtype=np.uint8).reshape(16, 16)) == 8
    # Each pixel of a one-pixel checkerboard of 0 and 2 is 1 away from the mean 1 of its 8×8 neighbourhood.
    board = (np.indices((64, 64)).sum(0) % 2 * 2).astype(np.uint8)
    assert local_variance(board) == pytest.approx(1)
    assert local_variance(np.full((20, 20), 255, np.uint8)) == 0


def test_the_colour_difference_averages_the_three_pairs():
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[..., 0] = 30
    assert mean_channel_difference(rgb) == 20
    assert mean_channel_difference(None) == 0


def test_horizontal_edges_count_and_vertical_ones_do_not():
    bars = np.zeros((100, 100), np.uint8)
    bars[40:60] = 255
    assert horizontal_edge_share(bars) > 0.015
    assert horizontal_edge_share(bars.T.copy()) == 0


def coloured() -> np.ndarray:
    rgb = np.repeat(textured()[..., None], 3, axis=2)
    rgb[..., 2] = rgb[..., 2] // 2
    return rgb


CASES = {
    "dimension": (textured(side=255), None, "Image is too small. Minimum dimension should be 256 pixels for X-ray analysis."),
    "grayscale": (textured(), coloured(), "Image appears to be colorful. X-ray images must be grayscale."),
    "brightness": (textured(0, 38), None, "Image is too dark for an X-ray."),
    "anatomical_detail": (
        cv2.GaussianBlur(textured(), (0, 0), 6),
        None,
        "Image lacks anatomical detail. X-rays should show lung structures and ribs.",
    ),
    "rib_structure": (
        np.clip(np.linspace(0, 255, SIZE)[None] + 12.0 * (np.indices((SIZE, SIZE))[1] % 2), 0, 255).astype(np.uint8),
        None,
        "No rib-like structures detected. X-rays should show rib outlines.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_check_says_what_is_wrong(name):
    gray, rgb, message = CASES[name]
    found = {check.name: check for check in check_xray(gray, rgb)}
    assert not found[name].passed and found[name].message == message


def test_flat_and_two_tone_pictures_fail_the_tone_checks():
    assert {"contrast", "anatomical_detail", "histogram_entropy", "rib_structure", "gray_levels"} <= failed(
        np.full((SIZE, SIZE), 128, np.uint8)
    )
    two = np.zeros((SIZE, SIZE), np.uint8)
    two[:, ::3] = 250
    assert {"histogram_entropy", "lung_field_balance", "gray_levels"} <= failed(two)
    assert "brightness" in failed(np.full((SIZE, SIZE), 250, np.uint8))


def test_bounds_are_inclusive_and_spelled_out():
    checks = {check.name: check for check in check_xray(textured(side=256))}
    assert checks["dimension"].passed and checks["dimension"].value == 256
    assert {name: check.threshold for name, check in checks.items()} == {
        "dimension": ">= 256", "grayscale": "<= 8", "brightness": "20 to 240", "contrast": ">= 8",
        "anatomical_detail": ">= 20", "histogram_entropy": ">= 3", "rib_structure": ">= 0.0005",
        "lung_field_balance": ">= 0.05", "gray_levels": ">= 50",
    }  # fmt: skip
