"""What `evaluate` asks of a system's evaluator, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine.progress import Reporter
from pipeline.inference.per_patient import Rule


@dataclass(frozen=True)
class EvaluationRequest:
    """data: labelled cases. out: the folder to write. modality: of class folders, for a bundle that reads several.

    max_unreadable: the share of scans that may be without an answer. mask_labels: the values of masks that are lung, where
    they cannot be told from the masks. rule: how scans of a patient are put together; None: each is judged by itself.
    """

    data: Path
    out: Path
    modality: str | None
    max_unreadable: float
    reporter: Reporter
    mask_labels: tuple[str, ...] = ()
    rule: Rule | None = None


@dataclass(frozen=True)
class Evaluation:
    """document: of metrics.json. words: the same for people."""

    document: dict[str, Any]
    words: str
