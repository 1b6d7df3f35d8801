"""What a demo run found, as one document, and as text for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.cli.demo.systems import systems_text
from pipeline.engine.interval_text import interval_text
from pipeline.engine.rundir import RunDirectory

TITLES = {"xray": "X-ray", "ct": "CT", "paired": "paired", "shuffled_pairs": "shuffled pairs (control)"}
METRICS = ("auc", "accuracy")
PROBED = ("raw", "plain", "adversarial")


def read_findings(run: RunDirectory) -> dict[str, Any]:
    """The chosen variant's scores with intervals, the verdicts, the alignment probe, and where the files are.

    Raises MissingArtifactError where the run lacks s04 or s06.
    """
    comparison, probes = run.load_json("significance_comparison"), run.load_json("alignment")
    chosen = comparison["chosen"]
    figures = [run.artifact(name) for manifest in run.manifests.values() for name in manifest.outputs if _is_figure(name)]
    return {
        "schema_version": 1,
        "run": str(run.path),
        "chosen": chosen,
        "seeds": comparison_seeds(run),
        "metrics": {
            modality: {metric: by_arm[chosen][metric] for metric in METRICS}
            for modality, by_arm in _in_order(comparison["modalities"]) if chosen in by_arm
        },
        "counts": comparison["counts"],
        "verdicts": comparison["verdicts"],
        "alignment": {name: probes[name]["balanced_accuracy"] for name in PROBED if name in probes},
        "warnings": [*run.warnings(), *comparison["warnings"]],
        "report": str(run.artifact("significance_report")),
        "figures": [str(path) for path in figures],
    }  # fmt: skip


def comparison_seeds(run: RunDirectory) -> int:
    """How many trainings a score is the mean of."""
    return int(run.load("significance_seed_probabilities_xray").shape[1])


def _in_order(modalities: dict[str, Any]) -> list[tuple[str, Any]]:
    names = [*(name for name in TITLES if name in modalities), *(name for name in modalities if name not in TITLES)]
    return [(name, modalities[name]) for name in names]


def _is_figure(name: str) -> bool:
    return name.startswith(("significance_figure_", "sample_sheet_")) or name == "adversarial_curves"


def findings_text(document: dict[str, Any]) -> str:
    """The document for people: table, verdicts, alignment, the diagnosed pair, places."""
    parts = [
        _scores(document),
        "\n".join(["Do the variants differ?", *(_verdict(entry) for entry in document["verdicts"])]),
        _alignment(document),
        _diagnosis(document["diagnosis"]),
        systems_text(document["systems"]) if "systems" in document else "",
        _places(document),
    ]
    return "\n\n".join(part for part in parts if part)


def _scores(document: dict[str, Any]) -> str:
    lines = [
        f"Validation chose the variant {document['chosen']!r}. On the test part, mean of {document['seeds']} trainings "
        "[95 % interval, clustered by patient]:",
        f"  {'':<26}{'AUC':<24}{'accuracy':<24}patients",
    ]
    for modality, metrics in document["metrics"].items():
        cells = "".join(f"{interval_text(metrics[metric]):<24}" for metric in METRICS)
        lines.append(f"  {TITLES.get(modality, modality):<26}{cells}{document['counts'][modality]['clusters']}")
    return "\n".join(lines)


def _verdict(entry: dict[str, str]) -> str:
    return f"  {TITLES.get(entry['modality'], entry['modality'])}, {entry['b']} against {entry['a']}: {entry['sentence']}"


def _alignment(document: dict[str, Any]) -> str:
    lines = ["Can a fresh linear probe tell X-ray from CT in the shared features? (balanced accuracy; 0.5 = no)"]
    names = {"raw": "raw embeddings"}
    lines += [f"  {names.get(name, name):<26}{interval_text(probe)}" for name, probe in document["alignment"].items()]
    lines.append(f"  {alignment_sentence(document['alignment'])}")
    return "\n".join(lines)


def alignment_sentence(probes: dict[str, dict[str, float]]) -> str:
    """One sentence on whether adversarial training hid the modality, by the probe's intervals."""
    if "adversarial" not in probes:
        return "adversarial training was not part of this run"
    adversarial, raw = probes["adversarial"], probes["raw"]
    if adversarial["low"] <= 0.5 <= adversarial["high"]:
        hidden = "after adversarial training the modality is not shown to be readable"
        already = raw["low"] <= 0.5 <= raw["high"]
        return hidden + ("; but neither was it in the raw embeddings, so the credit is open" if already else "")
    return "the modality is still readable after adversarial training: the alignment did not succeed here"


def _diagnosis(diagnosis: dict[str, Any]) -> str:
    lines = [f"One test pair through the bundle ({diagnosis['xray']} and {diagnosis['ct']}; truly {diagnosis['label']}):"]
    lines += [f"  {TITLES.get(row['modality'], row['modality']):<26}{_answer(row)}" for row in diagnosis["answers"]]
    return "\n".join(lines)


def _answer(row: dict[str, Any]) -> str:
    if row["probability"] is None:
        return f"no answer: {row['error']}"
    return f"{row['predicted']}, probability {row['probability']:.3f}"


def _places(document: dict[str, Any]) -> str:
    folders = dict.fromkeys(str(Path(figure).parent) for figure in document["figures"])
    return "\n".join([
        "Generated scans, so these scores say that the pipeline works, nothing about patients.",
        f"Report:   {document['report']}",
        f"Figures:  {', '.join(folders)}",
        f"Bundle:   {document['bundle']}",
        f"Again:    python run_pipeline.py predict --bundle {document['bundle']}",
        f"Took:     {document['duration_s']:.0f} s",
    ])  # fmt: skip
