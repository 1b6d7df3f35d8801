"""The container's files: what they copy is there, nothing runs as root; and the steps themselves, in a clean environment."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.waiting import HANGS_S, wait_until

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STEPS = [line.split(maxsplit=1) for line in TEXT.splitlines() if line and not line.startswith("#")]
NOT_WANTED = {"tensorflow", "keras", "torch", "pandas", "scipy", "scikit-learn", "matplotlib", "pytest"}


def told(instruction: str) -> list[str]:
    return [rest.strip() for name, rest in STEPS if name == instruction]


def test_what_is_copied_is_there_and_not_ignored():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in told("COPY"):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists() and source in allowed


def test_nobody_is_root_and_health_is_asked():
    (user,), (check,) = told("USER"), told("HEALTHCHECK")
    assert int(user) > 0 and "/ready" in check
    service = YAML(typ="safe").load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["respiratory"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["user"] == user
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]) and "--keys" in service["command"]


@pytest.mark.slow
@pytest.mark.posix
def test_its_steps_make_a_service_that_answers(tmp_path):
    """COPY and RUN as the Dockerfile has them; the user and the addresses are this machine's."""
    place, venv = tmp_path / "build", tmp_path / "venv"
    place.mkdir()
    for line in told("COPY"):
        *sources, target = line.split()
        for source in sources:
            into = place / target / (Path(source).name if target.endswith("/") else "") if target != source else place / source
            into.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, into)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env["PATH"] = f"{venv / 'bin'}{os.pathsep}{env['PATH']}"
    for line in told("RUN"):
        if not line.startswith("useradd"):
            subprocess.run(line, shell=True, cwd=place, env=env, check=True)
    at = {"cwd": place, "env": env}
    listed = subprocess.run(["python", "-m", "pip", "list", "--format", "json"], capture_output=True, check=True, **at)
    assert not {each["name"].lower() for each in json.loads(listed.stdout)} & NOT_WANTED
    keys = tmp_path / "keys"
    make = ["respiratory", "serve", "--keys", str(keys), "--new-key", "test"]
    made = subprocess.run(make, capture_output=True, text=True, check=True, **at)
    (entry,) = told("ENTRYPOINT")
    words = ["127.0.0.1" if word == "0.0.0.0" else word for word in json.loads(entry)]
    process = subprocess.Popen([*words, "--keys", str(keys), "--port", "0"], stdout=subprocess.PIPE, text=True, **at)
    try:
        address = process.stdout.readline().split()[0]
        wait_until(lambda: _is_ready(address), lambda: process.poll() is None, "readiness")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/model/info", timeout=HANGS_S)
        assert refused.value.code == 401
        asked = urllib.request.Request(f"{address}/model/info", headers={"Authorization": f"Bearer {made.stdout.strip()}"})
        with urllib.request.urlopen(asked, timeout=HANGS_S) as answer:
            assert len(json.load(answer)["bundles"]) == 5
        (health,) = told("HEALTHCHECK")
        command = json.loads(re.search(r"CMD (\[.*\])", health)[1])
        command[-1] = command[-1].replace("http://127.0.0.1:8000", address)
        assert subprocess.run(command, check=False, **at).returncode == 0, shlex.join(command)
    finally:
        process.terminate()
        assert process.wait(timeout=HANGS_S) == 0


def _is_ready(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/ready", timeout=HANGS_S)
    except urllib.error.HTTPError:
        return False
    return True
