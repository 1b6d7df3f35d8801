"""`serve`: what it refuses before it listens, the keys it makes, and a service in a process of its own from start to end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from pipeline.cli.app import main
from stages import STAGES

ROOT = Path(__file__).resolve().parents[2]


def refused(capsys, *words: str) -> tuple[int, str]:
    code = main(STAGES, ["serve", *words])
    return code, capsys.readouterr().err


def test_a_port_in_use_is_said(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = refused(capsys, "--port", str(taken.getsockname()[1]))
    assert code == 2 and "cannot be taken" in said and "--port" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "scans.example"])
def test_a_public_address_without_keys_is_refused(capsys, host):
    code, said = refused(capsys, "--host", host, "--port", "0")
    assert code == 2 and "no API keys are set" in said and "--without-keys" in said


@pytest.mark.parametrize(
    "words",
    [["--deadline", "0"], ["--request-mb", "-1"], ["--grace", "nan"], ["--grace", "inf"], ["--rate", "inf"],
     ["--request-mb", "513"]],
)  # fmt: skip
def test_a_setting_that_makes_no_sense(capsys, words):
    code, said = refused(capsys, *words)
    assert code == 2 and "error:" in said


@pytest.mark.parametrize("host", ["x" * 70, "a..b", "no such name"])
def test_a_host_that_is_none_is_said(capsys, host):
    code, said = refused(capsys, "--host", host, "--port", "0", "--without-keys")
    assert code == 2 and "cannot be taken" in said and "--host" in said


def test_a_bundle_that_is_not_there(tmp_path, capsys):
    code, said = refused(capsys, "--port", "0", "--bundles", str(tmp_path / "nothing"))
    assert code == 3 and "no such folder" in said


@pytest.fixture
def run(tmp_path) -> Path:
    folder = tmp_path / "first"
    folder.mkdir()
    config = {"system": "toy", "s01": {"profiles": {"plain": {"modality": "xray"}}}}
    (folder / "run.json").write_text(json.dumps({"config": config, "stages": [{"name": "s01_preprocessing", "artifacts": []}]}))
    return folder


@pytest.mark.parametrize("name", ["nothing", "empty", "file"])
def test_a_folder_that_is_no_run_is_refused_before_anything_is_served(tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    code, said = refused(capsys, "--port", "0", "--run", str(tmp_path / name))
    assert code == 3 and "is not a run folder (it has no run.json)" in said and "run -c" in said


def test_a_record_that_cannot_be_read_is_refused(run, capsys):
    (run / "run.json").write_text("{}")
    code, said = refused(capsys, "--port", "0", "--run", str(run))
    assert code == 5 and "is not a run record" in said


def test_two_runs_of_one_name_are_refused(run, tmp_path, capsys):
    other = tmp_path / "elsewhere" / "first"
    other.mkdir(parents=True)
    (other / "run.json").write_text((run / "run.json").read_text())
    code, said = refused(capsys, "--port", "0", "--run", str(run), "--run", str(other))
    assert code == 2 and "Two runs are called first" in said and "--port" in said


def test_a_worker_finds_the_stages_of_this_command_line(tmp_path, run, monkeypatch):
    """They are no words, and a worker is another process."""
    from pipeline.cli.serve.command import _place_of
    from pipeline.service.runs.surveys import stages_at
    from pipeline.service.settings import ENVIRONMENT, ServiceSettings

    assert _place_of(STAGES) == "stages:STAGES" and stages_at(_place_of(STAGES)) is STAGES
    assert _place_of(()) == _place_of(list(STAGES)) == ""
    monkeypatch.setenv(ENVIRONMENT, "")
    told = ServiceSettings(runs=(run,), stages=_place_of(STAGES))
    told.to_environment()
    assert ServiceSettings.from_environment() == told


@pytest.mark.parametrize("reached", [["--host", "0.0.0.0", "--without-keys"], ["--allow-host", "scans.example"]])
def test_a_run_is_not_shown_to_others_without_a_key(run, capsys, reached):
    code, said = refused(capsys, "--port", "0", "--run", str(run), *reached)
    assert code == 2 and "may name patients" in said and "--keys" in said


def test_a_key_is_shown_once_and_kept_as_a_hash(tmp_path, capsys):
    file = tmp_path / "keys"
    assert main(STAGES, ["serve", "--keys", str(file), "--new-key", "ward"]) == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("rk_") and key not in file.read_text() and file.read_text().startswith("ward:")
    assert file.stat().st_mode & 0o077 == 0
    code, said = refused(capsys, "--keys", str(file), "--new-key", "ward")
    assert code == 2 and "already" in said
    assert refused(capsys, "--new-key", "ward")[0] == 2


def test_what_stands_in_a_file_of_keys_stays_when_one_is_added(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# of ward 3, until June")
    file.chmod(0o644)
    for name in ("ward", "other"):
        assert main(STAGES, ["serve", "--keys", str(file), "--new-key", name]) == 0
    assert [line.partition(":")[0] for line in file.read_text().splitlines()] == ["# of ward 3, until June", "ward", "other"]
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_key_that_cannot_be_kept_is_not_shown(tmp_path, capsys):
    assert main(STAGES, ["serve", "--keys", str(tmp_path / "none" / "keys"), "--new-key", "ward"]) == 3
    told = capsys.readouterr()
    assert told.out == "" and "cannot be kept" in told.err and "--keys" in told.err


def test_the_extra_is_named_where_it_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("pipeline.engine.extras.find_spec", lambda name: None)
    code, said = refused(capsys)
    assert code == 2 and "pip install '.[serve]'" in said


@pytest.mark.posix
def test_a_service_from_its_start_to_its_end(tmp_path, run):
    sys.path.insert(0, str(ROOT / "tests" / "inference"))
    from tiny_classifier import write_classifier

    command = [sys.executable, "run_pipeline.py", "serve", "--port", "0", "--bundles", str(write_classifier(tmp_path / "tiny")),
               "--run", str(run)]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        address = said.split()[0]
        assert "/runs shows the runs" in said
        for _ in range(300):
            with urllib.request.urlopen(f"{address}/health", timeout=10) as answer:
                told = json.load(answer)
            if told["status"] == "healthy":
                break
            time.sleep(0.1)
        assert told["model_loaded"]
        with urllib.request.urlopen(f"{address}/runs/first", timeout=10) as answer:
            assert "not made yet" in answer.read().decode()
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in log
    assert [json.loads(line)["event"] for line in log.splitlines()] == ["ready", "request"]
