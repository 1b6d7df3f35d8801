"""A pipeline of three steps that writes what runs are browsed for: reports, figures, tables, beside what is not shown."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts

MARKUP = "<script>alert(1)</script>"
REPORT = f"""# Found in {MARKUP}

A class is called <b>bold</b>, a patient [p1](javascript:alert(1)) ![x](https://elsewhere.example/x.png) &lt;i&gt;.

| class | AUC |
|:------|----:|
| {MARKUP} | 0.9 |

<img src=x onerror=alert(1)>

- https://elsewhere.example
"""


class ScanConfig(StageConfig):
    rows: int = 3


class TrainConfig(StageConfig):
    epochs: int = 4


class LateConfig(StageConfig):
    pass


def read(context: Context) -> None:
    context.save("pixels", np.zeros((context.config.rows, 2), np.float32))
    context.output("scan_index").write_text("id,modality,patient_id\nX/P1.png,xray,P1\n")
    context.save_json("dataset", {"class_names": [MARKUP]})
    context.warn(f"LEAKAGE allowed: P1 of {MARKUP} on two sides.")


def train(context: Context) -> None:
    rows = "".join(f"{epoch},{1 / epoch:.3f},\n" for epoch in range(1, context.config.epochs + 1))
    context.output("epochs").write_text("epoch,loss,val_auc\n" + rows)
    context.output("predictions").write_text("id,probability\nX/P1.png,0.5\n")
    context.output("report").write_text(REPORT)
    for name in ("roc", "test_roc"):
        picture = np.full((30, 40, 3), 200, np.uint8)
        context.save_bytes(name, cv2.imencode(".png", picture)[1].tobytes())
    context.save_json("metrics", {"auc": 0.9})
    context.save_bytes("net_weights", b"w")
    context.save_json("net_architecture", {})
    context.output("checkpoints").joinpath("last.json").write_text("{}")


def late(context: Context) -> None:
    context.save_json("late", {})


STAGES = (
    Stage(
        "s01_scans", "reads scans", ScanConfig, lambda config: (),
        lambda config: (
            Artifact("pixels", "pixels.npy", ("N", 2), "float32", meaning="pixels"),
            Artifact("scan_index", "scan_index.csv", meaning="one row a scan"),
            Artifact("dataset", "dataset.json", meaning="classes"),
        ), read,
    ),
    Stage(
        "s02_training", "trains", TrainConfig, lambda config: (Input("pixels"),),
        lambda config: (
            Artifact("epochs", "metrics_epochwise.csv", meaning="losses an epoch"),
            Artifact("predictions", "predictions.csv", meaning="one row a scan"),
            Artifact("report", "report.md", meaning="sentences"),
            Artifact("roc", "roc.png", meaning="validation"),
            Artifact("test_roc", "test_results/roc.png", meaning="test"),
            Artifact("metrics", "metrics.json", meaning="metrics"),
            Artifact("checkpoints", "checkpoints/", meaning="weights"),
            *model_artifacts("net", "network"),
        ), train,
    ),
    Stage(
        "s03_late", "comes last", LateConfig, lambda config: (Input("metrics"),),
        lambda config: (Artifact("late", "late.json", meaning="late"),), late,
    ),
)  # fmt: skip
