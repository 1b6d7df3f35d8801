"""s06: retrain every variant over seeds and over patient-grouped resplits, and say what can be said of the difference."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage
from pipeline.training.multitask.stage_modalities import PROBABILITY_UNIT, OfModalities, answered_rows

ROLES = ("task", "shared")
FIGURES = ("roc", "confusion", "metrics", "calibration", "training_noise")


class Config(OfModalities):
    """How often every variant is trained anew, and how its intervals and tests are drawn."""

    seeds: Annotated[int, Field(ge=2, le=100)] = 10
    """Trainings of every variant on the given split, each from another seed."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Resplits of all scans by patient, each trained once."""
    resamples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap samples of the patients for each interval."""
    permutations: Annotated[int, Field(ge=100)] = 5000
    """Permutations of each test."""


def _inputs(config: Config) -> tuple[Input, ...]:
    return (
        Input("scan_index"), Input("dataset"),
        *(Input(f"backbone_features_{m}_{r}") for m in config.modalities for r in ROLES),
        *(Input(f"tail_{m}_{r}_{part}", optional=True)
          for m in config.modalities for r in ROLES for part in ("weights", "architecture")),
        Input("embedder_recipe"), Input("task_recipe"), Input("shared_recipe"), Input("head_recipe"),
        Input("choice"), Input("alignment"),
    )  # fmt: skip


def _outputs(config: Config) -> tuple[Artifact, ...]:
    unit = PROBABILITY_UNIT
    return (
        *(Artifact(f"significance_seed_probabilities_{name}", f"seed_probabilities_{name}.npy",
                   ("V", config.seeds, count, "K?"), "float32", unit,
                   "variants in the order of choice.json, seeds, rows") for name, count in answered_rows(config).items()),
        *(Artifact(f"significance_fold_probabilities_{m}", f"fold_probabilities_{m}.npy", ("V", f"N_{m}", "K?"), "float32", unit,
                   "each scan by the training that did not see its patient") for m in config.modalities),
        *(Artifact(f"significance_folds_{m}", f"folds_{m}.npy", (f"N_{m}",), "int64", "fold number",
                   "the resplit that tests each scan") for m in config.modalities),
        Artifact("significance_comparison", "comparison.json",
                 meaning="metrics, intervals, tests: the document of compare --json"),
        Artifact("significance_alignment", "alignment.json",
                 meaning="fresh probes of the modality, mean over seeds: validation, by modality alone, and the test part; "
                         "AUC of each extractor's own diagnosis, validation; {} of one modality"),
        Artifact("significance_sources", "sources.json", meaning="out-of-fold rates by source"),
        Artifact("significance_out_of_fold", "out_of_fold.csv", meaning="one row a scan and variant"),
        Artifact("significance_report", "report.md", meaning="tables and sentences for people"),
        *(Artifact(f"significance_figure_{name}", f"{name}.png", meaning="figure of the comparison") for name in FIGURES),
    )  # fmt: skip


def run(context: Context) -> None:
    """Train seeds, then resplits; compare; write tables, figures and the report."""
    from pipeline.training.determinism import make_deterministic
    from pipeline.training.multitask.chain_inputs import read_chain
    from pipeline.training.multitask.resplitting import draw_resplits, train_resplits
    from pipeline.training.multitask.seed_trainings import train_seeds

    make_deterministic(context.seed)
    chain = read_chain(context)
    resplits = draw_resplits(chain, context.config.folds, context.seed)  # refused, if it must be, before the hours of training
    by_seed = train_seeds(chain, context)
    resplit = train_resplits(chain, resplits, context)
    for name in answered_rows(context.config):
        context.save(f"significance_seed_probabilities_{name}", _stacked(by_seed.probabilities, name))
    for modality in context.config.modalities:
        context.save(f"significance_fold_probabilities_{modality}", _stacked(resplit.out_of_fold, modality))
        context.save(f"significance_folds_{modality}", resplit.folds[modality])
    _report(context, chain, by_seed, resplit)


def _stacked(by_variant: dict, name: str):
    import numpy as np

    return np.stack([answers[name] for answers in by_variant.values()]).astype(np.float32)


def _report(context: Context, chain, by_seed, resplit) -> None:
    from pipeline.evaluation.comparison.document import build_comparison
    from pipeline.evaluation.comparison.tests import ComparisonSettings
    from pipeline.evaluation.comparison.text import verdict_lines
    from pipeline.evaluation.figures.comparison import comparison_figures
    from pipeline.training.multitask.reports.extractor_diagnosis import extractor_diagnosis
    from pipeline.training.multitask.reports.out_of_fold import out_of_fold_frame, source_rates
    from pipeline.training.multitask.reports.prediction_frame import split_tables
    from pipeline.training.multitask.reports.significance_report import significance_report

    config: Config = context.config
    dataset = context.load_json("dataset")
    tables = split_tables(chain.indexes, chain.pairs, by_seed.probabilities, "test")
    settings = ComparisonSettings(resamples=config.resamples, permutations=config.permutations, seed=context.seed)
    document = build_comparison(
        tables, resplit.metrics if len(chain.recipe.variants) > 1 else None, controls=("shuffled_pairs",), settings=settings,
        warnings=dataset["leakage"],
    )  # fmt: skip
    document["chosen"] = context.load_json("choice")["chosen"]
    sources = source_rates(chain.indexes, resplit.out_of_fold, context.seed)
    context.save_json("significance_comparison", document)
    context.save_json("significance_sources", sources)
    diagnosis = extractor_diagnosis(chain.indexes, by_seed.extractors, context.seed)
    over_seeds = {variant: {**told, "diagnosis": diagnosis[variant]} for variant, told in by_seed.alignment.items()}
    context.save_json("significance_alignment", over_seeds)
    context.save_csv("significance_out_of_fold", out_of_fold_frame(chain.indexes, resplit.out_of_fold, resplit.folds))
    for name, figure in comparison_figures(tables, document).items():
        context.save_figure(f"significance_figure_{name}", figure)
    text = significance_report(document, sources, dataset, context.load_json("alignment"), over_seeds)
    context.save_bytes("significance_report", text.encode())
    for line in verdict_lines(document):
        context.log(line)


STAGE = Stage("s06_significance", "every variant retrained over seeds and resplits, compared with paired tests", Config, _inputs,
              _outputs, run)  # fmt: skip
