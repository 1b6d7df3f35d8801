"""What the package asks for, what `make setup` installs, and what the code imports are the same packages."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.engine.extras import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
BASE = "base"
# Imported, and brought by a package that is asked for.
BROUGHT_ALONG = {"protobuf": "onnx", "pydantic-core": "pydantic", "huggingface-hub": "tokenizers"}


def asked_for() -> list[tuple[str, Requirement]]:
    """(base or the extra, requirement) of everything but the package's own extras."""
    lists = {BASE: PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    found = [(name, Requirement(text)) for name, texts in lists.items() for text in texts]
    return [(name, requirement) for name, requirement in found if requirement.name != PROJECT["name"]]


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def pins() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def tools() -> set[str]:
    return names([Requirement(text) for texts in PYPROJECT["dependency-groups"].values() for text in texts])


def imported() -> dict[str, set[str]]:
    """Top-level modules that are neither Python's nor the project's → the files that import them."""
    found: dict[str, set[str]] = {}
    for path in (*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "stages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            places = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            places += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for place in places:
                top = place.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in ("pipeline", "stages"):
                    found.setdefault(top, set()).add(path.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize(("extra", "requirement"), asked_for(), ids=lambda value: str(value))
def test_what_the_package_asks_for_is_pinned(extra, requirement):
    held = [pin for pin in pins() if names([pin]) == names([requirement]) and str(pin.marker) == str(requirement.marker)]
    assert len(held) == 1, f"{requirement} of {extra}: {[str(pin) for pin in held]}"
    (version,) = held[0].specifier
    assert version.operator == "==" and requirement.specifier.contains(version.version)
    assert any(bound.operator in ("~=", "==", ">=") for bound in requirement.specifier)


def test_what_is_pinned_is_asked_for_or_is_a_tool():
    pinned = [next(iter(names([pin]))) for pin in pins() if pin.marker is None]
    assert len(pinned) == len(set(pinned))
    run_time = names([requirement for _, requirement in asked_for()])
    assert names(pins()) - run_time == tools()


def test_the_package_is_built_by_the_pinned_builder():
    built_by = [Requirement(text) for text in PYPROJECT["build-system"]["requires"]]
    assert built_by and {str(requirement) for requirement in built_by} <= {str(pin) for pin in pins()}


def test_answering_asks_for_neither_training_nor_tables():
    heavy = {"tensorflow", "keras", "keras-cv", "keras-hub", "tf2onnx", "pandas", "scipy", "scikit-learn", "matplotlib"}
    assert not names([requirement for extra, requirement in asked_for() if extra == BASE]) & heavy


def test_each_extras_modules_come_from_its_packages():
    """That the message names the right extra. `make setup` installs every one."""
    providers, listed = packages_distributions(), {extra: set() for extra in EXTRAS}
    for extra, requirement in asked_for():
        listed.setdefault(extra, set()).add(canonicalize_name(requirement.name))
    brought = {module: {canonicalize_name(name) for name in providers.get(module, ())} for module in sum(EXTRAS.values(), ())}
    assert [module for module, packages in brought.items() if not packages] == []
    assert [module for extra in EXTRAS for module in EXTRAS[extra] if not brought[module] & listed[extra]] == []
    assert set(EXTRAS) == set(PROJECT["optional-dependencies"])
    # an extra may ask again for what another brings
    assert set().union(*listed.values()) - listed[BASE] == set().union(*brought.values())


def test_what_the_code_imports_is_asked_for():
    providers, base = packages_distributions(), names([requirement for extra, requirement in asked_for() if extra == BASE])
    optional = {module for modules in EXTRAS.values() for module in modules}
    unasked = {}
    for module, files in imported().items():
        # one that is not installed here is taken to be called as its package
        packages = {canonicalize_name(name) for name in providers.get(module, (module,))}
        packages = {BROUGHT_ALONG.get(package, package) for package in packages}
        if module not in optional and not packages & base:
            unasked[module] = files
    assert unasked == {}


def test_the_supported_pythons_are_the_makefiles():
    supported = re.search(r"^SUPPORTED := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert supported is not None
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(20) if allowed.contains(f"3.{minor}.0")] == supported[1].split()
