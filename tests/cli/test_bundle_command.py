"""`bundle amend`: one section changes, nothing else does, and what is wrong is refused before anything is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.files import sha256_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "inference")
    import tiny_gate
    import tiny_segmenter

    return tiny_segmenter, tiny_gate


@pytest.fixture
def bundle(tiny, tmp_path) -> Path:
    return tiny[0].write_segmenter(tmp_path / "unet")


@pytest.fixture
def section(tiny, tmp_path) -> Path:
    """A folder with a gate's JSON and the two files that it names."""
    entry = tiny[1].write_gate_files(tmp_path / "section")
    (tmp_path / "section" / "gate.json").write_text(json.dumps(entry))
    return tmp_path / "section"


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def described(bundle: Path) -> dict:
    return json.loads((bundle / "bundle.json").read_text())


def amend(command, bundle: Path, *words, section="gate"):
    return command("bundle", "amend", "--bundle", bundle, "--section", section, *words)


def test_a_gate_is_added_answers_and_is_taken_out_again(bundle, section, tiny, command):
    from pipeline.inference.bundle import open_bundle
    from pipeline.inference.gate.gate import open_gate

    before, document = content(bundle), described(bundle)
    code, shown, _ = amend(command, bundle, "--from", section, "--json")
    told = json.loads(shown)
    assert code == 0 and (told["version"], told["added"], told["removed"]) == (1, ["gate.npz", "gate_backbone.onnx"], [])
    after = content(bundle)
    assert {name for name in after if after[name] != before.get(name)} == {"bundle.json", "gate.npz", "gate_backbone.onnx"}
    files = described(bundle)["files"]
    assert files == {name: {"sha256": sha256_file(bundle / name), "bytes": len(after[name])} for name in after if name in files}
    assert files.keys() == after.keys() - {"bundle.json"}
    gate = open_gate(bundle)
    assert gate.judge(tiny[1].near()).kind == "xray" and gate.judge(tiny[1].far()).kind == "neither"
    open_bundle(bundle)
    code, shown, _ = amend(command, bundle, "--remove")
    assert code == 0 and "section gate taken out" in shown and "- gate.npz" in shown
    assert {name: value for name, value in content(bundle).items() if name != "bundle.json"} == {
        name: value for name, value in before.items() if name != "bundle.json"
    }
    assert described(bundle) == {name: value for name, value in document.items() if name != "gate"}
    open_bundle(bundle)


def test_the_card_lists_the_files_of_the_amended_bundle(bundle, section, command):
    """The same table as an export would write, the rest of the card as it was."""
    from pipeline.engine.files import write_json
    from pipeline.export.card.rendering import with_files

    document, head, end = described(bundle), "# A card\n\n", "\n## Limits\n\n| a | table |\n| --- | --- |\n| of | its own |\n"
    old = with_files(f"{head}| file | bytes | SHA-256 |\n| --- | --- | --- |\n| gone.onnx | 1 | `0` |\n{end}", document["files"])
    card = bundle / "MODEL_CARD.md"
    card.write_text(old, encoding="utf-8")
    stored = {"sha256": sha256_file(card), "bytes": card.stat().st_size}
    write_json(bundle / "bundle.json", document | {"files": document["files"] | {"MODEL_CARD.md": stored}})
    assert "gone.onnx" not in old and all(f"| {name} |" in old for name in document["files"])
    assert amend(command, bundle, "--from", section)[0] == 0
    said, files = card.read_text(encoding="utf-8"), described(bundle)["files"]
    assert said.startswith(head) and said.endswith(end)
    rows = [line.split("|") for line in said.splitlines() if line.count("|") == 4 and "`" in line]
    assert {row[1].strip(): row[3].strip(" `") for row in rows} == {
        name: stored["sha256"] for name, stored in files.items() if name != "MODEL_CARD.md"
    }
    assert files["MODEL_CARD.md"]["sha256"] == sha256_file(card)
    assert amend(command, bundle, "--remove")[0] == 0
    assert card.read_text(encoding="utf-8") == old


def test_a_section_is_replaced_with_its_files(bundle, section, tiny, command):
    from pipeline.data.gate.embedding_distance import GateStatistics
    from pipeline.inference.gate.gate import open_gate

    assert amend(command, bundle, "--from", section)[0] == 0
    entry = json.loads((section / "gate.json").read_text()) | {"threshold": 3.0, "statistics": "wider.npz"}
    first = tiny[1].statistics()
    np.savez(section / "wider.npz", **GateStatistics(first.mean, first.whitening, 3.0, 1.0, "by hand").arrays())
    (section / "gate.json").write_text(json.dumps(entry))
    told = json.loads(amend(command, bundle, "--from", section / "gate.json", "--json")[1])
    assert told["removed"] == ["gate.npz"] and open_gate(bundle).thresholds == {"xray": 3.0}
    assert not (bundle / "gate.npz").exists() and "gate.npz" not in described(bundle)["files"]


def test_a_section_without_a_schema_is_written_as_it_is(bundle, tmp_path, command):
    entry = {"version": 1, "rows": [{"class": "ALPHA", "n": 3}], "note": "text/with a slash"}
    (tmp_path / "audit.json").write_text(json.dumps(entry))
    assert amend(command, bundle, "--from", tmp_path / "audit.json", section="audit")[0] == 0
    assert described(bundle)["audit"] == entry


def change(section, **changes):
    entry = json.loads((section / "gate.json").read_text())
    (section / "gate.json").write_text(json.dumps(entry | changes))


def wrong_version(section, bundle):
    change(section, version=2)


def no_threshold(section, bundle):
    change(section, threshold=-1)


def no_statistics(section, bundle):
    (section / "gate.npz").unlink()


def broken_statistics(section, bundle):
    (section / "gate.npz").write_bytes(b"no archive")


def outside(section, bundle):
    (section / "gate.npz").rename(section.parent / "gate.npz")
    change(section, statistics="../gate.npz")


def linked_outside(section, bundle):
    (section / "gate.npz").rename(section.parent / "gate.npz")
    (section / "gate.npz").symlink_to(section.parent / "gate.npz")


def takes_the_networks_name(section, bundle):
    network = described(bundle)["network"]["file"]
    (section / "gate_backbone.onnx").rename(section / network)
    change(section, network=network)


def no_object(section, bundle):
    (section / "gate.json").write_text("[1, 2]")


def no_json(section, bundle):
    (section / "gate.json").write_text("{")


def no_file(section, bundle):
    (section / "gate.json").unlink()


def changed_bundle(section, bundle):
    network = bundle / described(bundle)["network"]["file"]
    network.write_bytes(network.read_bytes()[:-1] + b"\0")


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (wrong_version, 3, "'gate' is of version 2, this program reads up to 1"),
        (no_threshold, 5, "gate.threshold"),
        (no_statistics, 5, "files gives no hash for 'gate.npz'"),
        (broken_statistics, 5, "cannot be read as NumPy arrays"),
        (outside, 2, "../gate.npz lies outside of"),
        (linked_outside, 2, "gate.npz lies outside of"),
        (takes_the_networks_name, 2, "is a file of the bundle already"),
        (no_object, 4, "holds no JSON object"),
        (no_json, 4, "cannot be read as JSON"),
        (no_file, 3, "no such file"),
        (changed_bundle, 5, "was changed"),
    ],
)
def test_what_is_wrong_is_refused_and_the_bundle_stays(bundle, section, command, fault, code, said):
    fault(section, bundle)
    before = content(bundle)
    found, _, err = amend(command, bundle, "--from", section)
    assert (found, content(bundle)) == (code, before) and said in err and len(err.strip().splitlines()) <= 2
    assert [path.name for path in bundle.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("section_name", "words", "said"),
    [
        ("gaet", ["--remove"], "Did you mean 'gate'?"),
        ("seen", ["--remove"], "has no section 'seen'"),
        ("gate", [], "Amend with what?"),
        ("gate", ["--remove", "--from", "x"], "Amend with what?"),
    ],
)
def test_commands_that_make_no_sense(bundle, command, section_name, words, said):
    before = content(bundle)
    code, _, err = amend(command, bundle, *words, section=section_name)
    assert code == 2 and said in err and content(bundle) == before


def test_a_newer_version_of_a_section_without_a_schema_is_refused(bundle, tmp_path, command):
    (tmp_path / "audit.json").write_text('{"version": 7}')
    code, _, err = amend(command, bundle, "--from", tmp_path / "audit.json", section="audit")
    assert code == 3 and "'audit' is of version 7" in err


KILLED = """
import os, shutil, signal, sys
import pipeline.export.amendment as amendment
def die(*given, **options):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(amendment if sys.argv[3] != "copytree" else amendment.shutil, sys.argv[3], die)
from pathlib import Path
amendment.amend_bundle(Path(sys.argv[1]), "gate", Path(sys.argv[2]))
"""


@pytest.mark.posix
@pytest.mark.parametrize("at", ["copytree", "sha256_file", "write_json"])
def test_a_process_killed_midway_leaves_the_old_bundle(bundle, section, command, at):
    before = content(bundle)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(bundle), str(section), at], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == -signal.SIGKILL and content(bundle) == before
    assert amend(command, bundle, "--from", section)[0] == 0


BETWEEN = """
import os, signal, sys
from pathlib import Path
from pipeline.export.amendment import amend_bundle
real = Path.replace
def replace(path, target):
    if path.name.endswith(".part") and path.is_dir():
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, target)
Path.replace = replace
amend_bundle(Path(sys.argv[1]), "gate", Path(sys.argv[2]))
"""


@pytest.fixture
def left_behind(bundle, section) -> dict[str, bytes]:
    """What was in a bundle that is not there: its process was killed when the old one had gone and the new one had not come."""
    before = content(bundle)
    words = [sys.executable, "-c", BETWEEN, str(bundle), str(section)]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL and not bundle.exists()
    return before


@pytest.mark.posix
def test_the_next_to_open_a_bundle_finds_the_one_that_a_kill_left(bundle, left_behind):
    from pipeline.inference.bundle import open_bundle

    assert open_bundle(bundle).path == bundle and content(bundle) == left_behind


@pytest.mark.posix
def test_the_next_amendment_goes_on_from_the_one_that_a_kill_left(bundle, section, left_behind, command):
    assert amend(command, bundle, "--from", section)[0] == 0
    assert left_behind.keys() | {"gate.npz", "gate_backbone.onnx"} == content(bundle).keys()
    assert not [path.name for path in bundle.parent.iterdir() if path.name.endswith(".former")]


@pytest.mark.posix
def test_the_next_export_replaces_the_one_that_a_kill_left_or_leaves_it(bundle, left_behind):
    from pipeline.export.bundle_folder import staged_bundle

    with pytest.raises(ZeroDivisionError), staged_bundle(bundle):
        _ = 1 / 0
    assert content(bundle) == left_behind
    with staged_bundle(bundle) as folder:
        (folder / "bundle.json").write_text("{}")
    assert content(bundle) == {"bundle.json": b"{}"}
    assert not [path.name for path in bundle.parent.iterdir() if path.name.endswith(".former")]


def test_no_tensorflow_is_loaded(bundle, section):
    code = (
        "import sys; from pipeline.cli.app import main;"
        f"main((), ['bundle', 'amend', '--bundle', {str(bundle)!r}, '--section', 'gate', '--from', {str(section)!r}]);"
        "print('loaded:', [name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "loaded: []" in done.stdout and "section gate written, version 1" in done.stdout
