"""Chromium without a window, and a service for it. Tests marked browser are skipped where Chromium or axe-core is absent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_collection_modifyitems(items):
    from in_chromium import AXE, CHROMIUM

    absent = [name for name, there in (("chromium", CHROMIUM), ("axe-core", AXE.is_file())) if not there]
    for item in items:
        if absent and "browser" in item.keywords:
            item.add_marker(pytest.mark.skip(reason=f"{' and '.join(absent)} not installed; .ci/run does that"))


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    from in_chromium import CHROMIUM
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def place(tiny_bundles, tmp_path_factory) -> Iterator:
    """A service that listens: its address, its application, and the folder of its segmenter."""
    from served import listening
    from tiny_segmenter import write_segmenter

    from pipeline.service.settings import ServiceSettings

    lungs = write_segmenter(tmp_path_factory.mktemp("lungs") / "tiny_lungs")
    with listening(ServiceSettings(bundles=(*tiny_bundles, lungs))) as (address, application):
        yield address, application, lungs


@pytest.fixture
def open_page(chromium, place) -> Callable:
    """Opens the page of the service; see `watched`."""
    from in_chromium import watched

    return lambda **of_context: watched(chromium, place[0], **of_context)
