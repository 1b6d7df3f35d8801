"""What makes a stage's code another code, and what does not."""

from __future__ import annotations

import importlib
import itertools

import pytest

from pipeline.engine.config import StageConfig
from pipeline.engine.contract import Artifact, Stage
from pipeline.engine.errors import PipelineError
from pipeline.engine.fingerprint import Fingerprinter
from pipeline.engine.hash_cache import HashCache

COUNT = itertools.count()
STEP = '''\
"""Makes something."""
from typing import TYPE_CHECKING
from pipeline.engine.seeds import derive_seed
from . import sibling
if TYPE_CHECKING:
    from {package}.typing_only import Something

class Settings:
    rate: float = 0.5
    """How fast it learns."""

# why it is one
def run(context):
    """Runs."""
    import numpy
    from {package}.deep.lazy import lazily
    module = "{package}.by_name"
    return 1 + 1
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose stage imports a sibling, a lazy module, and one by its name."""
    name = f"edited{next(COUNT)}"
    folder = tmp_path / name
    (folder / "deep").mkdir(parents=True)
    for file in ("__init__", "sibling", "by_name", "typing_only", "unrelated", "deep/__init__", "deep/lazy"):
        (folder / f"{file}.py").write_text("x = 1\n")
    (folder / "deep/lazy.py").write_text("lazily = 1\n")
    (folder / "step.py").write_text(STEP.format(package=name))
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def code(package, cache=None):
    step = importlib.import_module(f"{package.name}.step")
    stage = Stage(
        "s01_edited", "Edited.", StageConfig, lambda c: (), lambda c: (Artifact("a", "a.npy"),), step.run
    )
    with HashCache(cache) as hashes:
        return Fingerprinter(hashes).stage(stage)


def test_closure_holds_what_may_be_executed_and_nothing_else(package):
    name = package.name
    inside = {module.removeprefix(name) for module in code(package).modules if module.startswith(name)}
    assert inside == {"", ".step", ".sibling", ".deep", ".deep.lazy", ".by_name"}
    assert "pipeline.engine.seeds" in code(package).modules
    assert not any(module.startswith("numpy") for module in code(package).modules)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# why it is one", "# another reason"),
        ('"""Runs."""', '"""Runs fast."""'),
        ('"""Makes something."""', ""),
        ("return 1 + 1", "return (1\n        + 1)  # two"),
        ('"""How fast it learns."""', '"""The rate, from 0 to 1."""'),
        ('    """How fast it learns."""\n', ""),
    ],
)
def test_comments_docstrings_and_spaces_do_not_count(package, old, new):
    before = code(package)
    source = package / "step.py"
    source.write_text(source.read_text().replace(old, new))
    assert code(package).sha256 == before.sha256


def test_a_setting_and_its_default_count(package):
    before = code(package)
    source = package / "step.py"
    source.write_text(source.read_text().replace("rate: float = 0.5", "rate: float = 0.25"))
    assert code(package).sha256 != before.sha256


@pytest.mark.parametrize("file", ["step", "sibling", "by_name", "deep/lazy", "deep/__init__", "__init__"])
def test_edits_anywhere_in_the_closure_count(package, file):
    before = code(package)
    source = package / f"{file}.py"
    source.write_text(source.read_text() + "y = 2\n")
    assert code(package).sha256 != before.sha256


@pytest.mark.parametrize("file", ["unrelated", "typing_only"])
def test_edits_outside_the_closure_do_not_count(package, file):
    before = code(package)
    (package / f"{file}.py").write_text("x = 2\n")
    assert code(package).sha256 == before.sha256


def test_one_changed_module_is_named_alone(package):
    before = code(package).modules
    (package / "sibling.py").write_text("x = 2\n")
    after = code(package).modules
    assert [name for name in after if after[name] != before[name]] == [f"{package.name}.sibling"]


def test_remembered_hashes_follow_edits(package, tmp_path):
    cache = tmp_path / "cache.sqlite"
    before = code(package, cache)
    assert code(package, cache).sha256 == before.sha256
    (package / "sibling.py").write_text("x = 22\n")
    assert code(package, cache).sha256 != before.sha256


def test_a_module_that_does_not_parse_is_named(package):
    (package / "deep/lazy.py").write_text("def (:\n")
    with pytest.raises(PipelineError, match=r"lazy\.py line 1"):
        code(package)
