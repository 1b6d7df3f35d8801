"""`bench`: how fast, and in how much memory, beside a reference that does the same work."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pipeline.systems import default_bundle

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage

BUNDLE = default_bundle("predict")
EVERYTHING = "all"


class Request(NamedTuple):
    """What the command was given. images: None for each measurement's own number; data: scans, which `gate` needs."""

    images: int | None
    bundle: Path
    data: Path | None = None


def _memory(request: Request) -> list[dict]:
    from pipeline.cli.bench.processes import bench_memory

    return [bench_memory(request.images or 100)]


def _predict(request: Request) -> list[dict]:
    from pipeline.cli.bench.processes import bench_predict

    return [bench_predict(request.bundle)]


def _embed(request: Request) -> list[dict]:
    _quiet_tensorflow()
    from pipeline.training.benchmarks.fits import bench_embed

    return [bench_embed(request.images or 512)]


def _unet(request: Request) -> list[dict]:
    _quiet_tensorflow()
    from pipeline.cli.bench.unet import bench_unet

    return bench_unet()


def _train(request: Request) -> list[dict]:
    _quiet_tensorflow()
    from pipeline.training.benchmarks.fits import bench_chain, bench_fit
    from pipeline.training.benchmarks.unet_step import bench_train_step

    return [bench_fit(), bench_chain(), *bench_train_step()]


def _gate(request: Request) -> list[dict]:
    from pipeline.cli.bench.gate import bench_gate

    return bench_gate(request.data)


# What can be measured, in the order of `all`: name → function of a Request that gives rows. Memory comes first: a child
# is charged with what its parent holds at the start, and TensorFlow holds much.
MEASUREMENTS: dict[str, Callable[[Request], list[dict]]] = {
    "memory": _memory,
    "predict": _predict,
    "embed": _embed,
    "unet": _unet,
    "train": _train,
    "gate": _gate,
}
# What needs more than the repository holds is measured only when it is asked for.
NEEDS_DATA = frozenset({"gate"})

Bench = StrEnum("Bench", {name.upper(): name for name in (*MEASUREMENTS, EVERYTHING)})


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Add `bench`."""
    app.command("bench")(_bench)


def _bench(
    what: Annotated[Bench, typer.Argument(help="Which figure.")] = Bench.ALL,
    images: Annotated[
        int | None,
        typer.Option("--images", min=32, help="Images of embed [512]; of memory, at the smaller size [100]."),
    ] = None,
    bundle: Annotated[Path, typer.Option("--bundle", help="The bundle that predict is timed with.")] = BUNDLE,
    data: Annotated[Path | None, typer.Option("--data", help="The real scans, for gate.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Measure: each figure stands beside a reference, taken in turns; ratio 1 = as fast as the reference.

    The ratio of memory is the peak over ten times the images to the peak over the images; that of gate, the share of
    pictures judged rightly.
    """
    wanted = [name for name in MEASUREMENTS if name not in NEEDS_DATA] if what.value == EVERYTHING else [what.value]
    rows = [row for name in wanted for row in MEASUREMENTS[name](Request(images, bundle, data))]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _show(rows)


def _quiet_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _show(rows: list[dict]) -> None:
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        ratio = "" if row["ratio"] is None else f"ratio {row['ratio']:.2f} to {row['reference']}"
        beside = f" (reference {row['reference_ms']:.0f} ms)" if row.get("reference_ms") else ""
        peak = f", peak {row['peak_mib']:.0f} MiB (reference {row['reference_peak_mib']:.0f})" if "peak_mib" in row else ""
        typer.echo(f"{row['name']:<{width}} {row['median_ms']:>9.0f} ms{beside}{peak}, n {row['n']}  {ratio}".rstrip())
