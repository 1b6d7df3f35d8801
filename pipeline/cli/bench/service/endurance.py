"""What the service does when too much is asked of it, and over a long time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from pipeline.cli.bench.service.load import Running, form, load, service
from pipeline.cli.bench.service.speed import SINGLE, pictures
from pipeline.inference.given_bundle import shipped_bundles

# Clients that ask again at once: they offer many times what is answered.
CROWD, FACTOR = 24, 10.0
ALLOWED = (200, 503)
SECONDS_BETWEEN_LOOKS = 1.0
WARM_UP = 0.2
ANSWERED_ALL_THE_SAME = {"gate": "false"}


def overload(running: Running, bodies: Sequence[bytes], seconds: float, factor: float = FACTOR) -> dict:
    """Ten times what is answered, for so long: a row, with the unloaded service before and after it, for a machine changes.

    ratio: the 99th percentile of accepted requests' times under load to that without.
    """
    alone = _alone(running, bodies)
    held = running.memory()
    # As many requests a second as make `factor` times what one client after another gets answered.
    wanted = factor / float(np.mean(alone))
    each = CROWD / wanted
    crowd = load(running.address, "/predict", bodies, CROWD, seconds=seconds, pause=lambda reply: max(0, each - reply.seconds))
    after_begins = time.perf_counter()
    accepted = [reply.seconds for reply in crowd if reply.status == 200]
    normal = _seconds_until_normal(running, bodies, float(np.percentile(alone, 99)), after_begins)
    growth = running.memory() / held - 1
    alone += _alone(running, bodies)
    p99 = [1000 * float(np.percentile(times, 99)) for times in (accepted, alone)]
    return {
        "name": f"overload, {len(crowd) / max(1, len(accepted)):.1f} times what is answered",
        "reference": "99th percentile without load", "ratio": p99[0] / p99[1], "median_ms": p99[0], "reference_ms": p99[1],
        "n": len(crowd), "accepted": len(accepted), "other_statuses": sorted({reply.status for reply in crowd} - set(ALLOWED)),
        "memory_growth": growth, "normal_after_s": normal, "offered_a_second": len(crowd) / seconds,
        "answered_alone_a_second": 1 / float(np.mean(alone)),
    }  # fmt: skip


def _alone(running: Running, bodies: Sequence[bytes]) -> list[float]:
    """Seconds of the answers to one client."""
    replies = load(running.address, "/predict", bodies, 1, count=100, seconds=60)
    return [reply.seconds for reply in replies if reply.status == 200]


def _seconds_until_normal(running: Running, bodies: Sequence[bytes], usual: float, began: float) -> float | None:
    """Until a request is answered as fast as the slow ones were before; None: not within ten seconds."""
    while time.perf_counter() - began < 10:
        (reply,) = load(running.address, "/predict", bodies, 1, count=1)
        if reply.status == 200 and reply.seconds <= usual:
            return time.perf_counter() - began - reply.seconds
    return None


def soak(running: Running, bodies: Sequence[bytes], seconds: float, share: float = 0.5) -> dict:
    """Steady load of a share of what is answered: a row. slope_mb_min: of the memory over time, the first fifth left out."""
    alone = [reply.seconds for reply in load(running.address, "/predict", bodies, 1, count=40)]
    pause = float(np.mean(alone)) * (1 / share - 1)
    with _watched(running) as looks:
        replies = load(running.address, "/predict", bodies, 1, seconds=seconds, pause=lambda _: pause)
    times, held = np.array(looks).T
    late = times >= WARM_UP * seconds
    slope = float(np.polyfit(times[late] / 60, held[late] / (1 << 20), 1)[0])
    answered = [reply.seconds for reply in replies if reply.status == 200]
    return {
        "name": "soak", "reference": "without load", "ratio": float(np.median(answered) / np.median(alone)),
        "median_ms": 1000 * float(np.median(answered)), "reference_ms": 1000 * float(np.median(alone)), "n": len(replies),
        "other_statuses": sorted({reply.status for reply in replies} - {200}), "slope_mb_min": slope,
        "memory_mb": [round(float(value) / (1 << 20), 1) for value in (held[late][0], held[-1], held.max())],
        "minutes": seconds / 60,
    }  # fmt: skip


@contextmanager
def _watched(running: Running) -> Iterator[list[tuple[float, int]]]:
    looks, over, began = list[tuple[float, int]](), threading.Event(), time.perf_counter()

    def look() -> None:
        while True:
            looks.append((time.perf_counter() - began, running.memory()))
            if over.wait(SECONDS_BETWEEN_LOOKS):
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()


def _bodies() -> list[bytes]:
    return [form([("file", xray)], ANSWERED_ALL_THE_SAME) for xray, _ in pictures(8)]


def bench_overload(minutes: float) -> list[dict]:
    """`overload` of the default bundle."""
    with service("--bundles", str(shipped_bundles()[SINGLE])) as running:
        return [overload(running, _bodies(), 60 * minutes)]


def bench_soak(minutes: float) -> list[dict]:
    """`soak` of the default bundle."""
    with service("--bundles", str(shipped_bundles()[SINGLE])) as running:
        return [soak(running, _bodies(), 60 * minutes)]

