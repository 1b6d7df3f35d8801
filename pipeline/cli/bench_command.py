"""`bench`: how fast, and in how much memory, beside a reference that does the same work."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage

BUNDLE = Path("pretrained/respiratory_mtl")


class Bench(StrEnum):
    """What can be measured."""

    MEMORY = "memory"
    PREDICT = "predict"
    EMBED = "embed"
    TRAIN = "train"
    ALL = "all"


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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Measure: each figure stands beside a reference, taken in turns; ratio 1 = as fast as the reference.

    The ratio of memory is the peak over ten times the images to the peak over the images.
    """
    # Memory comes first: a child is charged with what its parent holds at the start, and TensorFlow holds much.
    wanted = [Bench.MEMORY, Bench.PREDICT, Bench.EMBED, Bench.TRAIN] if what is Bench.ALL else [what]
    rows = [row for name in wanted for row in _measure(name, images, bundle)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _show(rows)


def _measure(name: Bench, images: int | None, bundle: Path) -> list[dict]:
    from pipeline.cli.process_benchmarks import bench_memory, bench_predict

    if name is Bench.MEMORY:
        return [bench_memory(images or 100)]
    if name is Bench.PREDICT:
        return [bench_predict(bundle)]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.training.benchmarks import bench_chain, bench_embed, bench_fit

    return [bench_embed(images or 512)] if name is Bench.EMBED else [bench_fit(), bench_chain()]


def _show(rows: list[dict]) -> None:
    for row in rows:
        ratio = "" if row["ratio"] is None else f"ratio {row['ratio']:.2f} to {row['reference']}"
        beside = f" (reference {row['reference_ms']:.0f} ms)" if row.get("reference_ms") else ""
        peak = f", peak {row['peak_mib']:.0f} MiB (reference {row['reference_peak_mib']:.0f})" if "peak_mib" in row else ""
        typer.echo(f"{row['name']:<8} {row['median_ms']:>9.0f} ms{beside}{peak}, n {row['n']}  {ratio}".rstrip())
