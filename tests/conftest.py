"""Tests marked `realdata` are left out where the real scans are not."""

from __future__ import annotations

from pathlib import Path

import pytest

REAL_SCANS = Path(__file__).resolve().parents[2] / "shared" / "data" / "manifest.csv"


def pytest_collection_modifyitems(config, items):
    if REAL_SCANS.exists():
        return
    absent = pytest.mark.skip(reason="../shared/data is absent")
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(absent)
