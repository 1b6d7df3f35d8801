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
# Set for a worker that takes the place of another.
JOINS = "RESPIRATORY_SERVICE_JOINS"
# Of one that cannot: its parent tries again, and the others go on.
CANNOT_JOIN = 1


def application() -> FastAPI:
    """What uvicorn calls in a worker."""
    logs.start_log()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), name="parent", daemon=True).start()
    joins = JOINS in os.environ
    return make_application(ServiceSettings.from_environment(), lambda: _failed(joins), joins=joins)


def _failed(joins: bool) -> None:
    """The parent stops, instead of starting one worker after another that cannot work; not where others can."""
    os._exit(CANNOT_JOIN if joins else STARTUP_FAILURE)


def _end_with_parent(parent: int) -> None:
    """End as a signal would, once the parent is gone: nobody else would."""
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
