"""What a demo run found, as one document, and as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.cli.demo.systems import systems_lines
from pipeline.engine.interval_text import interval_text
from pipeline.engine.invocation import typed
from pipeline.engine.rundir import RunDirectory
from pipeline.evaluation.comparison.alignment_words import PROBE_TITLES, alignment_sentence, strongest_probe
from pipeline.evaluation.comparison.words import choice_words, sentence

TITLES = {"xray": "X-ray", "ct": "CT", "paired": "paired", "shuffled_pairs": "shuffled pairs (control)", "raw": "raw embeddings"}
METRICS = ("auc", "accuracy")
FIGURES = ("significance_figure_", "sample_sheet_", "adversarial_curves", "feature_map")


def read_findings(run: RunDirectory) -> dict[str, Any]:
    """The chosen variant's scores with intervals, the verdicts, the alignment probe, and where the files are.

    "seeds": how many trainings a score is the mean of.

    Raises MissingArtifactError where the run lacks s04 or s06.
    """
    comparison, probes = run.load_json("significance_comparison"), run.load_json("alignment")
    chosen = comparison["chosen"]
    figures = [run.artifact(name) for manifest in run.manifests.values() for name in manifest.outputs if name.startswith(FIGURES)]
    return {
        "schema_version": 1,
        "run": str(run.path),
        "chosen": chosen,
        "variants": comparison["arms"],
        "seeds": int(run.load("significance_seed_probabilities_xray").shape[1]),
        "metrics": {
            modality: {metric: by_arm[chosen][metric] for metric in METRICS}
            for modality, by_arm in _in_order(comparison["modalities"]) if chosen in by_arm
        },
        "counts": comparison["counts"],
        "verdicts": comparison["verdicts"],
        "alignment": {
            name: {"probe": scores["strongest"], **strongest_probe(scores)}
            for name, scores in _as_trained(probes, comparison["arms"])
        },
        "alignment_sentence": alignment_sentence(probes),
        "warnings": [*run.warnings(), *comparison["warnings"]],
        "report": str(run.artifact("significance_report")),
        "figures": [str(path) for path in figures],
    }  # fmt: skip


def _in_order(modalities: dict[str, Any]) -> list[tuple[str, Any]]:
    names = [*(name for name in TITLES if name in modalities), *(name for name in modalities if name not in TITLES)]
    return [(name, modalities[name]) for name in names]


def _as_trained(probes: dict[str, Any], arms: list[str]) -> list[tuple[str, Any]]:
    """The raw embeddings first, then the arms in their order; JSON keeps names sorted."""
    return [(name, probes[name]) for name in ("raw", *arms) if name in probes]


def findings_text(document: dict[str, Any]) -> str:
    """The document for people: table, verdicts, alignment, the diagnosed pair, the other systems, places."""
    probes, diagnosis = document["alignment"], document["diagnosis"]
    choice = sentence(choice_words(document["variants"], f"the variant {document['chosen']!r}"))
    scores = {
        modality: "".join(f"{interval_text(metrics[metric]):<24}" for metric in METRICS)
        + str(document["counts"][modality]["clusters"])
        for modality, metrics in document["metrics"].items()
    }
    parts = [
        [
            f"{choice}. On the test part, mean of {document['seeds']} trainings "
            "[95 % interval, clustered by patient]:",
            f"  {'':<26}{'AUC':<24}{'accuracy':<24}patients",
            *_titled(scores),
        ],
        ["Do the variants differ?", *(_verdict(entry) for entry in document["verdicts"])],
        [
            "Can the strongest of three fresh probes tell X-ray from CT? (balanced accuracy; 0.5 = no)",
            *_titled({name: f"{interval_text(told)}  {PROBE_TITLES[told['probe']]}" for name, told in probes.items()}),
            f"  {document['alignment_sentence']}",
        ],
        [
            f"One test pair through the bundle ({diagnosis['xray']} and {diagnosis['ct']}; truly {diagnosis['label']}):",
            *_titled({row["modality"]: _answer(row, diagnosis["positive_class"]) for row in diagnosis["answers"]}),
        ],
        systems_lines(document["systems"]) if "systems" in document else [],
        _places(document),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _titled(cells: Mapping[str, str]) -> list[str]:
    return [f"  {TITLES.get(name, name):<26}{cell}" for name, cell in cells.items()]


def _verdict(entry: dict[str, str]) -> str:
    return f"  {TITLES.get(entry['modality'], entry['modality'])}, {entry['b']} against {entry['a']}: {entry['sentence']}"


def _answer(row: dict[str, Any], positive: str) -> str:
    known = row["probability"] is not None
    return f"{row['predicted']}, probability of {positive} {row['probability']:.3f}" if known else f"no answer: {row['error']}"


def _places(document: dict[str, Any]) -> list[str]:
    folders = dict.fromkeys(str(Path(figure).parent) for figure in document["figures"])
    return [
        "Generated scans, so these scores say that the pipeline works, nothing about patients.",
        f"Report:   {document['report']}",
        f"Figures:  {', '.join(folders)}",
        f"Bundle:   {document['bundle']}",
        "Gate:     passes what is near to this bundle's scans; a shipped bundle may refuse phantoms, --no-gate answers them",
        "Again:    " + typed(f"predict --bundle {document['bundle']}"),
        f"Took:     {document['duration_s']:.0f} s",
    ]
