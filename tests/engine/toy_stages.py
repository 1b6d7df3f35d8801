"""A small pipeline without TensorFlow: scans → scaled → features → score."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage
from pipeline.engine.errors import DataError


class Profile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    size: int = Field(4, ge=1, le=64)
    modality: str = "ct"


class ScanConfig(StageConfig):
    rows: int = Field(6, ge=1, le=10_000_000)
    profiles: tuple[Profile, ...] = (Profile(),)
    folder: bool = False


class ScaleConfig(StageConfig):
    factor: float = Field(2.0, gt=0, le=100, description="what each value is multiplied with")
    epochs: int = Field(3, ge=1, le=1000)
    seconds_per_epoch: float = 0.0


class ScoreConfig(StageConfig):
    method: str = "mean"


def reach(moment: str) -> None:
    """Kill this process the hard way at the moment named by TOY_KILL."""
    if os.environ.get("TOY_KILL") == moment:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def scan_files(config: ScanConfig, data: Path | None) -> Iterable[Path]:
    if not config.folder:
        return ()
    if data is None or not data.is_dir():
        raise DataError(f"There is no folder of scans at {data}.", "Give it with --data.")
    return sorted(data.glob("*.bin"))


def read_scans(context: Context) -> None:
    rng = np.random.default_rng(context.seed)
    values = rng.random((context.config.rows, context.config.profiles[0].size), dtype=np.float32)
    if context.config.folder:
        for row, file in enumerate(scan_files(context.config, context.data)):
            values[row % len(values)] += file.read_bytes()[0]
    with context.writer("scans", values.shape[1:]) as writer:
        for start in range(0, len(values), 4):
            writer.append(values[start : start + 4])
            reach("s01 writing")
    context.save("ids", np.arange(len(values)))
    if "allow-odd" in context.flags:
        context.warn("odd rows were allowed")


def train_scale(context: Context) -> None:
    """Multiply epoch by epoch, keeping the state in scratch as a training would."""
    state = context.scratch / "state.npy"
    done = context.scratch / "epoch.txt"
    values = np.load(state) if done.is_file() else np.array(context.load("scans"))
    first = int(done.read_text()) if done.is_file() else 0
    context.log(f"starts at epoch {first}")
    for epoch in range(first, context.config.epochs):
        values = values * np.float32(context.config.factor)
        part = context.scratch / "part.npy"
        np.save(part, values)
        part.replace(state)
        (context.scratch / "part.txt").write_text(str(epoch + 1))
        (context.scratch / "part.txt").replace(done)
        time.sleep(context.config.seconds_per_epoch)
        if epoch == 1:
            reach("s02 epoch 2")
    context.save("scaled", values)
    context.save_json("scale_log", {"epochs": context.config.epochs, "loss": float("nan")})


def score(context: Context) -> None:
    scaled = context.load("scaled")
    context.save("score", scaled.mean(axis=1))
    context.output("pieces").joinpath("a.txt").write_text("a")
    reach("s03 writing")
    context.output("pieces").joinpath("b.txt").write_text("b")


STAGES = (
    Stage(
        name="s01_scans",
        summary="Makes scans.",
        config=ScanConfig,
        inputs=lambda config: (),
        outputs=lambda config: (
            Artifact("scans", "scans.npy", ("N", config.profiles[0].size), "float32", "1", "pixel values"),
            Artifact("ids", "ids.npy", ("N",), "int64", meaning="one id a row"),
        ),
        run=read_scans,
        external=scan_files,
    ),
    Stage(
        name="s02_scale",
        summary="Scales scans.",
        config=ScaleConfig,
        inputs=lambda config: (Input("scans"),),
        outputs=lambda config: (
            Artifact("scaled", "scaled.npy", ("N", "F"), "float32", "1", "scaled values"),
            Artifact("scale_log", "log.json", meaning="what training did"),
        ),
        run=train_scale,
    ),
    Stage(
        name="s03_score",
        summary="Scores scans.",
        config=ScoreConfig,
        inputs=lambda config: (Input("scaled"), Input("lung_masks", optional=True)),
        outputs=lambda config: (
            Artifact("score", "score.npy", ("N",), "float32", "1", "mean value"),
            Artifact("pieces", "pieces/", meaning="a folder of files"),
        ),
        run=score,
    ),
)
