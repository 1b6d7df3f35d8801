"""Runs made by the engine, and addresses asked for as they are spelt; ``browsed_stages`` lies beside this file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import unquote

from browsed_stages import STAGES

from pipeline.engine.config import build_run_config
from pipeline.engine.runner import run_pipeline


def make_run(folder: Path, last: str | None = None, **sections) -> Path:
    document = {"system": "toy <i>", "description": "a try", "s01": {}, "s02": {}, "s03": {}} | sections
    run_pipeline(build_run_config(document, STAGES), STAGES, folder, last=last)
    return folder


def ask(client, address: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body for an address just as it is spelt: a client would tidy it up first."""
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "query_string": b"",
        "path": unquote(address), "raw_path": address.encode(), "root_path": "", "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), (b"accept", b"text/html")],
    }  # fmt: skip
    asyncio.run(client.app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)
