"""A base installation into a clean environment, from the repository as pip builds it: what it weighs, and that it answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
BUNDLES = ROOT / "pretrained"
SCANS = ROOT / "tests" / "pretrained" / "respiratory_mtl_scans"
XRAY, CT = SCANS / "covid_12_xray.png", SCANS / "covid_12_ct.png"
# Of training, or of tables and figures: nothing that answers may bring them.
ABSENT = {"tensorflow", "keras", "keras-cv", "keras-hub", "tf2onnx", "torch", "pandas", "scipy", "scikit-learn", "matplotlib"}
LIMIT_MB = 1200
WEIGH = """
import json
from importlib.metadata import distributions
def weight(found):
    return sum(path.stat().st_size for path in map(found.locate_file, found.files or ()) if path.is_file())
print(json.dumps({found.metadata["Name"].lower().replace("_", "-"): weight(found) for found in distributions()}))
"""


class Environment:
    """A virtual environment with nothing in it but pip and the package, and a folder elsewhere to call it from."""

    def __init__(self, folder: Path) -> None:
        self.elsewhere, self.programs = folder / "elsewhere", folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.elsewhere.mkdir()
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        self.call("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT))

    def call(self, program: str, *words: object, code: int = 0) -> subprocess.CompletedProcess:
        settings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        command = [str(self.programs / program), *map(str, words)]
        done = subprocess.run(command, cwd=self.elsewhere, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr
        return done

    def respiratory(self, *words: object, code: int = 0) -> subprocess.CompletedProcess:
        return self.call("respiratory", *words, code=code)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Environment:
    return Environment(tmp_path_factory.mktemp("base"))


def test_what_it_weighs(base, capsys):
    weights = json.loads(base.call("python", "-c", WEIGH).stdout)
    assert "respiratory-pipeline" in weights and not set(weights) & ABSENT
    megabytes = {name: weight / 1e6 for name, weight in weights.items() if name not in ("pip", "setuptools")}
    largest = sorted(megabytes, key=megabytes.__getitem__, reverse=True)[:5]
    with capsys.disabled():
        print(f"\nbase installation: {sum(megabytes.values()):.0f} MB in {len(megabytes)} packages; "
              + ", ".join(f"{name} {megabytes[name]:.0f}" for name in largest))  # fmt: skip
    assert sum(megabytes.values()) < LIMIT_MB


def test_a_pair_is_answered_as_in_the_repository(base):
    words = ("predict", "--bundle", BUNDLES / "respiratory_mtl", "--xray", XRAY, "--ct", CT, "--json")
    answer = json.loads(base.respiratory(*words).stdout)
    command = [sys.executable, "run_pipeline.py", *map(str, words)]
    expected = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert len(answer["answers"]) == 3
    for given, known in zip(answer["answers"], expected["answers"], strict=True):
        assert given["predicted"] == known["predicted"] and given["probability"] == pytest.approx(known["probability"], abs=1e-3)


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "--bundle", BUNDLES / "respiratory_mtl"],
        ["predict", "--bundle", BUNDLES / "respiratory_mtl", "--xray", XRAY, "--gradcam", "heat"],
        ["segment", XRAY, "--bundle", BUNDLES / "radiography_unet", "--out", "segmented", "--gradcam", "--masks"],
        ["classify", XRAY, "--bundle", BUNDLES / "pneumonia_binary", "--out", "classified", "--gradcam"],
        ["classify", XRAY, "--bundle", BUNDLES / "pneumonia_three_class"],
        ["classify", XRAY, "--bundle", BUNDLES / "vision_text", "--note", "fever and cough for three days"],
        ["validate", XRAY, "--json"],
        ["describe"],
        ["describe", "s04"],
        ["plan", "-c", ROOT / "configs" / "demo.yaml"],
        ["data", "phantom", "--out", "phantoms", "--patients", "4"],
        ["--version"],
        ["--help"],
        ["run", "--help"],
        ["bundle", "amend", "--help"],
    ],
    ids=lambda words: " ".join(str(word) for word in words[:2]),
)
def test_a_command_that_the_base_answers(base, words):
    assert base.respiratory(*words).stdout.strip()


def test_a_bundle_is_amended(base):
    copy = base.elsewhere / "copy"
    shutil.copytree(BUNDLES / "pneumonia_binary", copy)
    base.respiratory("bundle", "amend", "--bundle", copy, "--section", "gate", "--remove")
    assert "gate" not in json.loads((copy / "bundle.json").read_text())


def test_without_a_bundle_the_repositorys_is_named(base):
    told = base.respiratory("predict", code=3).stderr
    assert f"--bundle {BUNDLES / 'respiratory_mtl'}" in told


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["run", "-c", ROOT / "configs" / "demo.yaml"], "train"), (["demo"], "train"), (["compare", "--run", "x"], "evaluate"),
        (["evaluate", "--bundle", BUNDLES / "pneumonia_binary", "--data", SCANS, "--out", "evaluated"], "evaluate"),
        (["segment", XRAY, "--runtime", "openvino", "--bundle", BUNDLES / "radiography_unet", "--out", "never"], "openvino"),
        (["data", "download", "pneumonia"], "download"), (["serve"], "serve"),
    ],
)  # fmt: skip
def test_a_command_that_needs_an_extra_names_it(base, words, extra):
    said = base.respiratory(*words, code=2).stderr
    assert f"pip install '.[{extra}]'" in said
    assert not {"runs", "never", "evaluated"} & {path.name for path in base.elsewhere.iterdir()}


def test_the_library_is_imported_from_any_folder(base):
    told = base.call("python", "-c", "import pipeline, stages, sys; print(pipeline.__file__); assert 'pandas' not in sys.modules")
    assert Path(told.stdout.strip()).is_relative_to(base.programs.parent)
    typed = Path(told.stdout.strip()).with_name("py.typed")
    assert typed.is_file()
