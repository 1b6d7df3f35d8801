"""The demo's other systems, each a small run of its own on the same generated patients: segmenter, classifier, fusion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.engine.config import load_run_config
from pipeline.engine.contract import Stage
from pipeline.engine.interval_text import interval_text
from pipeline.engine.progress import Reporter
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import run_pipeline
from pipeline.engine.shipped_files import shipped

CONFIGS = shipped("configs")


def run_demo_systems(stages: Sequence[Stage], out: Path, phantoms: Path, reporter: Reporter) -> dict[str, Any]:
    """Run each configuration of SCHEME below ``out`` and return ``{name: its findings}``; finished runs are skipped."""
    findings = {}
    for name, (file, read) in SCHEME.items():
        folder = out / name
        reporter.line(f"{name}: {file}")
        run_pipeline(load_run_config(CONFIGS / file, stages), stages, folder, phantoms, reporter=reporter)
        findings[name] = read(RunDirectory(folder))
    return findings


def _read_unet(run: RunDirectory) -> dict[str, Any]:
    metrics = run.load_json("segmenter_test_metrics")
    return {
        "run": str(run.path),
        "scans": metrics["scans"],
        "dice": metrics["segmentation"]["dice"],
        "accuracy": metrics["classification"]["accuracy"],
        "classes": len(metrics["class_names"]),
        "picture": str(run.artifact("segmenter_test_sample_overlays")),
    }


def _read_pneumonia(run: RunDirectory) -> dict[str, Any]:
    metrics = run.load_json("classifier_metrics")
    folds = metrics["folds"]
    return {
        "run": str(run.path),
        "scans": folds["rows"],
        "auc": folds["metrics"]["macro_auc"],
        "accuracy": folds["metrics"]["accuracy"],
        "picture": str(run.artifact("classifier_figure_roc")),
    }


def _read_vision_text(run: RunDirectory) -> dict[str, Any]:
    comparison = run.load_json("fusion_comparison")
    arms = comparison["modalities"]["vision_text"]
    return {
        "run": str(run.path),
        "auc": {arm: metrics["auc"] for arm, metrics in arms.items()},
        "verdicts": [entry["sentence"] for entry in comparison["better_than_both"]],
        "report": str(run.artifact("fusion_report")),
    }


# What each of them runs, and what is read of its run.
SCHEME: dict[str, tuple[str, Callable[[RunDirectory], dict[str, Any]]]] = {
    "unet": ("demo_unet.yaml", _read_unet),
    "pneumonia": ("demo_pneumonia.yaml", _read_pneumonia),
    "vision_text": ("demo_vision_text.yaml", _read_vision_text),
}


def systems_lines(findings: dict[str, Any]) -> list[str]:
    """The findings of the three systems, each with where its picture or report lies."""
    unet, pneumonia, both = findings["unet"], findings["pneumonia"], findings["vision_text"]
    arms = [f"    {arm.replace('_', ' '):<20}{interval_text(auc)}" for arm, auc in both["auc"].items()]
    return [
        f"Segmenter, {unet['scans']} test scans: lung Dice {interval_text(unet['dice'])}, "
        f"{unet['classes']}-class accuracy {interval_text(unet['accuracy'])}",
        "  (so few scans teach it the outline, hardly the diagnosis)",
        f"  {unet['picture']}",
        f"Pneumonia classifier, {pneumonia['scans']} scans out of fold: AUC {interval_text(pneumonia['auc'])}, "
        f"accuracy {interval_text(pneumonia['accuracy'])}",
        f"  {pneumonia['picture']}",
        "Vision and text, COVID against other pneumonia, AUC out of fold, diagnosis words masked:",
        *arms,
        *(f"  {sentence}" for sentence in both["verdicts"]),
        f"  {both['report']}",
    ]
