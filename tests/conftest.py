"""Tests are left out where what they need is not: real scans, POSIX; and what runs where, when two processes share them."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REAL_SCANS = ROOT.parent / "shared" / "data" / "manifest.csv"
TINY_RUN = "tests/stages/tiny_run"
# The fixtures of the tests of the stages that train it, or make its scans.
OF_TINY_RUN = re.compile(r"\b(?:tiny_run|run_tiny|compiled_run|tiny_inputs)\b")
# Begun first, for a long one that begins last is waited for by the others. The rest follows in the order of the files.
LONGEST = (TINY_RUN, "tests/training/test_segmentation_fit.py", "tests/export/test_segmenter_bundle.py",
           "tests/training/test_fusion_run.py")  # fmt: skip

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many processes as cores: threads of one would only take the other's core. Before any library reads them.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_addoption(parser):
    parser.addoption("--mutated-files", type=int, default=2000, help="Broken files that the slow test sends to the service.")


@pytest.fixture(scope="session")
def without_graphs():
    """Runs what is called inside it without compiling: tracing 75 small networks takes far longer than training them."""
    import tensorflow as tf

    @contextmanager
    def eagerly():
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)

    return eagerly


def pytest_collection_modifyitems(config, items):
    absent = {
        "realdata": None if REAL_SCANS.exists() else "../shared/data is absent",
        "posix": None if os.name == "posix" else "the system knows no such signals, pipes, limits or links",
    }
    for marker, reason in absent.items():
        for item in items:
            if reason is not None and marker in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: LONGEST.index(group) if (group := group_of(item.nodeid)) in LONGEST else len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file's tests run in one process, for they share what was trained; so do all files that share the tiny run.

    The groups of xdist 3.8 itself ("loadgroup") have no effect under pytest 9.2.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByGroup(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


@cache
def group_of(nodeid: str) -> str:
    file = nodeid.split("::")[0]
    path = ROOT / file
    return TINY_RUN if path.is_file() and OF_TINY_RUN.search(path.read_text(encoding="utf-8")) else file
