"""A service in this process, its client, and pictures to send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import psutil
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pipeline.service.application import make_application
from pipeline.service.settings import ServiceSettings
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
SCANS = ROOT / "tests" / "pretrained" / "respiratory_mtl_scans"


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def noise(seed: int = 0, side: int = 70) -> bytes:
    return png(np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8))


@contextmanager
def serving(settings: ServiceSettings, **of_client) -> Iterator[TestClient]:
    """A client of a service whose models are ready."""
    with TestClient(make_application(settings), base_url="http://localhost", **of_client) as client:
        service = client.app.state.service
        wait_until(lambda: client.get("/ready").status_code == 200, lambda: service.failure is None, "readiness")
        yield client


@contextmanager
def listening(settings: ServiceSettings) -> Iterator[tuple[str, FastAPI]]:
    """The address of a service that listens on loopback, in a thread of this process, and its application."""
    import threading

    import uvicorn

    application = make_application(settings)
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    service = application.state.service
    wait_until(lambda: server.started and service.ready, lambda: thread.is_alive() and service.failure is None, "readiness")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", application
    finally:
        server.should_exit = True
        thread.join(30)


def decoders() -> set[psutil.Process]:
    """The processes of this one that decode."""
    return {each for each in psutil.Process().children() if "decoder_service" in " ".join(each.cmdline())}
