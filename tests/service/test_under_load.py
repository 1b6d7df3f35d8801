"""What the desk refuses and forgets, and what load, a killed decoder and a killed worker cost."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import threading
import time

import pytest
from served import decoders, listening, noise, serving

from pipeline.cli.bench.service.endurance import overload, soak
from pipeline.cli.bench.service.killed import kill_worker
from pipeline.cli.bench.service.load import BOUNDARY, Client, Running, form, service
from pipeline.service.desk import CancelledWorkError, Desk, Ticket
from pipeline.service.problems import Problem
from tests.waiting import HANGS_S, wait_until

OPEN = {"gate": "false"}


async def stays() -> None:
    await asyncio.sleep(HANGS_S)


def test_beyond_its_places_the_desk_refuses_at_once():
    desk, go = Desk(1, 2, HANGS_S), threading.Event()

    async def ask():
        asked = [asyncio.ensure_future(desk.ask(lambda _: go.wait(HANGS_S), stays)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Problem) as refused:
            await desk.ask(lambda _: None, stays)
        go.set()
        return refused.value, await asyncio.gather(*asked)

    refused, answers = asyncio.run(ask())
    assert refused.status_code == 503 and int(refused.headers["Retry-After"]) >= 1 and answers == [True] * 3
    desk.close()
    assert desk.taken == 0


def test_a_request_whose_deadline_has_passed_is_refused_and_not_begun():
    desk, go, begun = Desk(1, 2, 0.2), threading.Event(), []

    async def ask():
        first = asyncio.ensure_future(desk.ask(lambda _: go.wait(HANGS_S), stays))
        second = asyncio.ensure_future(desk.ask(begun.append, stays))
        told = await asyncio.gather(first, second, return_exceptions=True)
        go.set()
        return told

    told = asyncio.run(ask())
    desk.close()
    assert [problem.status_code for problem in told] == [503, 503] and begun == [] and desk.taken == 0


def test_what_nobody_waits_for_ends_between_its_steps():
    desk, ended = Desk(1, 0, HANGS_S), threading.Event()

    def work(ticket: Ticket) -> None:
        try:
            while True:
                time.sleep(0.01)
                ticket.proceed()
        except CancelledWorkError:
            ended.set()
            raise

    async def leaves() -> None:
        await asyncio.sleep(0.1)

    async def ask():
        with pytest.raises(Problem):
            await desk.ask(work, leaves)

    asyncio.run(ask())
    assert ended.wait(HANGS_S)
    desk.close()
    assert desk.taken == 0


def test_a_request_beyond_the_places_is_refused_before_it_is_read(settings):
    with serving(settings) as client:
        client.app.state.service.desk.taken = client.app.state.service.desk.places

        def never():
            raise AssertionError("it was read")
            yield b""

        answer = client.post("/predict", content=never(), headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert answer.status_code == 503 and answer.headers["retry-after"] and answer.json()["type"].endswith(":busy")
        client.app.state.service.desk.taken = 0


def test_a_client_that_leaves_has_its_batch_left_undone(settings):
    with listening(settings) as (address, application):
        real, asked, begun = application.state.service.decoders.read, [], threading.Event()

        def slow(*upload):
            asked.append(upload[1])
            begun.set()
            time.sleep(0.1)
            return real(*upload)

        application.state.service.decoders.read = slow
        leaving = http.client.HTTPConnection(address.removeprefix("http://"))
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        leaving.request("POST", "/predict/batch", form([("files", noise())] * 40, OPEN), kind)
        assert begun.wait(HANGS_S)
        leaving.close()
        wait_until(lambda: not application.state.service.desk.taken, lambda: application.state.service.ready, "the desk's end")
        assert 0 < len(asked) < 40


def test_a_killed_decoder_costs_its_own_file_alone(settings):
    with listening(settings) as (address, application):
        client, body = Client(address), form([("file", noise())], OPEN)
        assert client.post("/predict", body).status == 200
        killed = decoders()
        assert killed
        for each in killed:
            each.kill()
        # a 503 would be an answer that came too late
        statuses = [client.post("/predict", body).status for _ in range(4)]
        assert set(statuses) <= {200, 422} and statuses[-1] == 200
        assert application.state.service.ready


@pytest.mark.posix
def test_overload_is_answered_or_refused_and_passes(settings):
    """The short form of `bench overload`: the statuses and the memory; its times are the command's to tell."""
    with listening(settings) as (address, _):
        row = overload(Running(address, _ThisProcess(), 0), [form([("file", noise(seed))], OPEN) for seed in range(4)], 3)
    assert row["other_statuses"] == [] and row["accepted"] > 0 and row["n"] > row["accepted"]
    assert row["normal_after_s"] is not None and row["memory_growth"] < 0.5


@pytest.mark.posix
def test_steady_load_is_answered(settings):
    with listening(settings) as (address, _):
        row = soak(Running(address, _ThisProcess(), 0), [form([("file", noise())], OPEN)], 4)
    assert row["other_statuses"] == [] and row["n"] > 0 and {"slope_mb_min", "memory_mb"} <= set(row)


class _ThisProcess:
    pid = os.getpid()


@pytest.mark.slow
@pytest.mark.posix
def test_a_killed_worker_loses_its_own_requests_and_is_replaced(tiny_bundles, capsys):
    words = [word for path in tiny_bundles for word in ("--bundles", str(path))]
    with service("--workers", "2", *words) as running:
        row = kill_worker(running, [form([("file", noise())], OPEN)], 12)
        with capsys.disabled():
            print(f"\n{row}")
        assert row["killed"] not in row["joined"] and len(running.workers()) == 2
    assert row["others"] == 0 and row["own"] <= row["connections"] and row["other_statuses"] == []
    assert row["connections"] and row["answered_meanwhile"] > 0


@pytest.mark.slow
@pytest.mark.posix
def test_what_was_taken_is_finished_when_it_stops(tiny_bundles):
    words = [word for path in tiny_bundles for word in ("--bundles", str(path))]
    with service(*words) as running:
        client, replies = Client(running.address), []
        body = form([("files", noise(side=1500))] * 20, OPEN)
        asking = threading.Thread(target=lambda: replies.append(client.post("/predict/batch", body)))
        asking.start()
        time.sleep(0.5)
        running.process.terminate()
        asking.join(HANGS_S)
        assert replies[0].status == 200 and json.loads(replies[0].body)["answered"] == 20
        assert running.process.wait(HANGS_S) == 0
