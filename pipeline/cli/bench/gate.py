"""`bench gate`: what real scans and foreign pictures are taken for, out of fold by patient, and how long one verdict takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from statistics import median

from pipeline.data.gate.gate_pictures import foreign_gate_pictures, scan_pictures
from pipeline.data.phantom import make_patient
from pipeline.engine.errors import UsageError
from pipeline.evaluation.studies.gate_figures import gate_figures, see_pictures, taken_out_of_fold
from pipeline.inference.gate.gate import Gate, open_gate
from pipeline.inference.opened_bundle import batch_image, preprocess

TIMED = 40
FOREIGN, FOREIGN_SEED = 400, 11


def bench_gate(data: Path | None) -> list[dict]:
    """Rows of `bench --json`: a verdict beside one pass of its network, then one a kind of pictures.

    There ``median_ms`` is that of the verdict again, ``ratio`` the share taken for what it is, ``low`` and ``high`` its
    interval, ``refused_as`` the share that is refused in another kind's place. data: the folder with the real scans'
    manifest. Raises UsageError without it.
    """
    if data is None:
        raise UsageError("bench gate judges real scans.", "Name their folder: --data ../shared/data.")
    gate = open_gate()
    measure = next(iter(gate.measures.values()))
    pictures = chain(scan_pictures(data), foreign_gate_pictures(FOREIGN, FOREIGN_SEED))
    seen = see_pictures(pictures, lambda gray: measure.network.features(gray, measure.profile, {}), with_checks=True)
    speed = _speed(gate)
    return [
        speed,
        *(
            {
                "name": f"gate: {figure.group}",
                "reference": f"taken for {figure.kind}, as they should be",
                "ratio": figure.right,
                "median_ms": speed["median_ms"],
                "n": figure.count,
                "low": figure.low,
                "high": figure.high,
                "taken": figure.taken,
                "refused_as": figure.elsewhere,
                "met": figure.is_met,
                "nine_checks_accept": (figure.pass_all_checks or 0) / figure.count,
            }
            for figure in gate_figures(seen, taken_out_of_fold(seen))
        ),
    ]


def _speed(gate: Gate) -> dict:
    """A verdict on a generated X-ray against the pass of its network alone, in turns."""
    measure, gray = next(iter(gate.measures.values())), make_patient(0, "normal").xray
    image = {"image": batch_image(preprocess(gray, measure.profile)[None])}
    ours, bare = [], []
    for _ in range(TIMED):
        ours.append(_ms(lambda: gate.judge(gray)))
        bare.append(_ms(lambda: measure.network.graph.run(image)))
    return {
        "name": "gate: one verdict", "reference": "one pass of its network", "median_ms": median(ours),
        "reference_ms": median(bare), "ratio": median(b / o for o, b in zip(ours, bare, strict=True)), "n": TIMED,
    }  # fmt: skip


def _ms(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begun)
