"""Waiting for what another thread or process does, without a bound on how fast it is."""

from __future__ import annotations

import time
from collections.abc import Callable

HANGS_S = 3600  # no bound on how fast, only an end to waiting for what never comes


def wait_until(holds: Callable[[], bool], working: Callable[[], bool], what: str) -> None:
    """Return once `holds()`; fail where it does not and `working()` has ended, so that it never will."""
    begun = time.monotonic()
    while not holds():
        going_on = working() and time.monotonic() - begun < HANGS_S
        assert going_on or holds(), f"{what} never came"
        time.sleep(0.01)
