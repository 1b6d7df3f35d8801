"""Who may ask and how much: keys, rates, hosts, origins, sizes, slowness; and a log without anything that a client sent."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import tempfile
import time

import pytest
from served import noise, serving
from starlette.datastructures import Headers

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, UsageError
from pipeline.service.problems import Problem
from pipeline.service.running.logs import start_log
from pipeline.service.safety.keys import Keys, add_key, read_keys
from pipeline.service.safety.rate import Rate
from pipeline.service.safety.uploads import BoundedBody, Budget
from pipeline.service.settings import Limits, ServiceSettings
from tests.waiting import HANGS_S

OPEN = {"gate": "false"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def keyed(settings, tmp_path_factory):
    """A client of a service that asks for keys, and one of them."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    key = add_key(file, "ward")
    add_key(file, "other")
    told = {"keys": file, "origins": ("https://ward.example",), "hosts": ("scans.example",)}
    with serving(settings.model_copy(update=told)) as client:
        yield client, key


def post(client, **of_request):
    return client.post("/predict", files={"file": ("scan.png", noise())}, data=OPEN, **of_request)


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_opens(keyed, header):
    client, key = keyed
    assert post(client, headers={header: f"Bearer {key}" if header == "Authorization" else key}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer rk_wrong"}, {"Authorization": "Basic x"}, {"X-API-Key": "é"}])
def test_no_key_or_a_wrong_one_is_refused(keyed, headers):
    client, _ = keyed
    answer = post(client, headers={name: value.encode() for name, value in headers.items()})
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"].endswith(":key")


def test_what_an_orchestrator_asks_needs_none(keyed):
    client, _ = keyed
    assert [client.get(path).status_code for path in ("/health", "/ready", "/docs", "/openapi.json")] == [200] * 4
    assert client.get("/model/info").status_code == client.get("/metrics").status_code == 401


def test_a_thousand_wrong_keys_are_soon_not_looked_at(settings, tmp_path):
    key = add_key(tmp_path / "keys", "ward")
    with serving(settings.model_copy(update={"keys": tmp_path / "keys"})) as client:
        begun = time.monotonic()
        told = [client.get("/model/info", headers={"X-API-Key": f"rk_{number}"}).status_code for number in range(1000)]
        assert set(told) == {401, 429} and told.count(401) < 60 + (time.monotonic() - begun)
        held = client.get("/model/info", headers={"X-API-Key": key})
        assert held.status_code == 429 and int(held.headers["retry-after"]) >= 1
        assert client.get("/health").status_code == 200


def test_one_client_may_come_so_often(settings):
    with serving(settings.model_copy(update={"rate": 5.0})) as client:
        told = [client.get("/model/info").status_code for _ in range(8)]
    assert told == [200] * 5 + [429] * 3


def test_a_bucket_fills_again_and_the_oldest_is_forgotten():
    now = [0.0]
    rate = Rate(60, clients=2, clock=lambda: now[0])
    assert [rate.wait_s("a") for _ in range(61)][-2:] == [0, 1]
    now[0] = 1.0
    assert rate.wait_s("a") == 0 and rate.wait_s("a") > 0
    rate.wait_s("b"), rate.wait_s("c")
    assert rate.tokens("a") == 60


@pytest.mark.parametrize(
    ("host", "known"),
    [("localhost", True), ("localhost:8000", True), ("127.0.0.1:1", True), ("[::1]:8000", True), ("10.1.2.3", True),
     ("scans.example", True), ("SCANS.example:443", True),
     ("evil.example", False), ("localhost.evil.example", False), ("", False)],
)  # fmt: skip
def test_a_name_that_nobody_allowed_is_refused(keyed, host, known):
    client, _ = keyed
    answer = client.get("/health", headers={"Host": host})
    assert answer.status_code == (200 if known else 400)


@pytest.mark.parametrize(("origin", "allowed"), [("https://ward.example", True), ("https://evil.example", False)])
def test_pages_of_other_origins(keyed, origin, allowed):
    client, _ = keyed
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    assert (client.options("/predict", headers=asks).status_code == 200) is allowed
    assert ("access-control-allow-origin" in client.get("/health", headers={"Origin": origin}).headers) is allowed


def test_every_answer_has_its_headers(client):
    refused = client.get("/health", headers={"Host": "evil.example"})
    for answer in (client.get("/health"), client.get("/nothing"), post(client), refused):
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"] and len(answer.headers["x-request-id"]) == 16
        assert "server" not in answer.headers


def test_what_is_announced_too_large_is_refused_unread(client):
    def never():
        raise AssertionError("it was read")
        yield b""

    for length in (2 << 30, 10**17, 10**40):
        answer = client.post("/predict", content=never(), headers={"Content-Length": str(length), **FORM})
        assert answer.status_code == 413, length


def test_an_encoded_body_is_refused_unread(client):
    body = gzip.compress(bytes(10_000_000))
    answer = client.post("/predict", content=body, headers={"Content-Encoding": "gzip", **FORM})
    assert answer.status_code == 415 and answer.json()["type"].endswith("content-encoding")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [("multipart/form-data; boundary=x", b"nonsense", 400), ("multipart/form-data", b"", 400), ("application/json", b"{}", 415),
     ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n", 400),
     ("multipart/form-data; boundary=x", b"--x--\r\n", 422)],
)  # fmt: skip
def test_a_form_that_is_none(client, kind, body, status):
    answer = client.post("/predict", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text


def test_files_and_requests_beyond_their_limits(settings):
    limits = Limits(request_mb=1, file_mb=0.5)
    with serving(settings.model_copy(update={"limits": limits})) as client:
        assert client.post("/predict", files={"file": bytes(700_000)}).json()["detail"] == "A file of more than 0.5 MiB."
        parts = [("files", bytes(400_000)) for _ in range(3)]
        assert client.post("/predict/batch", files=parts).status_code == 413

        def chunks():
            yield b"--x\r\nContent-Disposition: form-data; name=note\r\n\r\n"
            for _ in range(40):
                yield bytes(50_000)

        # no length is announced: it is counted
        assert client.post("/predict", content=chunks(), headers=FORM).status_code == 413
        assert client.app.state.service.desk.taken == 0


def body_of(messages, limits=Limits(), budget=None, given_up=None) -> BoundedBody:  # noqa: B008
    """given_up: gets an entry where nobody waits any longer for what does not come."""

    async def receive():
        if not messages:
            try:
                await asyncio.sleep(HANGS_S)
            except asyncio.CancelledError:
                given_up.append(True)
                raise
        return messages.pop(0)

    return BoundedBody(receive, Headers({}), limits, budget or Budget(1 << 30))


def test_a_body_slower_than_its_deadline_is_refused():
    part = {"type": "http.request", "body": b"abc", "more_body": True}

    given_up = []

    async def read():
        body = body_of([dict(part), dict(part)], Limits(upload_s=0.2), given_up=given_up)
        while True:
            await body.receive()

    with pytest.raises(Problem) as refused:
        asyncio.run(read())
    assert refused.value.status_code == 408 and given_up == [True]


def test_all_bodies_together_have_a_limit_and_give_back():
    budget = Budget(10)
    part = {"type": "http.request", "body": b"123456", "more_body": True}

    async def read(body):
        await body.receive()

    first, second = body_of([dict(part)], budget=budget), body_of([dict(part)], budget=budget)
    asyncio.run(read(first))
    with pytest.raises(Problem) as refused:
        asyncio.run(read(second))
    assert refused.value.status_code == 503 and refused.value.headers["Retry-After"]
    second.forget(), first.forget()
    assert budget.held == 0


def test_an_upload_is_never_on_a_disk(client, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a file was made")

    monkeypatch.setattr(tempfile, "TemporaryFile", never)
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", never)
    picture = noise(side=2500)
    assert len(picture) > 5_000_000
    assert client.post("/predict", files={"file": picture}, data=OPEN).status_code == 200


def test_nothing_that_a_client_sent_is_logged(client, monkeypatch):
    """Marked identifiers wherever a client can put them: names, fields, headers, queries, headers of DICOM, broken forms."""
    from dicom_marked import marked_dicom

    stream = io.StringIO()
    start_log()
    for name in ("pipeline.service", "uvicorn.error"):
        logging.getLogger(name).handlers[0].setStream(stream)
    root = logging.StreamHandler(stream)
    logging.getLogger().addHandler(root)
    mark = "MARKED-4711"
    try:
        headers = {"X-Request-ID": mark, "User-Agent": mark, "Referer": f"http://localhost/{mark}"}
        whole = marked_dicom(mark)
        for content in (noise(), b"text " + mark.encode(), whole, marked_dicom(mark, modality=mark), whole[:300]):
            file, fields = (f"{mark}.dcm", content), {**OPEN, "note": mark}
            client.post(f"/predict?patient={mark}", files={"file": file}, data=fields, headers=headers)
            client.post("/predict", files={"file": file}, data=OPEN, headers=headers)
            client.post("/predict/batch", files=[("files", file)], data={"bundle": mark}, headers=headers)
            for place in ("/", "/page/answer", "/page/rows"):
                client.post(place, files={"scans": file}, data={"note": mark, "slice": mark}, headers=headers)
        client.get(f"/{mark}")
        client.post("/predict", content=mark, headers={"Content-Type": f"multipart/form-data; boundary={mark}"})
        monkeypatch.setattr(type(client.app.state.service.models), "for_case", lambda *_: 1 / 0 if mark else None)
        broken = client.post("/predict", files={"file": (mark, noise())}, data={"note": mark})
    finally:
        logging.getLogger().removeHandler(root)
    lines = stream.getvalue().splitlines()
    assert broken.status_code == 500 and mark not in broken.text and "ZeroDivision" not in broken.text
    assert len(lines) > 10 and mark not in stream.getvalue()
    told = [json.loads(line) for line in lines]
    assert any(line.get("exception") == "ZeroDivisionError" and line["raised_at"] for line in told)


def test_a_key_is_named_by_its_hash():
    keys, first = Keys({}).with_new("a")
    keys, second = keys.with_new("b")
    assert (keys.name_of(first), keys.name_of(second), keys.name_of("rk_"), keys.name_of("\udcff")) == ("a", "b", None, None)
    assert first != second and len(first) > 40


@pytest.mark.parametrize("text", ["", "ward\n", "ward:abc\n", f"ward:{'0' * 64}\nward:{'1' * 64}\n", "# none\n"])
def test_a_file_that_holds_no_keys(tmp_path, text):
    (tmp_path / "keys").write_text(text)
    with pytest.raises(CorruptArtifactError):
        read_keys(tmp_path / "keys")


def test_keys_that_are_not_there_and_names_that_are_none(tmp_path):
    with pytest.raises(MissingArtifactError):
        read_keys(tmp_path / "none")
    for name in ("", "a b", "x" * 65, "a:b", "a\n"):
        with pytest.raises(UsageError):
            add_key(tmp_path / "keys", name)


@pytest.mark.parametrize(
    ("host", "public"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("127.9.9.9", False),
     ("0.0.0.0", True), ("::", True), ("scans.example", True), ("10.0.0.1", True)],
)  # fmt: skip
def test_what_others_reach(host, public):
    settings = ServiceSettings(host=host)
    assert settings.is_public is public
    if public:
        with pytest.raises(UsageError):
            settings.require_safe()
        settings.model_copy(update={"without_keys": True}).require_safe()
