"""`/runs` as a browser gets it: what is shown of a run whole, in progress, stale or gone, and to whom."""

from __future__ import annotations

import base64
import html
import json
import os
import socket
import re
import shutil
import socket
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from browsed_stages import MARKUP, STAGES
from browsing import ask, make_run

from pipeline.engine.lock import OWNER_NAME
from pipeline.engine.record import recorded_config
from pipeline.engine.survey import survey_run
from pipeline.service.page.rendering import POLICY
from pipeline.service.safety.keys import add_key

ROOT = Path(__file__).resolve().parents[3]
ELEMENTS = set("html head meta title link body a header nav p strong main h1 h2 h3 div table thead tbody tr th td span ul li pre code "
               "section figure img figcaption details summary article footer".split())  # fmt: skip
POSSIBLE = re.compile(r'(?:href|src)="(/runs[^"#]*)"')


def address(run: Path) -> str:
    return f"/runs/{quote(run.name, safe='')}"


def text_of(answer) -> str:
    """What a reader sees, the markup left out."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", answer.text)))


def elements_of(text: str) -> list[tuple[str, dict[str, str]]]:
    """Each element that a browser makes of a page, with its attributes."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.feed(text)
    return found


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*")}


def test_a_run_is_shown_whole_and_every_link_leads_somewhere(run, browse):
    client = browse(run)
    listed = client.get("/runs")
    assert listed.status_code == 200 and f'href="{address(run)}"' in listed.text and "3 of 3" in listed.text
    page = client.get(address(run))
    said = text_of(page)
    assert page.status_code == 200 and "Every stage is up to date." in said and "toy <i>" in said and "a try" in said
    for stage in STAGES:
        assert stage.name in said and stage.summary in said
    assert "LEAKAGE allowed: P1" in said and "compare" not in said and f"status --out '{run}'" in said
    assert page.text.count("<figure>") == 2 and 'width="40" height="30"' in page.text and 'alt="Figure roc, in full size: validation"' in page.text
    links = {link for shown in (listed, page) for link in POSSIBLE.findall(shown.text)}
    assert {link.rsplit("/", 1)[-1] for link in links} >= {"roc.png", "report.md", "metrics_epochwise.csv", "metrics.json"}
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200, link
        assert client.head(link).status_code == 200 and client.post(link).status_code == 405


def test_what_a_stage_wrote_is_sent_byte_by_byte(run, browse):
    client, stage = browse(run), run / "s02_training"
    for file, kind in (("roc.png", "image/png"), ("test_results/roc.png", "image/png"), ("metrics.json", "application/json"),
                       ("report.md", "text/plain; charset=utf-8"), ("metrics_epochwise.csv", "text/csv; charset=utf-8")):  # fmt: skip
        answer = client.get(f"{address(run)}/file/s02_training/{file}")
        assert answer.content == (stage / file).read_bytes() and answer.headers["content-type"] == kind
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-disposition"].startswith("attachment" if file.endswith("csv") else "inline")
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_states_are_those_of_status(run, browse):
    """Whole, then edited, missing, and what rests on them."""
    client = browse(run)
    (run / "s02_training" / "metrics.json").write_text("{}")
    (run / "s01_scans" / "scan_index.csv").unlink()
    shutil.rmtree(run / "s03_late")
    told = survey_run(recorded_config(run, STAGES), STAGES, run)
    assert [each.state for each in told] == ["missing", "edited", "absent"]
    page = client.get(address(run))
    for each in told:
        assert re.search(rf'>{each.stage}</a></th>\s*<td class="when state {each.state}">', page.text)
        assert each.reason in text_of(page)
    assert "0 of 3 stages are up to date" in text_of(page)


def test_a_stage_that_is_stale_says_so_and_how_it_is_mended(run, browse):
    make_run(run, last="s01", s01={"rows": 5})
    said = text_of(browse(run).get(address(run)))
    assert "A stage is stale where its settings" in said and "rests on s02, which is stale" in said
    assert f"run --out '{run}'" in said and "1 of 3 stages are up to date" in said


def test_a_run_in_progress_shows_what_is_there(tmp_path, browse):
    run = make_run(tmp_path / "going", last="s01")
    (run / ".staging" / "s02_training").mkdir(parents=True)
    (run / ".staging" / "s02_training" / "report.md").write_text("half")
    client = browse(run)
    said = text_of(client.get("/runs/going"))
    assert "begun and interrupted" in said and "In progress" not in said and "dataset.json" in said and "not made yet" in said
    (run / OWNER_NAME).write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    said = text_of(client.get("/runs/going"))
    assert f"In progress: process {os.getpid()}" in said and "being made" in said
    assert "in progress" in text_of(client.get("/runs"))
    assert client.get("/runs/going/file/s02_training/report.md").status_code == 404
    assert client.get("/runs/going/file/.staging/s02_training/report.md").status_code == 404
    make_run(run)
    assert client.get("/runs/going/read/s02_training/report.md").status_code == 200


@pytest.mark.parametrize("owner", ["{}", "[]", "", '{"pid": -1, "host": "HERE"}', '{"pid": 1e30, "host": "HERE"}',
                                   '{"pid": "x", "host": "HERE"}', '{"pid": 99999999, "host": "HERE"}'])  # fmt: skip
def test_who_works_in_a_run_is_only_told_where_somebody_does(run, browse, owner):
    (run / OWNER_NAME).write_text(owner.replace("HERE", socket.gethostname()))
    said = text_of(browse(run).get(address(run)))
    assert "In progress" not in said and "Every stage is up to date." in said


def test_a_number_of_a_process_that_was_given_anew_is_not_taken_for_the_old_one(run, browse):
    owner = run / OWNER_NAME
    owner.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    os.utime(owner, (1, 1))
    assert "In progress" not in text_of(browse(run).get(address(run)))


def test_markup_in_names_is_text(run, browse):
    client = browse(run)
    for page in (client.get("/runs"), client.get(address(run)), client.get(f"{address(run)}/read/s02_training/report.md")):
        assert page.status_code == 200 and page.headers["content-security-policy"] == POLICY
        for tag, attributes in elements_of(page.text):
            assert tag in ELEMENTS and not any(name.startswith("on") or name == "style" for name in attributes)
            assert all(value.startswith(("/", "#")) for name, value in attributes.items() if name in ("href", "src"))
    report = client.get(f"{address(run)}/read/s02_training/report.md")
    said = text_of(report)
    assert f"Found in {MARKUP}" in said and "<b>bold</b>" in said and "[p1](javascript:alert(1))" in said and "&lt;i&gt;" in said
    assert "<h2>Found in" in report.text and "<h1>s02_training/report.md</h1>" in report.text
    assert re.search(r"<td>&lt;script&gt;.*</td>\s*<td>0.9</td>", report.text)


def test_a_run_that_disappears_is_not_found_any_more(run, browse):
    client = browse(run)
    assert client.get(address(run)).status_code == 200
    shutil.rmtree(run)
    for place in (address(run), f"{address(run)}/read/s02_training/report.md", f"{address(run)}/file/s02_training/roc.png"):
        page, problem = client.get(place), client.get(place, headers={"Accept": "*/*"})
        assert page.status_code == problem.status_code == 404
        assert "Not there" in page.text and "Traceback" not in page.text and str(run) not in page.text
        assert problem.headers["content-type"] == "application/problem+json" and problem.json()["type"].endswith(":run")
    assert "This run cannot be read any more." in text_of(client.get("/runs"))


@pytest.mark.parametrize("record", ["", "[]", '{"config": {}, "stages": {}}', '{"config": [], "stages": []}', "\x00"])
def test_a_record_that_is_none_any_more_is_said(run, browse, record):
    client = browse(run)
    (run / "run.json").write_text(record)
    page = client.get(address(run))
    assert page.status_code == 503 and "not a run record" in text_of(page)
    assert client.get("/runs").status_code == 200


@pytest.mark.parametrize("stages", [[1, None, {}, {"name": "../.."}, {"name": "s01_scans"}], []])
@pytest.mark.parametrize("config", [{"system": "x", "s09": {}}, {}, {"system": 3}])
def test_a_run_of_another_version_is_shown_without_states(run, browse, stages, config):
    (run / "run.json").write_text(json.dumps({"config": config, "stages": stages}))
    page = browse(run).get(address(run))
    assert page.status_code == 200 and "cannot be told" in text_of(page)
    assert ("s01_scans" in page.text) is bool(stages) and "What comes next" not in page.text


@pytest.mark.parametrize(
    "manifest", ["", "[]", "{}", '{"outputs": {}}', '{"outputs": 3}', "null",
                 {"duration_s": None}, {"duration_s": "x"}, {"warnings": 3}, {"warnings": [3, None]}, {"accepted": [1]},
                 {"outputs": {"a": {"file": 3, "sha256": "", "size": 1, "files": {}}}}],
)  # fmt: skip
def test_a_manifest_that_is_none_breaks_no_page(run, browse, manifest):
    path = run / "s02_training" / "manifest.json"
    text = manifest if isinstance(manifest, str) else json.dumps(json.loads(path.read_text()) | manifest)
    path.write_text(text)
    client = browse(run)
    page = client.get(address(run))
    assert page.status_code == 200 and "dataset.json" in page.text and "s02_training" in page.text
    assert client.get("/runs").status_code == 200
    assert client.get(f"{address(run)}/file/s02_training/roc.png").status_code in (200, 404)


def test_several_runs_by_name_and_none(tmp_path, kept_run, browse):
    other = make_run(tmp_path / "other", last="s01")
    client = browse(kept_run, other)
    assert client.get("/runs/kept").status_code == client.get("/runs/other").status_code == 200
    for name in ("third", "..", "%2e%2e", "kept%2f..", "kept%00", "%ff"):
        assert ask(client, f"/runs/{name}")[0] == 404, name
    empty = browse()
    assert "No run is served" in empty.get("/runs").text and empty.get("/runs/kept").status_code == 404
    assert 'href="/runs"' not in empty.get("/").text and 'href="/runs"' in client.get("/").text


def test_nothing_in_a_run_is_written(run, browse):
    shutil.rmtree(run / ".cache")
    before = contents(run)
    client = browse(run)
    for link in ("/runs", address(run), *POSSIBLE.findall(client.get(address(run)).text)):
        assert client.get(link).status_code == 200
    assert contents(run) == before


def test_a_run_needs_the_key_which_a_browser_asks_for(kept_run, browse, tmp_path):
    key = add_key(tmp_path / "keys", "ward")
    client = browse(kept_run, keys=tmp_path / "keys")
    places = ("/runs", "/runs/kept", "/runs/kept/file/s02_training/roc.png", "/runs/kept/read/s02_training/report.md")
    for place in places:
        refused = client.get(place)
        assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Basic realm=")
    told = {sent: base64.b64encode(sent.encode()).decode() for sent in (f"me:{key}", f":{key}", f"{key}:", key, "me:wrong")}
    for place in places:
        for sent, code in told.items():
            expected = 200 if sent.endswith(f":{key}") else 401
            if expected == 200 or place == "/runs":
                assert client.get(place, headers={"Authorization": f"Basic {code}"}).status_code == expected
        assert client.get(place, headers={"X-API-Key": key}).status_code == 200
    for broken in ("", "é", "=", "a", "/w==", "Og==", "x" * 5000):
        assert client.get("/runs", headers={"Authorization": f"Basic {broken}".encode()}).status_code == 401
    # Where an answer costs work a browser must not send a key by itself.
    whole = {"Authorization": f"Basic {told[f'me:{key}']}"}
    for place in ("/model/info", "/metrics", "/runsx"):
        refused = client.get(place, headers=whole)
        assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"


def test_a_german_browser_is_told_in_german(run, browse):
    answer = browse(run).get(address(run), headers={"Accept-Language": "de"})
    assert "Jede Stufe ist aktuell." in answer.text and '<html lang="de">' in answer.text


def test_neither_tensorflow_nor_pandas_is_imported(kept_run):
    code = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
from pipeline.service.application import make_application
from pipeline.service.settings import ServiceSettings
client = TestClient(make_application(ServiceSettings(runs=(Path(sys.argv[1]),), stages=sys.argv[2])), base_url="http://localhost")
assert "up to date" in client.get("/runs/kept").text
assert client.get("/runs/kept/read/s02_training/report.md").status_code == 200
print(sorted({"tensorflow", "keras", "pandas", "scipy", "sklearn", "matplotlib"} & set(sys.modules)))
"""
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    done = subprocess.run([sys.executable, "-c", code, str(kept_run), "browsed_stages:STAGES"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": path}, check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"
