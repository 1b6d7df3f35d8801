"""Whether the service lives and is ready, what it counts, and how it is asked wrongly."""

from __future__ import annotations

import subprocess
import sys
import threading

import psutil
import pytest
from fastapi.testclient import TestClient
from served import ROOT, noise, serving

from pipeline.engine.errors import DataError
from pipeline.service.application import make_application
from pipeline.service.service import Service
from tests.waiting import HANGS_S


def test_health_has_the_documents_fields(client):
    told = client.get("/health").json()
    assert (told["status"], told["model_loaded"], told["device"]) == ("healthy", True, "cpu")
    assert told["model_version"].startswith("tiny_classifier@")


def test_it_lives_before_it_is_ready(settings):
    unopened = TestClient(make_application(settings), base_url="http://localhost")
    assert unopened.get("/health").json()["status"] == "starting"
    answer = unopened.get("/ready")
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
    assert unopened.post("/predict", files={"file": noise()}).json()["type"].endswith("starting")


def test_what_is_ready_is_told_by_version(client):
    assert set(client.get("/ready").json()["bundles"]) == {"tiny_classifier", "tiny_pair"}


def test_requests_are_counted_by_route_and_status(client):
    def count() -> float:
        lines = client.get("/metrics").text.splitlines()
        told = 'respiratory_requests_total{route="/predict",status="200"}'
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(told))

    before = count()
    client.post("/predict", files={"file": noise()}, data={"gate": "false"})
    assert count() == before + 1


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/predict", 405), ("DELETE", "/health", 405)]
)
def test_a_place_or_a_method_that_is_not_there(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status and answer.json()["status"] == status


@pytest.mark.parametrize(
    "line", ["import pipeline", "from pipeline.cli.app import main; from stages import STAGES; main(STAGES, ['--help'])"]
)
def test_nobody_else_pays_for_it(line):
    code = f"import sys; {line}; print([name for name in ('fastapi', 'uvicorn') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_every_process_that_decodes_is_there_before_the_first_request(settings):
    def count() -> int:
        return sum("decoder_service" in " ".join(each.cmdline()) for each in psutil.Process().children())

    before = count()
    with serving(settings.model_copy(update={"answering": 3})):
        assert count() - before == 3


@pytest.mark.parametrize("fault", [DataError("no such bundle", ""), ZeroDivisionError()])
def test_what_keeps_the_models_shut_is_heard_of(settings, monkeypatch, fault):
    """An expected error, and a bug: in its thread nobody else would hear of it, and it would live and never be ready."""
    told = threading.Event()

    def cannot(*_):
        raise fault

    monkeypatch.setattr("pipeline.service.service.open_models", cannot)
    service = Service(settings)
    service.begin(told.set).join(HANGS_S)
    service.close()
    assert told.is_set() and service.failure is fault and not service.ready
