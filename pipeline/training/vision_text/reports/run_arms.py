"""The arms of a finished run of vision and text, as comparisons read them."""

from __future__ import annotations

import numpy as np

from pipeline.engine.rundir import RunDirectory
from pipeline.evaluation.comparison.words import choice_words
from pipeline.evaluation.tables.rows import Arms, Rows
from pipeline.evaluation.tables.run_arms import RunArms, made_artifacts
from pipeline.training.vision_text.reports.fusion_findings import WHAT


def run_arms(run: RunDirectory) -> RunArms:
    """Image alone, text alone and the fusions, every row out of fold in each repeat; the run has compared them itself."""
    def read() -> Arms:
        import pandas

        text = {"id": str, "patient_id": str}
        frame = pandas.read_csv(run.artifact("fusion_out_of_fold"), dtype=text, keep_default_na=False)
        recipe, answers = run.load_json("fusion_recipe"), np.asarray(run.load("fusion_fold_probabilities"), np.float64)
        facts = frame[frame["arm"] == recipe["arms"][0]]
        columns = [facts[name].to_numpy() for name in ("patient_id", "id")]
        return {
            arm: {WHAT: Rows.binary(facts["label"].to_numpy(), of_arm, *columns, recipe["class_names"])}
            for arm, of_arm in zip(recipe["arms"], answers, strict=True)
        }

    recipe = run.load_json("fusion_recipe")
    chosen = recipe["chosen"]
    stored = choice_words(recipe["chosen_by"]["mean_validation_auc"], chosen, "fusion")
    heading = f"{run.path}: every row out of fold; {stored} and is stored."
    warnings = run.load_json("dataset")["leakage"]
    return RunArms(
        {"": read}, heading=heading, warnings=warnings, document="fusion_comparison",
        files=made_artifacts(run, "fusion_report", "fusion_figure_"), chosen=chosen,
    )  # fmt: skip
