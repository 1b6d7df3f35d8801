"""One of several workers: its application, made of what its parent left for it, and its end with its parent's."""

from __future__ import annotations

import os
import signal
import threading
import time

from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from pipeline.service.application import make_application
from pipeline.service.running import logs
from pipeline.service.settings import ServiceSettings

SECONDS_BETWEEN_LOOKS = 1.0


def application() -> FastAPI:
    """What uvicorn calls in a worker."""
    logs.start_log()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), name="parent", daemon=True).start()
    return make_application(ServiceSettings.from_environment(), _failed)


def _failed() -> None:
    """The parent stops then, instead of starting one worker after another that cannot work."""
    os._exit(STARTUP_FAILURE)


def _end_with_parent(parent: int) -> None:
    """End as a signal would, once the parent is gone: nobody else would."""
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
