"""The page's form, answered as the calls answer: the same words and pixels; names are text; what is wrong stands beside it."""

from __future__ import annotations

import base64
import re
from html import unescape

import cv2
import numpy as np
import pytest
from served import SCANS, noise, png, serving

from pipeline import open_bundle
from pipeline.data.phantom.patient import make_patient
from pipeline.data.reading.assumptions import ReadScan, ScanHeader
from pipeline.inference.activation.overlays import draw_activation
from pipeline.inference.gate.gate import Verdict
from pipeline.inference.segmenter.overlays import draw_overlay
from pipeline.service.page.examples import EXAMPLES, SIDE
from pipeline.service.page.form import Given
from pipeline.service.page.looking import Looked
from pipeline.service.safety.keys import add_key
from pipeline.service.settings import Limits, ServiceSettings

XRAY, CT = (SCANS / "covid_12_xray.png").read_bytes(), (SCANS / "covid_12_ct.png").read_bytes()
BLACK = png(np.zeros((300, 300), np.uint8))


@pytest.fixture(scope="module")
def everything(tiny_bundles, tmp_path_factory):
    from tiny_segmenter import write_segmenter

    folder = write_segmenter(tmp_path_factory.mktemp("lungs") / "tiny_lungs")
    with serving(ServiceSettings(bundles=(*tiny_bundles, folder))) as client:
        yield client, folder


def ask(client, *scans, place="/page/answer", **fields):
    """scans: bytes, or (name, bytes)."""
    files = [("scans", scan if isinstance(scan, tuple) else ("scan.png", scan)) for scan in scans]
    return client.post(place, files=files or {"x": (None, "")}, data=fields)


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def picture(page: str, layer: str) -> np.ndarray:
    found = re.search(rf'<img class="layer {layer}" src="data:image/png;base64,([^"]+)"', page)
    return cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_UNCHANGED)


def rows_of(page: str) -> list[tuple[str, str]]:
    return [(unescape(name), state) for name, state in re.findall(r'data-name="([^"]*)" data-state="(\w+)"', page)]


def test_an_xray_is_answered_as_predict_answers_it(client):
    told = client.post("/predict", files={"file": XRAY}).json()
    page = ask(client, XRAY).text
    assert f"Answer: {told['prediction']}" in words_of(page) and "It looks like a chest X-ray." in page
    assert told["model_version"] in page
    for name, share in told["probabilities"].items():
        assert re.search(rf"{name}.*?{100 * share:.1f} %|>99.9 %", page, flags=re.DOTALL)


def test_a_pair_is_told_by_the_gate(client):
    pair = client.post("/predict", files={"xray": XRAY, "ct": CT}).json()
    for scans in ((XRAY, CT), (CT, XRAY)):
        page = ask(client, *scans).text
        assert pair["model_version"] in page and page.count('class="finding"') == 3 and page.count('class="scan"') == 2
        assert words_of(page).index("Pair:") < words_of(page).index("X-ray: " + pair["answers"][0]["predicted"])


@pytest.mark.parametrize("place", ["/", "/page/answer"])
def test_lungs_and_heat_map_are_the_commands_pixels(everything, place):
    client, folder = everything
    page = ask(client, XRAY, place=place, draw=["lungs", "heat"], bundle="tiny_classifier").text
    gray = cv2.imdecode(np.frombuffer(XRAY, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(picture(page, "base"), gray)
    lungs = open_bundle(folder, gate=False).answer(gray).lung_mask
    assert np.array_equal(picture(page, "lungs"), draw_overlay(gray, lungs))
    served = client.app.state.service.models.by_name["tiny_classifier"].guarded.path
    heat = open_bundle(served, gate=False).answer(gray, methods="gradcam").activations["gradcam"]
    assert np.array_equal(picture(page, "heat"), draw_activation(gray, heat))


def test_a_wrong_modality_is_refused_and_shown_where_it_belongs(client):
    page = ask(client, XRAY, given_as="ct").text
    assert "Refused: it is not what it was given as" in page and 'data-given-as="xray"' in page and "tiny_pair" in page
    page = ask(client, CT, bundle="tiny_classifier").text
    assert "Refused" in page and 'data-given-as="ct"' in page and "It looks like a CT slice of the chest." in page


@pytest.mark.parametrize(
    ("scan", "said"),
    [(BLACK, "flat picture"), (noise(), "neither"), (b"", "empty file"), (b"text", "not a scan"), (XRAY[:500], "scan")],
    ids=["black", "noise", "empty", "text", "cut off"],
)
def test_what_is_no_scan_has_no_answer_and_a_reason(client, scan, said):
    answer = ask(client, scan)
    assert answer.status_code == 200 and 'role="alert"' in answer.text
    assert "Answer:" not in answer.text and said in answer.text.lower()


def test_a_name_with_markup_is_text(client):
    name = "<img src=x onerror=alert(1)>&'.png"
    for scans in ([(name, XRAY)], [(name, XRAY)] * 3, [(name, b"no scan")]):
        page = ask(client, *scans).text
        assert "<img src=x" not in page and name in unescape(page)


def test_many_are_a_table_and_a_broken_one_costs_no_other(client):
    bodies = {"a": XRAY, "b": b"broken", "c": CT, "d": BLACK, "e": noise(), "f": b"", "g": XRAY}
    scans = [(f"{name}.png", body) for name, body in bodies.items()]
    page = ask(client, *scans).text
    states = dict(rows_of(page))
    assert list(states) == [name for name, _ in scans]
    assert states["a.png"] == states["g.png"] != "failed" and states["b.png"] == states["d.png"] == states["f.png"] == "failed"
    assert states["e.png"] == "refused" and states["c.png"] in ("answered", "unsure")
    part = ask(client, *scans[:2], place="/page/rows", first="40").text
    assert "<table" not in part and 'data-index="40"' in part and 'data-index="41"' in part
    two = ask(client, ("a.png", XRAY), ("b.png", XRAY)).text
    assert len(rows_of(two)) == 2


def test_without_a_script_the_form_answers(client):
    page = ask(client, XRAY, place="/")
    assert page.status_code == 200 and "Answer" in page.text and "<form" in page.text and "data:image/png" in page.text
    empty = ask(client, place="/")
    assert empty.status_code == 422 and "No scan was chosen." in empty.text and "<form" in empty.text
    unknown = ask(client, XRAY, place="/", bundle="none")
    assert "There is no bundle" in unescape(unknown.text)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_is_a_phantom_and_passes_the_gate(client, example):
    page = client.post("/", data={"example": example.name}, files={"x": (None, "")}).text
    assert ("Refused" in page) is (example.name == "mistaken") and "neither" not in words_of(page.split('id="result"')[1])
    for file, (condition, seed, modality) in zip(example.files, example.scans, strict=True):
        drawn = cv2.imdecode(np.frombuffer(client.get(f"/page/examples/{file}").content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(drawn, getattr(make_patient(seed, condition, size=SIDE), modality))


def test_an_example_that_there_is_not(client):
    assert client.get("/page/examples/phantom_normal_9_xray.png").status_code == 404
    assert client.post("/", data={"example": "none"}, files={"x": (None, "")}).status_code == 404


def test_too_much_is_refused_beside_the_form(settings):
    limits = Limits(request_mb=1, file_mb=0.2)
    with serving(settings.model_copy(update={"limits": limits})) as client:
        assert 'data-file-mb="0.2"' in client.get("/").text
        part = ask(client, bytes(300_000))
        assert part.status_code == 413 and "A file of more than 0.2 MiB." in part.json()["detail"]


def test_a_header_is_told_without_identifiers(client):
    from dicom_marked import marked_dicom

    page = ask(client, ("MARKED.dcm", marked_dicom("PATIENT-4711"))).text
    assert "DICOM" in page and "PATIENT-4711" not in page and "MARKED.dcm" in page


def test_what_is_said_against_a_bundle_stands_beside_its_answer():
    from served import ROOT

    with serving(ServiceSettings(bundles=(ROOT / "pretrained" / "pneumonia_binary",))) as client:
        page, (told,) = words_of(ask(client, XRAY).text), client.get("/model/info").json()["bundles"]
    for sentence in (*told["limits"], *(each["sentence"] for each in told["shortcuts"])):
        assert sentence in page
    accuracy = next(each for each in told["test_figures"] if each["metric"] == "accuracy")
    assert f"{accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}]" in page
    assert "144 test scans, 115 patients" in page


def test_a_volume_is_answered_by_the_slice_with_most_lung_or_the_one_that_is_named(client, tmp_path):
    import nibabel

    from tests.data.dicom_objects import thorax_hounsfield

    volume = np.stack([thorax_hounsfield(lungs=lungs) for lungs in (40, 200, 300)])
    turned = volume.transpose(2, 1, 0).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(turned, np.diag([-0.7, -0.7, 5, 1])), tmp_path / "v.nii.gz")
    content = (tmp_path / "v.nii.gz").read_bytes()
    page = ask(client, ("v.nii.gz", content)).text
    assert "Slice 3 of 3 was taken: the one with the most lung." in page and 'class="slice" type="number"' in page
    second = ask(client, ("v.nii.gz", content), slice="2").text
    assert "Slice 2 of 3; another one:" in second and not np.array_equal(picture(page, "base"), picture(second, "base"))
    beyond = ask(client, ("v.nii.gz", content), slice="9").text
    assert "no slice 9" in beyond and "It cannot be read:" in beyond
    asked = {"data": {"gate": "false", "bundle": "tiny_pair", "slice": "2"}}
    told = client.post("/predict", files={"ct": ("v.nii.gz", content)}, **asked)
    assert told.status_code == 200, told.text
    (judged,) = client.post("/validate", files={"files": ("v.nii.gz", content)}, data={"slice": "2"}).json()["results"]
    assert judged["header"]["slice"] == 2 and judged["header"]["frames"] == 3
    without = client.post("/predict", files={"ct": ("v.nii.gz", content)}, data={"gate": "false"})
    assert without.status_code == 422 and "a volume of 3 slices" in without.json()["detail"]


def test_a_model_that_does_not_read_what_was_given_is_said_so(client):
    page = ask(client, XRAY, CT, bundle="tiny_classifier").text
    assert "The chosen model does not read what was given." in page and page.count('class="scan"') == 2 and "Answer:" not in page


def test_before_the_models_are_there_the_page_says_so(settings):
    from fastapi.testclient import TestClient

    from pipeline.service.application import make_application

    # without its lifespan nothing is opened
    client = TestClient(make_application(settings), base_url="http://localhost")
    start = client.get("/")
    assert start.status_code == 200 and "The models are being opened." in start.text
    early = ask(client, XRAY, place="/")
    assert early.status_code == 503 and "The models are not opened yet." in early.text and "<form" in early.text


def test_what_is_refused_unread_is_told_on_the_page_to_a_browser(client):
    def never():
        raise AssertionError("it was read")
        yield b""

    form = {"Content-Length": str(200 << 20), "Content-Type": "multipart/form-data; boundary=x"}
    shown = client.post("/", content=never(), headers={**form, "Accept": "text/html,*/*"})
    assert shown.status_code == 413 and "More than 64 MiB" in shown.text and "<form" in shown.text
    assert "script-src" in shown.headers["content-security-policy"]
    for place, accept in (("/", "*/*"), ("/predict", "text/html")):
        told = client.post(place, content=never(), headers={**form, "Accept": accept})
        assert told.status_code == 413 and told.json()["type"].endswith("too-large")


def test_a_browser_without_a_script_sends_the_key_as_a_password(settings, tmp_path):
    key = add_key(tmp_path / "keys", "ward")
    with serving(settings.model_copy(update={"keys": tmp_path / "keys"})) as client:
        html, password = {"Accept": "text/html"}, ("anyone", key)
        files = [("scans", ("scan.png", XRAY))]
        asked = client.post("/", files=files, headers=html)
        assert asked.status_code == 401 and asked.headers["www-authenticate"].startswith("Basic") and "<form" in asked.text
        answered = client.post("/", files=files, headers=html, auth=password)
        assert answered.status_code == 200 and "Answer" in answered.text
        assert client.post("/", files=files, headers={**html, "Sec-Fetch-Site": "cross-site"}, auth=password).status_code == 401
        for place in ("/page/answer", "/page/rows", "/predict"):
            assert client.post(place, files=files, auth=password).status_code == 401


@pytest.mark.parametrize(
    ("kind", "hounsfield", "window"),
    [("ct", True, "hounsfield"), ("ct", False, "gray"), ("xray", False, ""), ("neither", True, "")],
)
def test_the_window_of_a_ct_is_said_for_what_it_is(kind, hounsfield, window):
    scan = ReadScan(np.zeros((16, 16), np.uint8), None, (), ScanHeader("DICOM", hounsfield=hounsfield))
    assert Looked(Given("a", b"", "scan"), scan, Verdict(kind, {}, {}, "")).window == window
