"""The package as it is built and installed: what is in it, what it says of itself, and what it does without its extras."""

from __future__ import annotations

import email
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest
from ruamel.yaml import YAML

from pipeline.engine.extras import EXTRAS
from pipeline.version import __version__

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = ROOT / "pretrained"
SCANS = ROOT / "tests" / "pretrained" / "respiratory_mtl_scans"
# Of the code, and what it shows.
KINDS = (".py", ".pyi", ".j2", ".css", ".js", ".svg", ".png", ".json")
SHIPPED = PurePosixPath("pipeline", "shipped")
# Names every module of an extra as absent before the command line starts.
BASE_INSTALL = (
    "import json, sys; [sys.modules.__setitem__(name, None) for name in json.loads(sys.argv[1])]; "
    "sys.path.insert(0, sys.argv[2]); sys.argv[0] = 'respiratory'; from pipeline.cli.app import main; from stages import STAGES; "
    "[print('exit', main(STAGES, words), file=sys.stderr) for words in json.loads(sys.argv[3])]"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder that an installation puts the packages in."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_installed(folder: Path, elsewhere: Path, *words: str) -> subprocess.CompletedProcess:
    """The installed command, from another folder."""
    script = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'respiratory'; from run_pipeline import command; "
    return subprocess.run(
        [sys.executable, "-P", "-c", script + "sys.exit(command())", str(folder), *words],
        cwd=elsewhere, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_wheel_holds_the_code_the_configurations_and_the_gate(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {PurePosixPath(name) for name in archive.namelist() if ".dist-info/" not in name}
    here = [*(ROOT / "pipeline").rglob("*"), *(ROOT / "stages").rglob("*")]
    code = {path.relative_to(ROOT) for path in here if path.suffix in KINDS or path.name == "py.typed"}
    configs = {SHIPPED / path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.yaml")}
    gate = {SHIPPED / path.relative_to(ROOT) for path in (BUNDLES / "gate").iterdir()}
    assert held == {*map(PurePosixPath, code), *configs, *gate, PurePosixPath("run_pipeline.py")}
    assert PurePosixPath("pipeline/py.typed") in held
    assert wheel.stat().st_size < 10e6


def test_what_the_wheel_says_of_itself(installed):
    (information,) = installed.glob("*.dist-info")
    told = email.message_from_bytes((information / "METADATA").read_bytes())
    assert (told["Name"], told["Version"], told["License-Expression"]) == ("respiratory-pipeline", __version__, "Apache-2.0")
    assert set(told["Requires-Python"].split(",")) == {">=3.11", "<3.13"}
    assert set(told.get_all("Provides-Extra")) == set(EXTRAS)
    assert (information / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    (command,) = metadata.PathDistribution(information).entry_points
    assert (command.group, command.name, command.value) == ("console_scripts", "respiratory", "run_pipeline:command")


@pytest.mark.parametrize(
    ("version", "taken"),
    [("3.9.18", False), ("3.10.13", False), ("3.11.0", True), ("3.12.9", True), ("3.13.0", False), ("3.14.0rc1", False)],
)
def test_a_python_that_is_not_supported_ends_the_build_in_a_line(monkeypatch, version, taken):
    spec = importlib.util.spec_from_file_location("supported_python", ROOT / ".ci" / "supported_python.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr("platform.python_version", lambda: version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    hook = module.SupportedPython(str(ROOT), {})
    if taken:
        assert hook.update(project) is None
    else:
        with pytest.raises(SystemExit, match=rf"needs Python >=3\.11,<3\.13; this is {re.escape(version)}"):
            hook.update(project)


def test_the_version_stands_in_one_place():
    asked = subprocess.run([sys.executable, "run_pipeline.py", "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert asked.stdout == f"respiratory-pipeline {__version__}\n"
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    own = re.compile(rf'^\w*version\w* = "{re.escape(__version__)}"', re.MULTILINE | re.IGNORECASE)
    holding = [path.name for path in (ROOT / "pipeline").rglob("*.py") if own.search(path.read_text(encoding="utf-8"))]
    assert holding == ["version.py"]
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_citation_is_one():
    """The keys that the Citation File Format 1.2.0 requires, and the form of the others."""
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    known = {"cff-version", "message", "type", "title", "abstract", "authors", "version", "license", "keywords", "date-released",
             "repository-code", "url"}  # fmt: skip
    assert set(citation) <= known and citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert all(citation[key] for key in ("message", "title", "authors"))
    assert all({"name"} == set(author) or {"family-names", "given-names"} <= set(author) for author in citation["authors"])
    assert citation["license"] == "Apache-2.0" and len(set(citation["keywords"])) == len(citation["keywords"])


def test_an_installed_package_works_from_any_folder(installed, tmp_path):
    assert run_installed(installed, tmp_path, "--version").stdout == f"respiratory-pipeline {__version__}\n"
    picture = SCANS / "covid_12_xray.png"
    judged = run_installed(installed, tmp_path, "validate", str(picture), "--json")
    assert judged.returncode == 0 and json.loads(judged.stdout)[0]["valid"]
    helped = run_installed(installed, tmp_path, "run", "--help")
    assert "Usage: respiratory run" in helped.stdout
    lost = run_installed(installed, tmp_path, "status", "--out", "nowhere")
    assert lost.returncode == 3 and "respiratory run -c" in lost.stderr
    planned = run_installed(installed, tmp_path, "plan", "-c", str(installed / SHIPPED / "configs" / "demo.yaml"))
    assert planned.returncode == 0, planned.stderr
    unknown = run_installed(installed, tmp_path, "plan", "-c", "configs/demo.yaml")
    assert unknown.returncode == 2 and str(installed / SHIPPED / "configs") in unknown.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("command", ["predict", "classify", "segment"])
def test_without_a_bundle_the_one_that_is_meant_is_named(installed, tmp_path, command, known):
    (information,) = installed.glob("*.dist-info")
    record = information / "direct_url.json"  # as pip writes it
    record.write_text(json.dumps({"url": ROOT.as_uri() if known else "https://example.org/x.whl", "dir_info": {}}))
    words = {"predict": [], "classify": ["x.png"], "segment": ["x.png", "--out", "out"]}[command]
    done = run_installed(installed, tmp_path, command, *words)
    record.unlink()
    assert done.returncode == 3 and "does not come with this copy" in done.stderr
    (named,) = re.findall(r"--bundle (\S+),", done.stderr)
    assert (Path(named) / "bundle.json").is_file() if known else named == "DIR"
    assert len(done.stderr.strip().splitlines()) == 2


def test_commands_that_need_an_extra_name_it(tmp_path):
    """In the place of a base installation: the modules of all extras are made absent."""
    missing, xray = [module for modules in EXTRAS.values() for module in modules], str(SCANS / "covid_12_xray.png")
    unet = str(BUNDLES / "radiography_unet")
    needing = {
        "train": [["run", "-c", "configs/demo.yaml"], ["run"], ["run", "--search", "3"], ["run", "--track", "x"],
                  ["demo", "--out", "never"], ["bench", "memory"], ["bench", "embed"],
                  ["bundle", "gate", "--data", "x", "--out", "never"],
                  ["segment", xray, "--bundle", unet, "--runtime", "keras", "--out", "never"]],
        "evaluate": [["compare", "--run", "x"], ["readers", "--help"], ["fairness", "--help"],
                     ["data", "phantom", "--out", "never", "--sheet", "x.png"],
                     ["classify", xray, "--bundle", str(BUNDLES / "pneumonia_binary"), "--shap", "--out", "never"]],
        "download": [["data", "download", "pneumonia"]],
        "openvino": [["segment", xray, "--bundle", unet, "--runtime", "openvino", "--out", "never"]],
    }  # fmt: skip
    calls = [(extra, words) for extra, lists in needing.items() for words in lists]
    done = subprocess.run(
        [sys.executable, "-c", BASE_INSTALL, json.dumps(missing), str(ROOT), json.dumps([words for _, words in calls])],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = re.split(r"^exit (\d+)\n", done.stderr, flags=re.MULTILINE)
    assert len(told) == 2 * len(calls) + 1, done.stderr
    for (extra, words), said, code in zip(calls, told[::2], told[1::2], strict=False):
        assert code == "2" and f"pip install '.[{extra}]'" in said, (words, said)
        assert "Traceback" not in said and len(said.strip().splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []
