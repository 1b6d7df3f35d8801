"""`doctor` on Python, packages, processor and memory: families of what may lack, on a machine that lacks none of it."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from pipeline.cli.doctor import packages, processor
from pipeline.cli.doctor.finding import Finding, Request
from pipeline.inference.sessions import thread_count

ROOT = Path(__file__).resolve().parents[2]
REQUEST = Request(Path("runs"))
ASKED = packages.asked_for()
AMD = {"avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16"}
INTEL = AMD | {"amx_tile", "amx_bf16", "amx_int8"}


@pytest.fixture
def installed(monkeypatch):
    """Every package in the version that is asked for; `installed[name] = None` takes one away."""
    pins = packages.pins()
    versions = {one.name: next(iter(pins[one.name].specifier)).version for one in ASKED}
    monkeypatch.setattr(packages, "installed_version", lambda name: versions.get(name))
    monkeypatch.setattr(packages, "_import_fault", lambda module: "")
    return versions


def lacking() -> list[Finding]:
    return [one for one in packages.examine_packages(REQUEST) if one.state in ("lack", "broken")]


def test_where_all_is_here_nothing_lacks(installed):
    assert lacking() == []
    told = next(one for one in packages.examine_packages(REQUEST) if one.subject == "packages")
    assert told.told == f"{len(ASKED)} of {len(ASKED)} are here, in the versions that were asked for"


@pytest.mark.parametrize("asked", ASKED, ids=lambda one: one.name)
def test_each_package_that_is_missing_costs_something_and_can_be_installed(asked, installed):
    pin = f"{asked.requirement.name}=={installed.pop(asked.name)}"
    (found,) = lacking()
    assert found.subject == asked.name and found.mend == f"python -m pip install {pin}"
    assert found.state == ("broken" if asked.name in packages.ESSENTIAL else "lack")
    assert len(found.cost) > 8 and found.told.startswith("not installed")


@pytest.mark.parametrize("asked", ASKED, ids=lambda one: one.name)
def test_each_package_of_another_version_is_told(asked, installed):
    installed[asked.name] = "0.0.1"
    (found,) = lacking()
    assert found.state == "lack" and found.told.startswith("0.0.1, asked for is ==") and "another version" in found.cost


def test_every_extra_and_every_dispensable_package_has_its_price():
    extras = {one.extra for one in ASKED if one.extra != packages.BASE}
    base = {one.name for one in ASKED if one.extra == packages.BASE} - set(packages.ESSENTIAL)
    assert extras | base <= set(packages.COSTS)
    known = {one.name for one in ASKED} | extras
    assert set(packages.COSTS) <= known


def test_packages_whose_lack_costs_the_same_are_one(installed):
    for name in ("pandas", "scipy", "nibabel"):
        del installed[name]
    first, second = sorted(lacking(), key=lambda one: len(one.subject))
    assert first.subject == "nibabel" and second.subject == "pandas, scipy"
    assert second.mend.startswith("python -m pip install pandas==") and " scipy==" in second.mend


@pytest.mark.parametrize(("asked", "other"), [
    pytest.param(asked, other, marks=pytest.mark.skipif(
        asked not in {one.name for one in packages.asked_for()}, reason=f"{asked} is not for this system"))
    for asked, other in (("opencv-python-headless", "opencv-python"), ("onnxruntime-gpu", "onnxruntime"))
])  # fmt: skip
def test_another_build_answers_and_is_told(installed, asked, other):
    installed[other] = installed.pop(asked)
    (found,) = lacking()
    assert found.state == "lack" and f"in its place {other}" in found.told and f"uninstall {other}" in found.mend


def test_two_builds_lie_over_each_other(installed):
    installed["opencv-python"] = "5.0.0"
    (found,) = lacking()
    assert "installed twice: opencv-python-headless and opencv-python" in found.told


def test_an_essential_package_that_does_not_load_is_broken(installed, monkeypatch):
    fault = "libGL.so.1: cannot open shared object file"
    monkeypatch.setattr(packages, "_import_fault", lambda module: fault if module == "cv2" else "")
    (found,) = lacking()
    assert found.state == "broken" and fault in found.told


def test_an_import_that_fails_is_told_in_a_line():
    assert packages._import_fault("json") == "" and "no_such_module" in packages._import_fault("no_such_module")


@pytest.mark.parametrize(("version", "state"), [((3, 10), "lack"), ((3, 11), "ok"), ((3, 12), "ok"), ((3, 13), "lack")])
def test_the_pythons_that_are_supported(monkeypatch, version, state):
    monkeypatch.setattr(packages.sys, "version_info", (*version, 0))
    assert packages._python().state == state


def test_the_supported_pythons_are_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first, below = (".".join(map(str, version)) for version in (packages.PYTHON_FROM, packages.PYTHON_BELOW))
    assert project["requires-python"] == f">={first},<{below}"


def test_an_installed_package_says_the_same_of_itself(monkeypatch, tmp_path):
    """Without a repository: from the record that pip writes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = ["Metadata-Version: 2.4", f"Name: {project['name']}", "Version: 1"]
    lines += [f"Requires-Dist: {text}" for text in project["dependencies"]]
    for extra, texts in project["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        for text in texts:
            requirement, _, marker = text.partition("; ")
            both = f"({marker}) and extra == '{extra}'" if marker else f"extra == '{extra}'"
            lines.append(f"Requires-Dist: {requirement}; {both}")
    folder = tmp_path / "x.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr(packages, "ROOT", tmp_path / "nowhere")
    monkeypatch.setattr(packages.metadata, "distribution", lambda name: metadata.PathDistribution(folder))
    assert {(one.extra, one.name) for one in packages.asked_for()} == {(one.extra, one.name) for one in ASKED}
    assert packages.pins() == {}


# ----------------------------------------------------------------------------------------------------- processor


def told_of(flags: set[str], machine: str = "x86_64") -> dict[str, Finding]:
    return {one.subject: one for one in processor._instructions(flags, machine)}


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
def test_what_each_instruction_set_means(machine):
    amd, intel, old = (told_of(flags, machine) for flags in (AMD, INTEL, {"avx"}))
    assert amd["BF16"].told.startswith("yes") and "44 for 103 ms" in amd["BF16"].told and amd["AMX"].told.startswith("no")
    assert intel["AMX"].told.startswith("yes") and "9.4" in intel["AMX"].told
    assert old["AVX2"].state == "lack" and old["AVX"].state == "ok" and old["VNNI"].told.startswith("no")
    assert told_of(set(), machine)["AVX"].state == "lack" and "TensorFlow does not start" in told_of(set(), machine)["AVX"].cost
    assert {one.state for one in [*amd.values(), *intel.values()]} == {"ok", "told"}


def test_a_processor_of_another_kind_is_not_judged():
    assert [one.state for one in told_of(set(), "arm64").values()] == ["told"]


def test_this_processor(monkeypatch):
    found = {one.subject: one for one in processor.examine_processor(REQUEST)}
    assert f"{thread_count()} threads" in found["cores"].told and "GiB free of" in found["memory"].told
    monkeypatch.setattr(processor.platform, "machine", lambda: "riscv64")
    assert processor.examine_processor(REQUEST)[0].state == "told"


@pytest.mark.parametrize(("available", "state"), [(8 << 30, "ok"), (1 << 30, "lack")])
def test_little_memory_is_told(monkeypatch, available, state):
    real = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real._replace(total=16 << 30, available=available))
    monkeypatch.setattr(processor, "memory_limit", lambda: None)
    assert processor._memory().state == state


def test_a_containers_limit_counts(monkeypatch, tmp_path):
    real = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real._replace(total=64 << 30, available=60 << 30))
    (tmp_path / "memory.max").write_text(f"{2 << 30}\n", encoding="ascii")
    (tmp_path / "free").write_text("max\n", encoding="ascii")
    assert processor.memory_limit([tmp_path / "gone", tmp_path / "free"]) is None
    limit = processor.memory_limit([tmp_path / "free", tmp_path / "memory.max"])
    assert limit == 2 << 30
    monkeypatch.setattr(processor, "memory_limit", lambda: limit)
    found = processor._memory()
    assert found.state == "lack" and "2.0 GiB free of 2.0 that this container may take" in found.told
