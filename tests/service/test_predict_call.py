"""`/predict`: the documents' call and the pair; the same answers as Python's, and refusals that say how to mend them."""

from __future__ import annotations

import dataclasses
import json

import pytest
from served import SCANS, noise, serving

from pipeline import open_bundle
from pipeline.service.settings import ServiceSettings

DOCUMENTS = ["prediction", "confidence", "probabilities", "inference_time_ms", "model_version"]
OPEN = {"gate": "false"}


def ask(client, fields=None, **files):
    return client.post("/predict", files={name: ("scan.png", content) for name, content in files.items()}, data=fields or {})


def test_one_image_is_answered_in_the_documents_words(client):
    answer = ask(client, OPEN, file=noise()).json()
    assert list(answer)[:5] == DOCUMENTS
    assert answer["prediction"] in answer["probabilities"] and answer["confidence"] == max(answer["probabilities"].values())
    assert answer["inference_time_ms"] > 0 and answer["model_version"].startswith("tiny_classifier@sha256:")
    assert answer["features"] is None and answer["answers"][0]["gate"] == "not asked"


def test_features_are_sent_on_demand(client):
    answer = ask(client, {**OPEN, "return_features": "true"}, file=noise()).json()
    assert len(answer["features"]) == 4


def test_the_answer_is_pythons(client, tiny_bundles, tmp_path):
    (tmp_path / "a.png").write_bytes(noise(3))
    (tmp_path / "b.png").write_bytes(noise(4))
    single = open_bundle(tiny_bundles[0], gate=False).answer(tmp_path / "a.png")
    assert ask(client, OPEN, file=noise(3)).json()["probabilities"] == single.probabilities
    pair = open_bundle(tiny_bundles[1], gate=False).answer(xray=tmp_path / "a.png", ct=tmp_path / "b.png")
    sent = ask(client, OPEN, xray=noise(3), ct=noise(4)).json()
    assert [each["modality"] for each in sent["answers"]] == ["xray", "ct", "paired"]
    for told, known in zip(sent["answers"], pair.findings, strict=True):
        assert {name: told[name] for name in known.to_dict()} == known.to_dict()
    assert sent["prediction"] == pair.findings[2].predicted and sent["bundle"] == "tiny_pair"


@pytest.mark.parametrize("half", ["xray", "ct"])
def test_half_a_pair_is_answered(client, half):
    answer = ask(client, OPEN, **{half: noise(5)}).json()
    assert [each["modality"] for each in answer["answers"]] == [half]


def test_a_wrong_modality_is_refused_and_told_where_it_belongs(client):
    slice_ = (SCANS / "covid_12_ct.png").read_bytes()
    answer = ask(client, file=slice_)
    problem = answer.json()
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert problem["belongs"] == {"kind": "ct", "field": "ct", "bundles": ["tiny_pair"]}
    assert "ct" in problem["remedy"] and "--" not in problem["detail"] + problem["remedy"]


def test_a_wrong_half_is_named_and_the_other_answered(client):
    slice_ = (SCANS / "covid_12_ct.png").read_bytes()
    answer = ask(client, xray=slice_, ct=slice_).json()
    by = {each["modality"]: each for each in answer["answers"]}
    assert by["xray"]["refused"] and by["xray"]["belongs"]["field"] == "ct" and by["ct"]["predicted"] and by["paired"]["error"]
    assert answer["prediction"] == by["ct"]["predicted"]


@pytest.mark.parametrize(
    ("fields", "files", "status", "kind"),
    [
        ({}, {}, 422, "nothing-given"), ({"note": "fever"}, {}, 422, "no-bundle"),
        ({"bundle": "tiny_clasifier"}, {"file": 1}, 404, "unknown-bundle"),
        ({}, {"file": 1, "ct": 1}, 422, "two-calls"), ({"bundle": "tiny_pair"}, {"file": 1}, 422, "not-answerable"),
        ({"gate": "perhaps"}, {"file": 1}, 422, "fields"), ({"note": "x" * 20_001}, {"file": 1}, 413, "too-large"),
        ({"note": "x" * (1 << 20)}, {"file": 1}, 413, "too-large"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_answered(client, fields, files, status, kind):
    sent = {name: ("scan.png", noise()) for name in files} or {"": ("", b"")}
    answer = client.post("/predict", data=fields, files=sent)
    problem = answer.json()
    assert (answer.status_code, problem["type"].rsplit(":", 1)[1]) == (status, kind), problem
    assert problem["request_id"] == answer.headers["x-request-id"] and problem["detail"] and problem["remedy"]
    assert "Traceback" not in json.dumps(problem)


@pytest.mark.parametrize(
    ("path", "fields", "file"),
    [("/predict", {"bundle": "tiny_pair"}, "file"), ("/predict", {"bundle": "tiny_classifier"}, "ct"),
     ("/classify", {"bundle": "tiny_classifier", "note": "fever"}, "file"),
     ("/classify", {"bundle": "tiny_undrawn", "heat_map": "gradcam"}, "file")],
)  # fmt: skip
def test_what_a_named_bundle_does_not_do_is_said_before_anything_is_decoded(client, monkeypatch, path, fields, file):
    """In the form's words, and without a place on the server's disk."""
    def never(*_, **__):
        raise AssertionError("it was decoded")

    service, name = client.app.state.service, fields["bundle"]
    monkeypatch.setattr(service.decoders, "read", never)
    undrawn = dataclasses.replace(service.models.by_name["tiny_classifier"], name="tiny_undrawn")
    monkeypatch.setitem(service.models.by_name, "tiny_undrawn", undrawn)
    if name == "tiny_undrawn":
        monkeypatch.setattr(undrawn.guarded, "methods", (), raising=False)
    answer = client.post(path, data=fields, files={file: noise()})
    told = answer.json()
    assert answer.status_code == 422 and told["type"].endswith("not-answerable")
    assert told["detail"].startswith(name) and "/" not in told["detail"] + told["remedy"]


def test_half_a_pair_is_of_the_pairs_bundle_in_whatever_order_they_are_named(tiny_bundles):
    for order in (tiny_bundles, tiny_bundles[::-1]):
        with serving(ServiceSettings(bundles=order)) as client:
            assert ask(client, OPEN, xray=noise(5)).json()["bundle"] == "tiny_pair"
            assert ask(client, OPEN, file=noise(5)).json()["bundle"] == "tiny_classifier"


def test_a_service_of_one_bundle_answers_what_that_reads(tiny_bundles):
    with serving(ServiceSettings(bundles=tiny_bundles[:1])) as client:
        assert ask(client, OPEN, xray=noise()).json()["bundle"] == "tiny_classifier"
    with serving(ServiceSettings(bundles=tiny_bundles[1:])) as client:
        assert ask(client, OPEN, file=noise()).json()["type"].endswith("no-bundle")
        assert client.post("/classify", files={"file": noise()}).json()["detail"] == "No bundle here answers /classify."
        told = client.get("/health").json()
        assert (told["status"], told["model_version"], told["device"]) == ("healthy", None, "cpu")
        assert not client.get("/model/info").json()["bundles"][0]["is_default"]


def test_a_name_near_one_that_is_there_is_answered_with_those(client):
    assert "tiny_classifier" in ask(client, {"bundle": "tiny_clasifier"}, file=noise()).json()["remedy"]


@pytest.mark.parametrize(
    "body", [b"", b"this is no picture\n", noise()[:300], b"PK\x03\x04" + bytes(200), noise(side=4)],
    ids=["empty", "text", "cut", "zip", "small"],
)
def test_a_file_that_is_no_scan(client, body):
    answer = client.post("/predict", files={"file": ("Mueller_Hans.dcm", body)})
    assert answer.status_code == 422 and answer.json()["detail"].startswith("file")
    assert "Mueller" not in answer.text
