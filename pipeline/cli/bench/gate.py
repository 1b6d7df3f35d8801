"""`bench gate`: which share of real scans and of foreign pictures the X-ray gate judges rightly, and how long one takes."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from pipeline.cli.bundle_source import REPOSITORY
from pipeline.data.phantom import make_patient
from pipeline.engine.errors import UsageError
from pipeline.evaluation.studies.gate_figures import gate_figures
from pipeline.inference.gate.xray_gate import XrayGate, load_gate
from pipeline.systems import default_bundle

TIMED = 20


def bench_gate(data: Path | None) -> list[dict]:
    """Rows of `bench --json`, one a kind of pictures: ``ratio`` is the share judged rightly, ``low`` and ``high`` its interval.

    data: the folder with the real scans' manifest. ``median_ms`` is of one verdict on a generated X-ray, the same in all rows.
    Raises UsageError without ``data``.
    """
    if data is None:
        raise UsageError("bench gate judges real scans.", "Name their folder: --data ../shared/data.")
    gate = load_gate(REPOSITORY / default_bundle("segment"))
    duration_ms = _verdict_ms(gate)
    return [
        {
            "name": f"gate: {figure.kind}",
            "reference": "accepted, as X-rays should be" if figure.is_xray else "refused, as others should be",
            "ratio": figure.right / figure.count,
            "median_ms": duration_ms,
            "n": figure.count,
            "low": figure.low,
            "high": figure.high,
            "nine_checks_accept": figure.checks_accepted / figure.count,
            "nine_checks_accept_any_size": figure.checks_accepted_any_size / figure.count,
        }
        for figure in gate_figures(data, gate)
    ]


def _verdict_ms(gate: XrayGate) -> float:
    xray = make_patient(0, "normal").xray
    times = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        gate.judge(xray)
        times.append(1000 * (time.perf_counter() - begun))
    return median(times)
