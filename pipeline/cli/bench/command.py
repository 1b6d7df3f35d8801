"""`bench`: how fast, and in how much memory, beside a reference that does the same work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from pipeline.cli.bench.gate import bench_gate
from pipeline.cli.bench.processes import bench_memory, bench_predict
from pipeline.cli.bundle_source import find_bundle
from pipeline.cli.choices import choices
from pipeline.cli.telling.document import AsJson, tell
from pipeline.data.layouts.source_images import find_images
from pipeline.data.reading.reading_speed import reading_speed
from pipeline.engine.errors import UsageError
from pipeline.engine.extras import require
from pipeline.engine.progress import Reporter

EVERYTHING = "all"
PREDICT = "predict"


class Request(NamedTuple):
    """What the command was given. images: None for each measurement's own number; data: scans, which `gate` and `read` need."""

    images: int | None
    bundle: Path | None
    data: Path | None = None
    minutes: float | None = None


def _serve(request: Request) -> list[dict]:
    require("fastapi")
    from pipeline.cli.bench.service.speed import bench_serve

    return bench_serve()


def _overload(request: Request) -> list[dict]:
    require("fastapi")
    from pipeline.cli.bench.service.endurance import bench_overload

    return bench_overload(request.minutes or 1)


def _killed(request: Request) -> list[dict]:
    require("fastapi")
    from pipeline.cli.bench.service.killed import bench_killed

    return bench_killed(request.minutes or 0.25)


def _soak(request: Request) -> list[dict]:
    require("fastapi")
    from pipeline.cli.bench.service.endurance import bench_soak

    return bench_soak(request.minutes or 30)


def _embed(request: Request) -> list[dict]:
    from pipeline.training.benchmarks.fits import bench_embed

    return [bench_embed(request.images or 512)]


def _unet(request: Request) -> list[dict]:
    from pipeline.cli.bench.unet import bench_unet

    return bench_unet()


def _train(request: Request) -> list[dict]:
    from pipeline.training.benchmarks.fits import bench_chain, bench_fit
    from pipeline.training.benchmarks.unet_step import bench_train_step

    return [bench_fit(), bench_chain(), *bench_train_step()]


def _read(request: Request) -> list[dict]:
    if request.data is None:
        raise UsageError("bench read reads scans.", "Name their folder: --data DIR.")
    paths = [image.path for image in find_images([request.data], request.images or 200)]
    found = reading_speed(paths)
    return [{
        "name": "read, warm pool", "reference": "the same files one by one in this process",
        "ratio": found["one_by_one_ms"] / found["pool_ms"], "median_ms": found["pool_ms"], "reference_ms": found["one_by_one_ms"],
        "n": found["scans"], "unreadable": found["unreadable"], "pool_start_s": found["pool_start_s"],
    }]  # fmt: skip


# What can be measured, in the order of `all`: name → function of a Request that gives rows. Memory comes first: a child
# is charged with what its parent holds at the start, and TensorFlow holds much: it is imported by those that need it.
MEASUREMENTS: dict[str, Callable[[Request], list[dict]]] = {
    "memory": lambda request: [bench_memory(request.images or 100)],
    PREDICT: lambda request: [bench_predict(find_bundle(request.bundle, None, Reporter(), PREDICT))],
    "embed": _embed,
    "unet": _unet,
    "train": _train,
    "gate": lambda request: bench_gate(request.data),
    "read": _read,
    "serve": _serve,
    "overload": _overload,
    "killed": _killed,
    "soak": _soak,
}
# What needs more than the repository holds, or loads the machine for long, is measured only when it is asked for.
ON_REQUEST = frozenset({"gate", "read", "serve", "overload", "killed", "soak"})

# Figures of the service that are said beside a row's own.
TOLD = (
    "accepted", "own", "others", "connections", "back_s", "other_statuses", "memory_growth", "normal_after_s", "slope_mb_min",
    "memory_mb", "minutes", "processor_ratio", "processor_s", "worker_mb", "decoder_mb",
)  # fmt: skip

Bench = choices("Bench", (*MEASUREMENTS, EVERYTHING))


def bench(
    what: Annotated[Bench, typer.Argument(help="Which figure.")] = Bench.ALL,
    images: Annotated[
        int | None,
        typer.Option("--images", min=32, help="Images of embed [512]; of memory, at the smaller size [100]; of read [200]."),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="The bundle that predict is timed with; the shipped one by default.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The scans, for gate and read.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.05, help="Of overload [1], killed [0.25] and soak [30].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure: each figure stands beside a reference, taken in turns; ratio 1 = as fast as the reference.

    The ratio of memory is the peak over ten times the images to the peak over the images; that of gate, the share of
    pictures judged rightly.
    """
    wanted = [name for name in MEASUREMENTS if name not in ON_REQUEST] if what.value == EVERYTHING else [what.value]
    rows = [row for name in wanted for row in MEASUREMENTS[name](Request(images, bundle, data, minutes))]
    tell(as_json, rows, lambda: _words(rows))


def _words(rows: list[dict]) -> str:
    width, lines = max(len(row["name"]) for row in rows), []
    for row in rows:
        ratio = "" if row["ratio"] is None else f"ratio {row['ratio']:.2f} to {row['reference']}"
        ratio += f" [{row['low']:.4f}, {row['high']:.4f}]" if "low" in row else ""
        beside = f" (reference {_ms(row['reference_ms'])} ms)" if row.get("reference_ms") else ""
        peak = f", peak {row['peak_mib']:.0f} MiB (reference {row['reference_peak_mib']:.0f})" if "peak_mib" in row else ""
        told = [f"{name} {row[name]}" for name in TOLD if name in row]
        ratio += f"; {', '.join(told)}" if told else ""
        lines.append(f"{row['name']:<{width}} {_ms(row['median_ms']):>9} ms{beside}{peak}, n {row['n']}  {ratio}".rstrip())
    return "\n".join(lines)


def _ms(value: float) -> str:
    """Milliseconds with two figures at least."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
