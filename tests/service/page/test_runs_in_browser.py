"""The pages of a run in Chromium: wide, narrow, in the dark, in German; and with a key, which the browser asks for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_chromium import sound, watched
from served import listening

from pipeline.service.safety.keys import add_key
from pipeline.service.settings import ServiceSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))
from browsing import make_run

pytestmark = pytest.mark.browser
LOOKS = {"wide": {}, "narrow": {"viewport": {"width": 390, "height": 844}}, "dark": {"color_scheme": "dark"},
         "german": {"locale": "de-DE", "viewport": {"width": 390, "height": 844}}}  # fmt: skip


@pytest.fixture(scope="module")
def of_runs(tiny_bundles, tmp_path_factory) -> ServiceSettings:
    """One run whole, and one of which a stage is stale and the last not made."""
    folder = tmp_path_factory.mktemp("runs")
    whole, behind = make_run(folder / "whole"), make_run(folder / "behind & <b>", last="s02")
    make_run(behind, last="s01", s01={"rows": 5})
    return ServiceSettings(bundles=tiny_bundles, runs=(whole, behind), stages="browsed_stages:STAGES")


@pytest.fixture(scope="module")
def address(of_runs) -> Iterator[str]:
    with listening(of_runs) as (address, _):
        yield address


def looked_at(tab) -> None:
    assert tab.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    sound(tab)


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_run_is_browsed(chromium, address, look):
    with watched(chromium, f"{address}/runs", **look) as tab:
        looked_at(tab)
        tab.click("text=behind & <b>")
        looked_at(tab)
        assert tab.locator(".state.stale").count() and tab.locator(".state.absent").count()
        tab.click("nav.trail a")
        tab.click("a:text-is('whole')")
        looked_at(tab)
        assert tab.locator("table.stages .state.fresh").count() == 3
        for picture in tab.locator("figure img").all():
            picture.scroll_into_view_if_needed()
            assert picture.evaluate("async image => { await image.decode(); return image.naturalWidth; }") == 40
        tab.click("details summary")
        for file in ("report.md", "metrics_epochwise.csv", "metrics.json"):
            tab.click(f"section li a:text-is('{file}')")
            looked_at(tab)
            assert file in tab.locator("h1").inner_text()
            tab.click("nav.trail a:text-is('whole')")
        tab.goto(f"{address}/runs/gone")
        looked_at(tab)


def test_a_key_is_asked_for_by_the_browser_and_sent_for_pictures_too(chromium, of_runs, tmp_path):
    key = add_key(tmp_path / "keys", "ward")
    asked = {"http_credentials": {"username": "me", "password": key}}
    with (
        listening(of_runs.model_copy(update={"keys": tmp_path / "keys"})) as (address, _),
        watched(chromium, f"{address}/runs/whole", **asked) as tab,
    ):
        assert tab.locator("h1").inner_text() == "whole"
        picture = tab.locator("figure img").first
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("async image => { await image.decode(); return image.naturalWidth; }") == 40
