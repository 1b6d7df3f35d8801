"""The figures that a bundle quotes of its run: seed means with intervals, the shipped weights' own, rates by source."""

from __future__ import annotations

from pipeline.evaluation.comparison.alignment_words import alignment_sentence
from pipeline.export.multitask.finished_run import FinishedRun

NAMES = ("xray", "ct", "paired", "shuffled_pairs")


def read_figures(source: FinishedRun) -> dict:
    """Test metrics of the chosen variant.

    ``test``: ``{modality: {metric: {value, low, high}}}``, means over seeds where s06 has run, with
    ``training_noise`` beside them; ``shipped``: the same metrics of the very weights in the bundle (one training).
    ``control`` names the modality whose pairs were dealt anew.
    """
    variant = source.variant
    shipped = source.load_json("head_metrics")[variant]
    figures = {
        "basis": "one training: the weights in this bundle",
        "test": shipped,
        "shipped": shipped,
        "training_noise": None,
        "counts": source.dataset["counts"],
        "test_rows": None,
        "control": "shuffled_pairs",
        "sources": [],
        "verdicts": [],
        "notes": [],
    }
    if source.has("significance_comparison"):
        comparison = source.load_json("significance_comparison")
        by_name = {name: comparison["modalities"][name][variant] for name in NAMES if name in comparison["modalities"]}
        noise = {name: arms[variant] for name, arms in comparison["training_noise"].items() if variant in arms}
        seeds = {entry["seeds"] for arms in noise.values() for entry in arms.values() if entry}
        figures |= {
            "basis": f"mean of {max(seeds, default=1)} trainings that differ by their seed",
            "test": by_name,
            "training_noise": noise,
            "test_rows": comparison["counts"],
            "verdicts": comparison["verdicts"],
            "notes": source.deidentified(comparison["warnings"]),
        }
    figures["alignment"] = _alignment(source)
    if source.has("significance_sources"):
        figures["sources"] = [entry for entry in source.load_json("significance_sources") if entry["variant"] == variant]
    return figures


def _alignment(source: FinishedRun) -> list[str]:
    """A sentence for each variant on whether the modality shows in its features, by the strongest of fresh probes."""
    scores = source.load_json("alignment")
    if source.has("significance_alignment"):
        scores |= {variant: readings["valid"] for variant, readings in source.load_json("significance_alignment").items()}
    return [alignment_sentence(scores, variant) for variant in scores if variant != "raw"]
