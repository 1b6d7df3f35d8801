"""A machine on which no process for decoding starts."""

from __future__ import annotations

import io
import json
import logging

from served import noise, serving

from pipeline.data.reading.processes import decoder_process
from pipeline.service.running.logs import start_log
from tests.waiting import wait_until

OPEN = {"gate": "false"}


def test_where_no_decoder_starts_uploads_are_refused_and_the_log_says_why(settings, monkeypatch):
    stream = io.StringIO()
    with serving(settings) as client:
        start_log()
        logging.getLogger("pipeline.service").handlers[0].setStream(stream)
        pool = client.app.state.service.decoders._pool
        wait_until(lambda: len(pool._idle) == settings.answering, lambda: True, "a decoder")
        for each in pool._idle:
            each.close(at_once=True)
        monkeypatch.setattr(decoder_process, "STARTUP", "raise SystemExit(3)")
        alone = client.post("/predict", files={"file": noise()}, data=OPEN)
        batch = client.post("/predict/batch", files=[("files", noise())] * 2, data=OPEN).json()["results"]
        monkeypatch.undo()
        assert client.post("/predict", files={"file": noise()}, data=OPEN).status_code == 200
    assert alone.status_code == 503 and alone.headers["retry-after"] and "process" not in alone.text
    assert [each["error"]["status"] for each in batch] == [503, 503]
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    of = [line["request_id"] for line in told if line["event"] == "cannot answer" and line["exception"] == "NoDecoderError"]
    assert alone.json()["request_id"] in of and batch[0]["error"]["request_id"] in of
