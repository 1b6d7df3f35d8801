"""The service as processes: the port taken first, then one worker here or several below a parent that replaces those that end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from pipeline.engine.errors import MissingArtifactError, UsageError
from pipeline.inference.bundle import open_bundle
from pipeline.service.application import make_application
from pipeline.service.models import bundle_folders
from pipeline.service.running import logs, metrics
from pipeline.service.running.connections import Connection
from pipeline.service.running.workers import Workers
from pipeline.service.safety.keys import read_keys
from pipeline.service.settings import ServiceSettings

BACKLOG = 2048
KEEP_ALIVE_S = 15
_WORKER = "pipeline.service.running.worker:application"


def take_port(settings: ServiceSettings) -> socket.socket:
    """A listening socket. Raises UsageError where the port is in use, or the address is not of this machine."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) where the protocol is told; else the end of an answer waits 40 ms for the client's word.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(BACKLOG)
    except (OSError, UnicodeError) as cause:  # of a name that is none
        listening.close()
        mend = "Choose another with --port, or end what listens there; --host is an address or a name of this machine."
        told = getattr(cause, "strerror", None) or cause
        raise UsageError(f"{settings.host} port {settings.port} cannot be taken: {told}.", mend) from cause
    listening.set_inheritable(True)
    return listening


def serve(settings: ServiceSettings, listening: socket.socket) -> None:
    """Serve until a signal ends it; what was taken is finished. Raises as `make_application` and what keeps the models shut."""
    logs.start_log()
    if settings.workers == 1:
        _serve_here(settings, listening)
    else:
        _serve_below(settings, listening)


def _config(settings: ServiceSettings, application: FastAPI | str) -> uvicorn.Config:
    return uvicorn.Config(
        application, log_config=None, access_log=False, server_header=False, proxy_headers=False, workers=settings.workers,
        timeout_graceful_shutdown=int(settings.grace_s) or 1, timeout_keep_alive=KEEP_ALIVE_S,
        factory=isinstance(application, str), http=Connection, ws="none", loop="asyncio",
    )  # fmt: skip


def _serve_here(settings: ServiceSettings, listening: socket.socket) -> None:
    def failed() -> None:
        server.should_exit = True

    application = make_application(settings, failed)
    server = _Server(_config(settings, application))
    server.run([listening])
    if application.state.service.failure is not None:
        raise application.state.service.failure


class _Server(uvicorn.Server):
    """uvicorn's, which would raise the signal again that ended it: this one has an orderly end, exit code 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _serve_below(settings: ServiceSettings, listening: socket.socket) -> None:
    # Each worker verifies its own; what is amiss is said here, once, before any is started.
    for folder in bundle_folders(settings.bundles):
        open_bundle(folder)
    if settings.keys is not None:
        read_keys(settings.keys)
    settings.to_environment()
    with metrics.share_counts():
        workers = Workers(_config(settings, _WORKER), [listening])
        workers.run()
        if any(process.exitcode == uvicorn.config.STARTUP_FAILURE for process in workers.processes):
            raise MissingArtifactError("The workers cannot open the models.", "The log says why; --workers 1 says it here.")

