"""`doctor`: what it tells as words and as JSON, its exit codes, and that it neither changes nor loads what it need not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.doctor import command as doctor_command
from pipeline.cli.doctor import packages
from pipeline.cli.doctor.finding import Finding
from pipeline.engine.errors import CorruptArtifactError, MissingPackageError

ROOT = Path(__file__).resolve().parents[2]
STATES = {"ok", "told", "lack", "broken"}
# Blocks modules by name before the command line starts.
BLOCKING = """\
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])
BLOCKED = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Blocked())
from run_pipeline import command
code = command()
print("loaded", sorted({"tensorflow", "keras", "torch"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def blocking(modules: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BLOCKING, modules, *words], cwd=ROOT, capture_output=True, encoding="utf-8",
                          env=os.environ | {"PYTHONIOENCODING": "utf-8"}, check=False)  # fmt: skip


@pytest.fixture(scope="module")
def told():
    """(exit code, document, standard error) of this machine, in a process of its own."""
    done = blocking("nothing", "doctor", "--json")
    return done.returncode, json.loads(done.stdout), done.stderr


def test_the_document_says_of_each_lack_what_it_costs_and_how_to_mend_it(told):
    code, document, _ = told
    assert code == 0 and document["schema_version"] == 1 and document["answers"] is True
    findings = document["findings"]
    assert list(dict.fromkeys(finding["area"] for finding in findings)) == list(doctor_command.EXAMINATIONS)
    assert all(set(finding) == {"area", "subject", "state", "told", "cost", "mend"} for finding in findings)
    assert {finding["state"] for finding in findings} <= STATES and all(finding["told"] for finding in findings)
    for finding in findings:
        lacking = finding["state"] in ("lack", "broken")
        assert bool(finding["cost"]) == bool(finding["mend"]) == lacking
        assert "\n" not in finding["cost"] + finding["mend"]
    subjects = {finding["subject"] for finding in findings}
    assert {"Python", "packages", "cores", "memory", "CUDA driver", "onnxruntime", "TensorFlow", "bundle gate", "runs",
            "bundle respiratory_mtl", "weights of minilm", "weights of Keras", "temporary files"} <= subjects  # fmt: skip


def test_tensorflow_is_not_loaded(told):
    _, document, said = told
    assert "loaded []" in said
    assert [one["told"] for one in document["findings"] if one["subject"] == "TensorFlow"][0].endswith("(doctor --tensorflow)")


def test_the_table_fits_a_terminal_of_80_columns(command, monkeypatch, told):
    """Of every state, with the longest words that there are, and with names of brackets that no markup is made of."""
    long = "a word " * 30
    made = [Finding("x" * 30, "ok", long), Finding("[bold]x", "lack", "[red]gone", long, long), Finding("y", "told", "z" * 200)]
    monkeypatch.setattr(doctor_command, "_examined", lambda area, place, request: made if area == "packages" else [])
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = command("doctor")
    assert code == 0 and err == "" and max(len(line) for line in out.splitlines()) <= 80
    assert "[red]gone" in out and "[bold]x:" in out and "1 thing is lacking" in out and "To mend it:" in out
    made[1] = Finding("x", "ok", "y")
    assert "Nothing is lacking." in command("doctor")[1]


@pytest.mark.parametrize(("error", "code"), [(MissingPackageError, 2), (CorruptArtifactError, 5)])
def test_what_is_broken_is_told_whole_and_then_fails(command, monkeypatch, error, code):
    made = [Finding("numpy", "broken", "gone", "nothing is answered", "pip install it", error), Finding("y", "ok", "z")]
    monkeypatch.setattr(doctor_command, "_examined", lambda area, place, request: made if area == "packages" else [])
    found, out, err = command("doctor", "--json")
    assert found == code and json.loads(out)["answers"] is False and len(json.loads(out)["findings"]) == 2
    assert err == "error: numpy: gone; nothing is answered.\n  To mend it: pip install it\n"


def test_a_lack_without_cost_or_remedy_is_no_finding():
    for given in (("lack", "x", "", ""), ("lack", "x", "y", ""), ("ok", "x", "y", "z"), ("broken", "x", "", "z")):
        with pytest.raises(ValueError, match="says what it costs"):
            Finding("a", *given)


def test_what_lacks_to_look_is_itself_a_lack(command, monkeypatch):
    def absent(request):
        raise ModuleNotFoundError("No module named 'psutil'", name="psutil")

    monkeypatch.setattr("pipeline.cli.doctor.folders.examine_folders", absent)
    document = json.loads(command("doctor", "--json")[1])
    (finding,) = (one for one in document["findings"] if one["area"] == "folders")
    assert (finding["state"], finding["mend"]) == ("lack", "python -m pip install psutil")


def test_answering_works_without_all_that_is_told_to_be_dispensable():
    """What `doctor` calls a lack, and not broken, is one: a pair is answered without any of these packages."""
    essential = set(packages.ESSENTIAL.values()) | {"ruamel"}
    names = {one.name for one in packages.asked_for()} - set(packages.ESSENTIAL)
    providers: dict[str, set[str]] = {}
    for module, brought in packages.metadata.packages_distributions().items():
        for name in brought:
            providers.setdefault(packages.canonicalize_name(name), set()).add(module)
    modules = set().union(*(providers.get(name, set()) for name in names)) - essential
    assert {"tensorflow", "pandas", "PIL", "pydicom", "tifffile", "onnx", "psutil", "openvino"} <= modules
    done = blocking(",".join(sorted(modules)), "predict", "--json")
    assert done.returncode == 0 and len(json.loads(done.stdout)["answers"]) == 3, done.stderr


@pytest.mark.parametrize("module", ["numpy", "typer", "pydantic", "cv2"])
def test_without_what_every_command_needs_the_first_line_says_so(module):
    done = blocking(module, "doctor")
    assert done.returncode == 2 and done.stdout == ""
    assert f"error: a package that every command needs cannot be imported: No module named '{module}" in done.stderr
    assert "python -m pip install -r requirements.txt" in done.stderr and "Traceback" not in done.stderr


def test_an_older_python_is_told_what_is_needed(monkeypatch, capsys):
    import run_pipeline

    monkeypatch.setattr(run_pipeline.sys, "version_info", (3, 10, 4))
    assert run_pipeline.command() == 2
    assert "Python 3.11 or 3.12 is needed" in capsys.readouterr().err


@pytest.mark.slow
def test_tensorflow_is_asked_in_a_process_of_its_own():
    done = blocking("nothing", "doctor", "--tensorflow", "--json")
    (found,) = (one for one in json.loads(done.stdout)["findings"] if one["subject"] == "TensorFlow")
    assert done.returncode == 0 and found["state"] == "ok" and "it computes on" in found["told"] and "loaded []" in done.stderr
