"""A service on tiny bundles and the shipped gate; ``served`` lies beside this file, the bundles' writers in tests/inference."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "inference")]


@pytest.fixture(scope="session")
def tiny_bundles(tmp_path_factory) -> tuple[Path, Path]:
    """A classifier and an X-ray and CT bundle of a few kilobytes."""
    from tiny_bundle import write_bundle
    from tiny_classifier import write_classifier

    folder = tmp_path_factory.mktemp("served")
    return write_classifier(folder / "tiny_classifier"), write_bundle(folder / "tiny_pair")


@pytest.fixture(scope="session")
def settings(tiny_bundles) :
    from pipeline.service.settings import ServiceSettings

    return ServiceSettings(bundles=tiny_bundles)


@pytest.fixture(scope="module")
def client(settings) -> Iterator:
    from served import serving

    with serving(settings) as ready:
        yield ready
