"""The comparison's documents, figures and report, written from what was trained."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.engine.context import Context
from pipeline.evaluation.comparison.tests import ComparisonSettings
from pipeline.evaluation.figures.comparison import comparison_figures
from pipeline.evaluation.metrics.names import binary_names
from pipeline.evaluation.statistics.intervals import metric_intervals
from pipeline.evaluation.tables.resplits import Resplits
from pipeline.evaluation.tables.rows import Rows
from pipeline.models.fusion_names import CONTROLS
from pipeline.training.vision_text.folds import FoldAnswers, FoldPlan, fused_arms, with_late_average
from pipeline.training.vision_text.reports.fusion_findings import WHAT, fusion_document
from pipeline.training.vision_text.reports.fusion_summary import fusion_summary
from pipeline.training.vision_text.rows import NotedScans
from pipeline.training.vision_text.settings import FusionSettings
from pipeline.training.vision_text.stored import StoredArm


def report_comparison(
    context: Context,
    settings: FusionSettings,
    scans: NotedScans,
    plan: FoldPlan,
    answers: FoldAnswers,
    probabilities: Mapping[str, np.ndarray],
    resplits: Resplits,
    stored: StoredArm,
) -> None:
    """Write comparison.json, withheld.json, out_of_fold.csv, fusion_recipe.json, report.md and the figures."""
    dataset = context.load_json("dataset")
    index, rows = scans.index, scans.compared
    names = _class_names(dataset)
    tables = {
        arm: {WHAT: Rows.binary(plan.labels, values.astype(np.float64), index.patients[rows], index.ids[rows], names)}
        for arm, values in probabilities.items()
    }
    sizes = ComparisonSettings(resamples=settings.resamples, permutations=settings.permutations, seed=context.seed)
    document = fusion_document(tables, resplits, fused_arms(list(tables)), CONTROLS, sizes, dataset["leakage"])
    withheld = _withheld(settings, plan, answers, names, context.seed)
    recipe = _recipe(settings, plan, answers, list(tables), stored, dataset, names)
    context.save_json("fusion_comparison", document)
    context.save_json("fusion_withheld", withheld)
    context.save_json("fusion_recipe", recipe)
    context.save_csv("fusion_out_of_fold", _out_of_fold(scans, plan, probabilities))
    for name, figure in comparison_figures(tables, document).items():
        context.save_figure(f"fusion_figure_{name}", figure)
    text = fusion_summary(document, withheld, recipe, _masking(scans), dataset)
    context.save_bytes("fusion_report", text.encode())
    for entry in document["better_than_both"]:
        context.log(entry["sentence"])


def _withheld(settings: FusionSettings, plan: FoldPlan, answers: FoldAnswers, names: tuple[str, str], seed: int) -> dict:
    """half → arm → AUC with interval where that half is withheld from every test row."""
    auc = binary_names(names[1], ("auc",))
    return {
        half: {
            arm: metric_intervals(
                Rows.binary(plan.labels, values, plan.patients, class_names=names), auc, settings.resamples, seed)["auc"]
            for arm, values in by_arm.items() if arm not in CONTROLS
        }
        for half, by_arm in ((half, with_late_average(arms)) for half, arms in answers.withheld.items())
    }  # fmt: skip


def _class_names(dataset: Mapping) -> tuple[str, str]:
    positive = dataset["positive_class"]
    return " or ".join(name for name in dataset["class_names"] if name != positive), positive


def _recipe(
    settings: FusionSettings, plan: FoldPlan, answers: FoldAnswers, arms: list[str], stored: StoredArm, dataset: Mapping,
    names: tuple[str, str],
) -> dict:  # fmt: skip
    members = {name: plan.labels == label for name, label in zip(names, (0, 1), strict=True)}
    return {
        "arms": arms,
        "chosen": stored.arm,
        "chosen_by": {"mean_validation_auc": stored.validation_auc},
        "class_names": list(names),
        "positive_class": dataset["positive_class"],
        "profile": settings.profile,
        "window": stored.window,
        "profile_settings": dataset["profiles"][settings.profile],
        "settings": settings.model_dump(mode="json"),
        "stored_test": stored.test,
        "stored_rows": stored.rows,
        "validation_loss": {arm: float(np.mean(losses)) for arm, losses in answers.validation.items()},
        "epochs_kept": {arm: float(np.mean(kept)) for arm, kept in answers.epochs.items()},
        "patients": {name: int(len(np.unique(plan.patients[mine]))) for name, mine in members.items()},
        "rows": {name: int(np.sum(mine)) for name, mine in members.items()},
    }


def _masking(scans: NotedScans) -> dict[str, int]:
    """How often each word was taken out of the compared notes, most frequent first."""
    counts: dict[str, int] = {}
    for row in scans.compared:
        for word in scans.masked[row].masked:
            counts[word.lower()] = counts.get(word.lower(), 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _out_of_fold(scans: NotedScans, plan: FoldPlan, probabilities: Mapping[str, np.ndarray]) -> pd.DataFrame:
    rows = scans.compared
    parts = [
        pd.DataFrame({
            "id": scans.index.ids[rows], "patient_id": plan.patients, "label": plan.labels, "fold": plan.folds[0],
            "arm": arm, "probability": values.mean(axis=0), "first_repeat": values[0],
        })
        for arm, values in probabilities.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)
