"""Views of the page in Chromium, and what each has to pass: no other host, no inline script, no error, no fault of axe-core's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = ROOT / ".cache" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
HANDLERS = """() => [...document.querySelectorAll("*")].filter(
  (element) => [...element.attributes].some((attribute) => attribute.name.startsWith("on"))).length"""


@contextmanager
def watched(chromium, address: str, lost: bool = False, **of_context) -> Iterator:
    """A tab at the page. What it did is looked at when it is closed. lost: the service is to be gone some time."""
    told = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **of_context}
    context = chromium.new_context(**told)
    context.set_default_timeout(60_000)
    tab = context.new_page()
    hosts, errors = set(), []
    tab.on("request", lambda request: hosts.add(urlsplit(request.url).netloc) if request.url.startswith("http") else None)
    tab.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    try:
        tab.goto(address)
        yield tab
        assert hosts == {urlsplit(address).netloc}
        # A refusal is a response with its status, which Chromium's console tells as an error of its own.
        assert [error for error in errors if "Failed to load resource" not in error and not (lost and "net::" in error)] == []
    finally:
        context.close()


def sound(tab) -> None:
    """No inline script or style in this view, and no serious fault of axe-core's."""
    assert tab.locator("script:not([src]), style, [style]:not(canvas)").count() == 0
    assert tab.evaluate(HANDLERS) == 0
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    faults = tab.evaluate("() => axe.run(document)")["violations"]
    serious = [each for each in faults if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in serious] == []
