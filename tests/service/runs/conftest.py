"""A run made by the engine in milliseconds, and a service that shows it; its models are never opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
sys.path.insert(0, str(Path(__file__).parent))
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def run(tmp_path) -> Path:
    """A finished run, in a folder whose name has to be escaped."""
    from browsing import make_run

    return make_run(tmp_path / ("first & b" if os.name == "nt" else "first & <b>"))


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory) -> Path:
    """A finished run that no test changes."""
    from browsing import make_run

    from browsing import make_run

    return make_run(tmp_path_factory.mktemp("kept") / "kept")


@pytest.fixture
def browse():
    """``browse(*folders, **settings)`` → a client of a service that shows them."""
    from fastapi.testclient import TestClient

    from pipeline.service.application import make_application
    from pipeline.service.settings import ServiceSettings

    def browse(*folders: Path, **settings) -> TestClient:
        told = ServiceSettings(runs=folders, stages="browsed_stages:STAGES", **settings)
        return TestClient(make_application(told), base_url="http://localhost", headers=BROWSER)

    return browse
