"""The page in Chromium: dropped, chosen, by keyboard, on a narrow screen, in the dark, in German, without a script."""

from __future__ import annotations

import base64
import csv
import io
import threading
import time
from contextlib import ExitStack

import cv2
import nibabel
import numpy as np
import pytest
from in_chromium import sound, watched
from served import SCANS, listening, noise, png

from pipeline import open_bundle
from pipeline.data.reading.dicom_chain.ct_values import lung_window
from pipeline.inference.activation.overlays import draw_activation
from pipeline.inference.segmenter.overlays import draw_overlay
from pipeline.service.safety.keys import add_key
from tests.data.dicom_objects import thorax_hounsfield
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
XRAY, CT = SCANS / "covid_12_xray.png", SCANS / "covid_12_ct.png"
DROP = """([selector, files]) => {
  const transfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const dragged = new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector(selector).dispatchEvent(dragged);
  }
}"""


def drop(tab, *files: tuple[str, bytes]) -> None:
    tab.evaluate(DROP, ["#drop", [(name, base64.b64encode(content).decode()) for name, content in files]])


def choose(tab, *files) -> None:
    """files: paths, or names with bytes."""
    told = [{"name": each[0], "mimeType": "", "buffer": each[1]} if isinstance(each, tuple) else str(each) for each in files]
    tab.set_input_files("#scans", told)


def settled(tab, selector: str = "#result article") -> None:
    tab.wait_for_selector(selector)
    tab.wait_for_selector("#cancel", state="hidden")


def rows_there(tab, count: int) -> None:
    tab.locator("#rows tbody tr").nth(count - 1).wait_for(state="attached", timeout=120_000)
    assert tab.locator("#rows tbody tr").count() == count


def drawn(tab, place: int = 0) -> np.ndarray:
    """A canvas as BGR, once no layer is being drawn."""
    tab.wait_for_selector(".controls label[data-state]", state="detached")
    address = tab.locator("canvas").nth(place).evaluate("canvas => canvas.toDataURL('image/png')")
    return cv2.imdecode(np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)


def test_a_pair_that_is_dropped_is_answered(open_page):
    with open_page() as tab:
        sound(tab)
        drop(tab, ("a.png", XRAY.read_bytes()), ("b.png", CT.read_bytes()))
        settled(tab)
        assert tab.locator(".finding").count() == 3 and tab.locator("canvas").count() == 2
        assert tab.locator(".finding h3").first.inner_text().startswith("Pair")
        sound(tab)


def test_the_lungs_and_the_heat_map_are_the_commands_pixels(open_page, place):
    _, application, lungs = place
    gray = cv2.imread(str(XRAY), cv2.IMREAD_GRAYSCALE)
    with open_page() as tab:
        tab.select_option("#bundle", "tiny_classifier")
        choose(tab, XRAY)
        settled(tab)
        overlay = draw_overlay(gray, open_bundle(lungs, gate=False).answer(gray).lung_mask)
        assert np.array_equal(drawn(tab), overlay)
        tab.uncheck(".layer:has-text('Lungs') input[type=checkbox]")
        assert np.array_equal(drawn(tab), cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
        tab.check(".layer:has-text('Where') input[type=checkbox]")
        served = application.state.service.models.by_name["tiny_classifier"].guarded.path
        heat = open_bundle(served, gate=False).answer(gray, methods="gradcam").activations["gradcam"]
        assert np.array_equal(drawn(tab), draw_activation(gray, heat))
        tab.locator(".layer:has-text('Where') input[type=range]").fill("0")
        assert np.array_equal(drawn(tab), cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
        sound(tab)


def test_a_scan_that_is_shown_smaller_has_its_layers_in_their_places(open_page, place, tmp_path):
    gray = cv2.resize(cv2.imread(str(XRAY), cv2.IMREAD_GRAYSCALE), (2400, 2200), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "large.png"), gray)
    overlay = draw_overlay(gray, open_bundle(place[2], gate=False).answer(gray).lung_mask)
    wanted = cv2.resize(overlay, (2048, 1877), interpolation=cv2.INTER_AREA).astype(float)
    with open_page() as tab:
        choose(tab, tmp_path / "large.png")
        settled(tab)
        found = drawn(tab)
        assert found.shape == wanted.shape and "2400 × 2200 px" in tab.locator("figcaption").inner_text()
        assert np.abs(found - wanted).mean() < 1.5


def test_a_dicom_object_is_shown_and_answered(open_page):
    from dicom_marked import marked_dicom

    with open_page() as tab:
        choose(tab, ("MARKED.dcm", marked_dicom("PATIENT-4711")))
        settled(tab)
        assert tab.locator(".viewer canvas").count() == 1 and "DICOM" in tab.locator("dl").inner_text()
        assert "PATIENT-4711" not in tab.content()
        sound(tab)


def test_a_wrong_modality_says_where_it_belongs_and_goes_there(open_page):
    with open_page() as tab:
        tab.click("button[value=mistaken]")
        settled(tab)
        assert "Refused" in tab.locator("#result h2").inner_text()
        sound(tab)
        tab.click("text=Ask again as an X-ray")
        tab.wait_for_selector("#result h2:has-text('Answer')")
        assert tab.input_value("#given-as") == "xray"


@pytest.mark.parametrize("picture", ["black", "noise", "broken"])
def test_what_is_no_scan_is_refused(open_page, picture):
    content = {"black": png(np.zeros((300, 300), np.uint8)), "noise": noise(side=300), "broken": b"no picture"}[picture]
    with open_page() as tab:
        choose(tab, ("a.png", content))
        settled(tab)
        assert tab.locator("#result [role=alert]").count() >= 1 and "Answer:" not in tab.locator("#result").inner_text()
        sound(tab)


@pytest.fixture(scope="module")
def folder_of_50(tmp_path_factory):
    """X-rays, CT slices, black, broken and empty ones, one of them with markup in its name."""
    folder = tmp_path_factory.mktemp("folder")
    kinds = [XRAY.read_bytes(), CT.read_bytes(), png(np.zeros((300, 300), np.uint8)), b"broken", noise(side=200)]
    for number in range(49):
        (folder / f"scan_{number:02}.png").write_bytes(kinds[number % len(kinds)])
    (folder / "<b onclick=alert(1)>.png").write_bytes(XRAY.read_bytes())
    (folder / ".hidden").write_bytes(b"x")
    return folder


def test_a_folder_of_50_is_a_table_that_sorts_filters_and_is_saved(open_page, folder_of_50, tmp_path):
    with open_page() as tab:
        tab.set_input_files("#folder", str(folder_of_50))
        rows_there(tab, 50)
        settled(tab)
        assert tab.locator("#rows b").count() == 0 and tab.locator("#rows tr[data-name$='<b onclick=alert(1)>.png']").count() == 1
        assert "1 hidden" in tab.locator("#problem").inner_text()
        tab.click("button[aria-label='Sort by Probability']")
        told = tab.locator("#rows tbody tr").evaluate_all("rows => rows.map((row) => row.dataset.share || 9)")
        shares = list(map(float, told))
        assert shares == sorted(shares) and shares[0] < 1 < shares[-1]
        tab.select_option("#filter", "state:refused")
        assert 0 < tab.locator("#rows tbody tr:visible").count() < 50
        sound(tab)
        tab.select_option("#filter", "")
        with tab.expect_download() as saved:
            tab.click("#csv")
        rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text(encoding="utf-8-sig"))))
        assert len(rows) == 50 and {row["state"] for row in rows} >= {"refused", "failed"}
        assert len([row for row in rows if row["name"].endswith("/<b onclick=alert(1)>.png")]) == 1
        tab.emulate_media(media="print")
        assert tab.locator("#rows").is_visible() and not tab.locator("#form").is_visible()
        tab.emulate_media(media="screen")
        tab.click("#rows tr[data-name$='/scan_40.png'] .look")
        tab.wait_for_selector("#looked article canvas")
        assert "scan_40.png" in tab.locator("#looked h3").first.inner_text()
        assert tab.locator("#rows tbody tr").count() == 50


def test_a_folder_that_is_dropped_is_walked_through(open_page, tmp_path):
    """As the browser itself drops one: folders within it, too."""
    (tmp_path / "below" / "deeper").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "below" / "deeper" / f"{number}.png").write_bytes(b"broken")
    (tmp_path / "single.png").write_bytes(b"broken")
    with open_page() as tab:
        box = tab.locator("#drop").bounding_box()
        dragged = {"items": [], "files": [str(tmp_path / "below"), str(tmp_path / "single.png")], "dragOperationsMask": 1}
        session = tab.context.new_cdp_session(tab)
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 20, "y": box["y"] + 20, "data": dragged})
        rows_there(tab, 4)
        names = tab.locator("#rows tbody tr").evaluate_all("rows => rows.map((row) => row.dataset.name)")
        assert sorted(names) == ["0.png", "1.png", "2.png", "single.png"]


def test_a_name_that_a_spreadsheet_would_compute_is_text_in_the_csv(open_page):
    with open_page() as tab:
        choose(tab, *[(name, b"broken") for name in ("=1+1.png", 'a,"b".png', "plain.png")])
        rows_there(tab, 3)
        settled(tab)
        with tab.expect_download() as saved:
            tab.click("#csv")
        rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text(encoding="utf-8-sig"))))
        assert rows[0]["name"] == "'=1+1.png" and rows[2]["name"] == "plain.png" and all(row["state"] == "failed" for row in rows)


def test_a_cancel_stops_the_server_and_keeps_what_was_answered(open_page, place, folder_of_50):
    service = place[1].state.service
    with open_page() as tab:
        tab.set_input_files("#folder", str(folder_of_50))
        tab.wait_for_selector("#rows tbody tr")
        tab.click("#cancel")
        tab.wait_for_selector("#left button")
        there = tab.locator("#rows tbody tr").count()
        assert 0 < there < 50 and "Cancelled" in tab.locator("#progress-told").inner_text()
        wait_until(lambda: service.desk.taken == 0, lambda: True, "the end of what was cancelled")
        assert tab.locator("#rows tbody tr").count() == there
        tab.click("#left button")
        rows_there(tab, 50)


def test_a_heat_map_that_is_no_longer_wanted_is_given_up(open_page, place, monkeypatch):
    models, begun = place[1].state.service.models, threading.Event()
    answer = type(models.by_name["tiny_classifier"]).answer

    def slowly(self, case, methods=(), **more):
        if methods:
            begun.set()
            time.sleep(1.0)
        return answer(self, case, methods, **more)

    with open_page() as tab:
        tab.select_option("#bundle", "tiny_classifier")
        choose(tab, XRAY)
        settled(tab)
        drawn(tab)
        monkeypatch.setattr(type(models.by_name["tiny_classifier"]), "answer", slowly)
        box = ".layer:has-text('Where') input[type=checkbox]"
        tab.check(box)
        assert begun.wait(30)
        with tab.expect_event("requestfailed") as given_up:
            tab.uncheck(box)
        assert given_up.value.url.endswith("/predict")
        tab.wait_for_selector(".controls label[data-state]", state="detached")
        tab.check(box)
        drawn(tab)
        assert tab.locator(".legend-heat").is_visible()


def test_five_hundred_files(open_page):
    with open_page() as tab:
        choose(tab, *[(f"{number}.png", b"broken") for number in range(499)], ("last.png", XRAY.read_bytes()))
        rows_there(tab, 500)
        assert tab.locator("#rows tr[data-state=failed]").count() == 499


def test_files_that_are_too_large_or_empty_are_not_sent(open_page, tmp_path):
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(200 << 20)
    with open_page() as tab:
        sent = []
        tab.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        choose(tab, large)
        tab.wait_for_selector("#problem:visible")
        assert "200 MiB" in tab.locator("#problem").inner_text() and sent == []
        choose(tab, ("empty.png", b""))
        tab.wait_for_selector("#problem:has-text('empty.png is empty')")
        assert sent == []
        sound(tab)


@pytest.mark.parametrize("look", [{}, {"color_scheme": "dark"}, {"locale": "de-DE"}], ids=["light", "dark", "german"])
def test_a_narrow_screen(open_page, look):
    with open_page(viewport={"width": 390, "height": 844}, **look) as tab:
        # as long as the names of real models and their classes
        tab.evaluate("() => document.getElementById('bundle').add(new Option('a model of classes '.repeat(6)))")
        for state in ("start", "answer"):
            if state == "answer":
                tab.click("button[value=pair]")
                settled(tab)
            assert tab.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
            sound(tab)
        if look.get("locale"):
            assert "Wie weit dem zu trauen ist" in tab.locator("#result").inner_text()


def test_a_keyboard_alone_does_it_all(open_page):
    with open_page() as tab:
        names = []
        for _ in range(12):
            tab.keyboard.press("Tab")
            names.append(tab.evaluate("() => document.activeElement.value || document.activeElement.id"))
            outline = tab.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", names[-1]
            if names[-1] == "normal":
                break
        tab.keyboard.press("Enter")
        settled(tab)
        while tab.evaluate("() => document.activeElement.tagName") != "CANVAS":
            tab.keyboard.press("Tab")
        lungs = drawn(tab)
        tab.keyboard.press("l")
        bare = drawn(tab)
        tab.keyboard.press("+")
        tab.keyboard.press("ArrowLeft")
        near = drawn(tab)
        tab.keyboard.press("0")
        assert not np.array_equal(lungs, bare) and not np.array_equal(bare, near) and np.array_equal(bare, drawn(tab))


def test_another_window_for_ct(open_page):
    gray = cv2.imread(str(CT), cv2.IMREAD_GRAYSCALE)
    with open_page() as tab:
        choose(tab, CT)
        settled(tab)
        assert np.array_equal(drawn(tab), cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
        assert "it was saved with a window of its own" in tab.locator(".controls").inner_text()
        tab.get_by_label("Window width").fill("128")
        wanted = np.clip((gray.astype(float) - 64) * 2, 0, 255)
        assert np.abs(drawn(tab)[..., 0] - wanted).max() <= 1


def test_without_a_script_the_form_answers(open_page):
    with open_page(java_script_enabled=False) as tab:
        tab.set_input_files("#scans", [str(XRAY), str(CT)])
        tab.click("#ask")
        tab.wait_for_selector("#result article")
        assert [tab.locator(each).count() for each in (".finding", "img.base", "img.lungs")] == [3, 2, 1]
        tab.click("button[value=mistaken]")
        tab.wait_for_selector("#result h2:has-text('Refused')")


def test_a_large_file_without_a_script_is_refused_on_the_page(open_page, tmp_path):
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(200 << 20)
    with open_page(java_script_enabled=False) as tab:
        tab.set_input_files("#scans", str(large))
        tab.click("#ask")
        tab.wait_for_selector("#problem:has-text('More than 64 MiB')")
        assert tab.locator("#scans").is_visible()


def test_two_tabs_are_answered_both(open_page):
    with open_page() as one, open_page() as other:
        for tab, path in ((one, XRAY), (other, CT)):
            choose(tab, path)
        for tab, kind in ((one, "a chest X-ray"), (other, "a CT slice")):
            settled(tab)
            assert f"It looks like {kind}" in tab.locator("#result").inner_text()


def test_a_service_that_stops_loses_nothing_on_the_screen(chromium, settings):
    with ExitStack() as opened:
        with listening(settings) as (address, _):
            tab = opened.enter_context(watched(chromium, address, lost=True))
            choose(tab, XRAY)
            settled(tab)
            before = tab.locator("#result h2").inner_text()
        choose(tab, CT)
        tab.wait_for_selector("#problem:has-text('does not answer')")
        assert tab.locator("#result h2").inner_text() == before and tab.locator("#chosen li").count() == 1
        sound(tab)


def test_a_service_that_is_lost_or_busy_amid_many_costs_no_row(open_page, folder_of_50):
    busy = {"type": "urn:respiratory:problem:busy", "detail": "All places are taken.", "remedy": ""}
    asked = []

    def answer(route):
        asked.append(route.request.url)
        if len(asked) == 2:
            route.fulfill(status=503, json=busy, headers={"Retry-After": "1"})
        elif len(asked) == 6:
            route.fulfill(status=503, json={**busy, "type": "urn:respiratory:problem:deadline"})
        elif len(asked) == 4:
            route.abort()
        else:
            route.continue_()

    with open_page() as tab:
        tab.route("**/page/rows", answer)
        tab.set_input_files("#folder", str(folder_of_50))
        tab.wait_for_selector("#problem:has-text('does not answer')")
        # the first part, and the second after the service had been busy
        assert tab.locator("#rows tbody tr").count() == 16 and "34" in tab.locator("#left").inner_text()
        sound(tab)
        tab.click("#left button")
        rows_there(tab, 50)
        numbers = tab.locator("#rows tbody tr").evaluate_all("rows => rows.map((row) => Number(row.dataset.index))")
        # what took too long was sent again in two halves
        assert numbers == list(range(50)) and len(asked) == 7 + 3 + 1


def test_another_slice_of_a_volume(open_page, tmp_path):
    volume = np.stack([thorax_hounsfield(lungs=lungs) for lungs in (40, 200, 300, 120)])
    turned = volume.transpose(2, 1, 0).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(turned, np.diag([-0.7, -0.7, 5, 1])), tmp_path / "volume.nii.gz")
    with open_page() as tab:
        choose(tab, tmp_path / "volume.nii.gz")
        settled(tab)
        assert tab.input_value("input.slice") == "3"
        third = drawn(tab)
        assert np.array_equal(third[..., 0], lung_window(volume[2]))
        tab.fill("input.slice", "2")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("label:has-text('Slice 2 of 4')")
        assert np.array_equal(drawn(tab)[..., 0], lung_window(volume[1]))
        sound(tab)


def test_a_key_is_asked_for_and_sent(chromium, settings, tmp_path):
    key = add_key(tmp_path / "keys", "ward")
    with listening(settings.model_copy(update={"keys": tmp_path / "keys"})) as (address, _), watched(chromium, address) as tab:
        choose(tab, XRAY)
        tab.wait_for_selector("#problem:has-text('A key is needed')")
        tab.fill("#key", key)
        tab.click("#ask")
        settled(tab)
        sound(tab)


def test_its_weight_and_its_times(chromium, place, capsys):
    address = place[0]
    context = chromium.new_context()
    tab = context.new_page()
    sizes = []
    tab.on("response", lambda answer: sizes.append(len(answer.body())))
    tab.goto(address, wait_until="networkidle")
    weight = sum(sizes)
    paint = tab.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
    pair = [("a.png", XRAY.read_bytes()), ("b.png", CT.read_bytes())]
    shown, api = [], []
    for _ in range(4):
        began = time.perf_counter()
        answer = context.request.post(f"{address}/predict", multipart={
            field: {"name": name, "mimeType": "image/png", "buffer": content}
            for field, (name, content) in zip(("xray", "ct"), pair, strict=True)
        })  # fmt: skip
        api.append(time.perf_counter() - began)
        assert answer.ok
        tab.evaluate("() => document.getElementById('result').replaceChildren()")
        began = time.perf_counter()
        drop(tab, *pair)
        tab.wait_for_selector("#result article canvas")
        shown.append(time.perf_counter() - began)
    context.close()
    with capsys.disabled():
        print(f"\npage {weight:,} bytes; first paint {paint:.0f} ms; pair: API {1000 * min(api[1:]):.0f} ms, "
              f"dropped to shown {1000 * min(shown[1:]):.0f} ms (best of 3, warm)")  # fmt: skip
    assert weight <= 200_000
