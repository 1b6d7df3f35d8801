"""Tests marked `realdata` are left out where the real scans are not; what runs where, when two processes share the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_SCANS = Path(__file__).resolve().parents[2] / "shared" / "data" / "manifest.csv"
# Begun first, for a long one that begins last is waited for by the others. The rest follows in the order of the files.
LONGEST = ("tests/stages/tiny_run", "tests/training/test_segmentation_fit.py", "tests/export/test_segmenter_bundle.py",
           "tests/training/test_fusion_run.py")  # fmt: skip

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many processes as cores: threads of one would only take the other's core. Before any library reads them.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if not REAL_SCANS.exists():
        absent = pytest.mark.skip(reason="../shared/data is absent")
        for item in items:
            if "realdata" in item.keywords:
                item.add_marker(absent)
    if "PYTEST_XDIST_WORKER" in os.environ:
        _keep_together(items)


def _keep_together(items: list[pytest.Item]) -> None:
    """A file's tests run in one process, for they share what was trained; so do all files that share the tiny run."""
    files = {item: item.nodeid.split("::")[0] for item in items}
    tiny = {files[item] for item in items if "tiny_inputs" in getattr(item, "fixturenames", ())}
    groups = {item: "tests/stages/tiny_run" if file in tiny else file for item, file in files.items()}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: LONGEST.index(groups[item]) if groups[item] in LONGEST else len(LONGEST))
