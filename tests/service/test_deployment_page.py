"""The guide's calls, as they are typed in, against a service on a port of its own; and what it says of limits and defaults."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from served import ROOT, SCANS, listening

from pipeline.service.settings import Limits, ServiceSettings

PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
ASKING = PAGE.partition("## Asking")[2].partition("\n## ")[0]
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", ASKING, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def place(tiny_bundles, tmp_path_factory):
    """A service's address, and a folder with the scans that the guide names."""
    from tiny_segmenter import write_segmenter

    folder = tmp_path_factory.mktemp("guide")
    lungs = write_segmenter(tmp_path_factory.mktemp("lungs") / "tiny_lungs")
    for name, scan in (("scan", "normal_11_xray"), ("xray", "covid_12_xray"), ("ct", "covid_12_ct")):
        shutil.copy(SCANS / f"{scan}.png", folder / f"{name}.png")
    with listening(ServiceSettings(bundles=(*tiny_bundles, lungs))) as (address, _):
        yield address, folder


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines() if line.startswith("curl")])
def test_a_line_of_curl(place, line):
    address, folder = place
    line = line.replace("curl ", "curl -sS --fail-with-body ", 1).replace(ADDRESS, address)
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    written = re.search(r"-o (\S+)", line)
    assert (folder / written[1]).read_bytes().startswith(b"\x89PNG") if written else '"model_version"' in done.stdout


@pytest.mark.parametrize("code", blocks("python"))
def test_the_lines_of_httpx(place, code):
    pytest.importorskip("httpx2")
    address, folder = place
    done = subprocess.run(
        [sys.executable, "-c", code.replace(ADDRESS, address)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in ("NORMAL", "PNEUMONIA")


def test_the_limits_that_it_names_are_the_codes():
    limits = Limits()
    said = " ".join(PAGE.split())
    for text in (f"{limits.request_mb:g} MiB, {limits.file_mb:g} MiB a file, {limits.files} files", f"{limits.frames:,} frames",
                 f"{limits.pixels // 1_000_000} million pixels", f"{limits.inflated_mb:g} MiB or 64 times its size",
                 f"{limits.note_characters:,} characters a note", f"{limits.upload_s:g} seconds to be sent"):  # fmt: skip
        assert text in said, text


def test_its_table_has_every_call(client):
    for path, methods in client.app.openapi()["paths"].items():
        assert all(f"`{method.upper()} {path}`" in PAGE for method in methods)


def test_compose_and_unit_name_options_that_there_are():
    from pipeline.cli.serve import command

    options = Path(command.__file__).read_text(encoding="utf-8")
    for option in set(re.findall(r"(?<=\s)--[a-z-]+", PAGE)) - {"--build", "--no-gate"}:
        assert f'"{option}"' in options, option
