"""Workers below a parent: one that hangs is told from one that works, and one that joins others is ready before it is asked."""

from __future__ import annotations

from multiprocessing import Pipe
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from pipeline.engine.errors import DataError
from pipeline.service.application import make_application
from pipeline.service.running.workers import Worker
from tests.waiting import HANGS_S


@pytest.fixture
def worker():
    made = object.__new__(Worker)
    made.parent_conn, made.child_conn = Pipe()
    made.process = SimpleNamespace(is_alive=lambda: True)
    yield made
    made.parent_conn.close(), made.child_conn.close()


def test_one_that_does_not_answer_is_not_waited_for(worker):
    assert worker.is_alive(HANGS_S) and worker.is_alive(HANGS_S)
    assert not worker.is_alive(0)
    worker.child_conn.recv()
    worker.child_conn.send(True)
    assert worker.is_alive(HANGS_S)
    assert worker.child_conn.recv() == b"ping"  # it is asked again once it has answered


def test_one_that_has_ended_is_not_asked(worker):
    worker.process.is_alive = lambda: False
    assert not worker.is_alive(HANGS_S) and not worker.child_conn.poll()
    worker.process.is_alive = lambda: True
    worker.child_conn.close()
    assert not worker.is_alive(HANGS_S)


def test_one_that_joins_is_ready_before_it_takes_anything(settings):
    with TestClient(make_application(settings, joins=True), base_url="http://localhost") as client:
        assert client.get("/ready").status_code == 200


def test_one_that_cannot_join_says_so(settings, monkeypatch):
    def cannot(*_):
        raise DataError("no such bundle", "")

    monkeypatch.setattr("pipeline.service.service.open_models", cannot)
    told = []
    with TestClient(make_application(settings, lambda: told.append(1), joins=True), base_url="http://localhost"):
        assert told == [1]
