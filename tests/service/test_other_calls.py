"""Batch, lungs, classes, heat maps, the gate alone and what is served: the same as the library says, file for file."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest
from served import ROOT, SCANS, noise, serving

from pipeline import open_bundle
from pipeline.inference.activation.overlays import draw_activation
from pipeline.inference.segmenter.overlays import draw_overlay, mask_picture
from pipeline.service.settings import ServiceSettings

OPEN = {"gate": "false"}
XRAY = SCANS / "covid_12_xray.png"


@pytest.fixture(scope="module")
def everything(tiny_bundles, tmp_path_factory):
    from tiny_segmenter import write_segmenter

    folder = write_segmenter(tmp_path_factory.mktemp("lungs") / "tiny_lungs")
    with serving(ServiceSettings(bundles=(*tiny_bundles, folder))) as client:
        yield client, folder


def decoded(content: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_batch_has_one_result_a_file_in_order(client):
    bodies = [noise(1), b"no picture", noise(2), b"", noise(1)]
    files = [("files", (f"{number}.png", body)) for number, body in enumerate(bodies)]
    told = client.post("/predict/batch", files=files, data=OPEN).json()
    assert [each["index"] for each in told["results"]] == [0, 1, 2, 3, 4] and (told["answered"], told["failed"]) == (3, 2)
    alone = client.post("/predict", files={"file": noise(2)}, data=OPEN).json()
    assert told["results"][2]["answer"]["probabilities"] == alone["probabilities"]
    assert told["results"][0]["answer"]["probabilities"] == told["results"][4]["answer"]["probabilities"]
    for place in (1, 3):
        refused = told["results"][place]
        assert refused["error"]["detail"].startswith(f"files[{place}]") and refused["answer"] is None


def test_a_batch_names_what_the_gate_refuses(client):
    slice_ = (SCANS / "covid_12_ct.png").read_bytes()
    told = client.post("/predict/batch", files=[("files", slice_), ("files", XRAY.read_bytes())]).json()["results"]
    assert told[0]["error"]["belongs"]["kind"] == "ct" and told[1]["answer"]["prediction"]


def test_more_files_than_are_taken(client):
    answer = client.post("/predict/batch", files=[("files", (f"{number}.png", b"x")) for number in range(65)])
    assert answer.status_code == 413 and answer.json()["type"].endswith("too-many")


def test_lungs_are_outlined_as_by_the_library(everything):
    client, folder = everything
    known = open_bundle(folder, gate=False).answer(XRAY)
    told = client.post("/segment", files={"file": XRAY.read_bytes()}, data=OPEN).json()
    assert told["prediction"] == known.predicted and told["measures"] == known.to_dict()["geometry"]
    assert (told["height"], told["width"]) == known.lung_mask.shape
    filled = np.zeros(known.lung_mask.shape, np.uint8)
    for outline in told["outlines"]:
        cv2.fillPoly(filled, [np.array(outline["points"])], 1)
    assert not np.any(known.lung_mask & (filled == 0)) and {each["side"] for each in told["outlines"]} <= {"right", "left"}


def test_its_pictures_are_the_commands(everything):
    client, folder = everything
    known, gray = open_bundle(folder, gate=False).answer(XRAY), cv2.imread(str(XRAY), cv2.IMREAD_GRAYSCALE)
    files, accept = {"file": XRAY.read_bytes()}, {"Accept": "image/png"}
    overlay = client.post("/segment", files=files, data=OPEN, headers=accept)
    assert overlay.headers["content-type"] == "image/png"
    assert np.array_equal(decoded(overlay.content), draw_overlay(gray, known.lung_mask, known.findings[0].caption))
    mask = client.post("/segment", files=files, data={**OPEN, "picture": "mask"}, headers=accept)
    assert np.array_equal(decoded(mask.content), mask_picture(known.lung_mask))


@pytest.mark.parametrize("method", ["gradcam", "gradcam_plus_plus"])
def test_a_heat_map_is_the_commands_picture(client, tiny_bundles, method):
    known = open_bundle(tiny_bundles[0], gate=False).answer(XRAY, methods=method).findings[0]
    gray = cv2.imread(str(XRAY), cv2.IMREAD_GRAYSCALE)
    title = {"gradcam": "Grad-CAM", "gradcam_plus_plus": "Grad-CAM++"}[method]
    drawn = draw_activation(gray, known.activations[method], f"{title}: {known.caption}")
    files, fields = {"file": XRAY.read_bytes()}, {**OPEN, "heat_map": method}
    told = client.post("/classify", files=files, data=fields).json()["heat_maps"]
    assert [each["method"] for each in told] == [method]
    assert np.array_equal(decoded(base64.b64decode(told[0]["png_base64"])), drawn)
    picture = client.post("/classify", files=files, data=fields, headers={"Accept": "image/png"})
    assert np.array_equal(decoded(picture.content), drawn)


@pytest.mark.parametrize("field", ["file", "xray"])
def test_predict_draws_heat_maps_too(client, tiny_bundles, field):
    known = open_bundle(tiny_bundles[0], gate=False).answer(XRAY, methods="gradcam").findings[0]
    gray, heat = cv2.imread(str(XRAY), cv2.IMREAD_GRAYSCALE), known.activations["gradcam"]
    files, fields = {field: XRAY.read_bytes()}, {**OPEN, "bundle": "tiny_classifier"}
    for more, words in (({}, f"Grad-CAM: {known.caption}"), ({"caption": "false"}, "")):
        (told,) = client.post("/predict", files=files, data={**fields, **more, "heat_map": "gradcam"}).json()["heat_maps"]
        assert told["modality"] == "xray"
        assert np.array_equal(decoded(base64.b64decode(told["png_base64"])), draw_activation(gray, heat, words))
    assert client.post("/predict", files=files, data=fields).json()["heat_maps"] == []


def test_pictures_without_a_caption(everything):
    client, folder = everything
    known, gray = open_bundle(folder, gate=False).answer(XRAY), cv2.imread(str(XRAY), cv2.IMREAD_GRAYSCALE)
    files, fields, accept = {"file": XRAY.read_bytes()}, {**OPEN, "caption": "false"}, {"Accept": "image/png"}
    overlay = decoded(client.post("/segment", files=files, data=fields, headers=accept).content)
    assert np.array_equal(overlay, draw_overlay(gray, known.lung_mask))
    heat = decoded(client.post("/classify", files=files, data=fields, headers=accept).content)
    finding = open_bundle(client.app.state.service.models.default().guarded.path, gate=False).answer(XRAY, methods="gradcam")
    assert np.array_equal(heat, draw_activation(gray, finding.activations["gradcam"]))


def test_a_class_without_a_heat_map(client):
    told = client.post("/classify", files={"file": noise()}, data={**OPEN, "return_features": "true"}).json()
    assert told["heat_maps"] == [] and len(told["features"]) == 4


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [("/segment", {}, 422), ("/classify", {"bundle": "tiny_pair"}, 422), ("/classify", {"bundle": "none"}, 404),
     ("/classify", {"heat_map": "shap"}, 422), ("/segment", {"bundle": "tiny_classifier"}, 422)],
)  # fmt: skip
def test_a_bundle_of_another_call_is_refused(client, path, fields, status):
    answer = client.post(path, files={"file": noise()}, data=fields)
    assert answer.status_code == status and answer.json()["remedy"]


def test_the_gate_alone(client):
    files = [("files", XRAY.read_bytes()), ("files", (SCANS / "covid_12_ct.png").read_bytes()), ("files", b"text")]
    told = client.post("/validate", files=files).json()
    assert [each["valid"] for each in told["results"]] == [True, False, False] and told["valid"] == 1
    assert [each["kind"] for each in told["results"]] == ["xray", "ct", None]
    assert told["results"][0]["header"]["container"] == "PNG" and told["results"][1]["distances"]["ct"] > 0
    as_ct = client.post("/validate", files=files, data={"modality": "ct"}).json()
    assert [each["valid"] for each in as_ct["results"]] == [False, True, False]


def test_what_is_served_is_told(client, tiny_bundles):
    told = client.get("/model/info").json()
    assert [(each["name"], each["is_default"]) for each in told["bundles"]] == [("tiny_classifier", True), ("tiny_pair", False)]
    assert told["bundles"][1]["reads"] == ["xray", "ct"] and told["bundles"][1]["card"].startswith("# A tiny bundle")
    assert set(told["gate"]) == {"xray", "ct"} and [each["shortcuts"] for each in told["bundles"]] == [[], []]


def test_a_shipped_bundle_is_told_with_what_is_known_against_it():
    folder = ROOT / "pretrained" / "pneumonia_binary"
    with serving(ServiceSettings(bundles=(folder,))) as client:
        (told,) = client.get("/model/info").json()["bundles"]
    accuracy = next(each for each in told["test_figures"] if each["metric"] == "accuracy")
    recorded = told["figures"]["test"]["metrics"]["accuracy"]
    assert {end: accuracy[end] for end in recorded} == recorded and (accuracy["scans"], accuracy["patients"]) == (144, 115)
    assert any("lungs blacked out" in each["sentence"] for each in told["shortcuts"]) and len(told["limits"]) >= 4


def test_the_page_of_calls_needs_no_network_and_no_script(client):
    page = client.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page.text and "http://" not in page.text and "https://" not in page.text
    for path in client.app.openapi()["paths"]:
        assert path in page.text
