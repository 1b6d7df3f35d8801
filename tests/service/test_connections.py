"""Connections on which nothing comes of it are ended; one whose request is being answered is not."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from pipeline.service.running import connections
from pipeline.service.running.processes import take_port
from pipeline.service.settings import ServiceSettings
from tests.waiting import HANGS_S, wait_until

SHORT = 0.2
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\nabc"


async def answer(scope, receive, send) -> None:
    if scope["type"] != "http":
        raise ValueError
    if scope["path"] == "/slow":
        await asyncio.sleep(4 * SHORT)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def address(monkeypatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(connections, "HEAD_S", SHORT)
    config = uvicorn.Config(answer, port=0, log_config=None, access_log=False, ws="none", http=connections.Connection,
                            lifespan="off")  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, thread.is_alive, "the server")
    yield server.servers[0].sockets[0].getsockname()[:2]
    server.should_exit = True
    thread.join(HANGS_S)


@pytest.mark.parametrize(
    ("sent", "answered"), [(b"", False), (b"GET / HT", False), (REFUSED, True), (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", True)]
)
def test_a_connection_on_which_no_whole_head_comes_is_ended(address, sent, answered):
    with socket.create_connection(address, HANGS_S) as connection:
        connection.sendall(sent)
        told = b""
        while part := connection.recv(4096):  # nothing but its end stops this
            told += part
    assert told.endswith(b"ok") is answered


def test_one_that_sends_a_little_at_a_time_is_ended(address):
    with socket.create_connection(address, HANGS_S) as connection, pytest.raises(OSError):
        while True:
            connection.sendall(b"x")
            threading.Event().wait(SHORT / 10)


def test_a_long_answer_is_waited_for_and_the_next_one_too(address):
    with socket.create_connection(address, HANGS_S) as connection:
        for _ in range(2):
            connection.sendall(SLOW)
            told = b""
            while not told.endswith(b"ok"):
                part = connection.recv(4096)
                assert part
                told += part


def test_an_answer_is_sent_at_once():
    """Each of its parts, and not the last 40 ms after the first, when the client has said that it came."""
    at_once: list[int] = []

    class Taken(asyncio.Protocol):
        def connection_made(self, transport) -> None:
            at_once.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    async def connect(listening: socket.socket) -> None:
        async with await asyncio.get_running_loop().create_server(Taken, sock=listening):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            assert await asyncio.wait_for(reader.read(), HANGS_S) == b""
            writer.close()

    asyncio.run(connect(take_port(ServiceSettings(port=0))))
    assert at_once and all(at_once)
