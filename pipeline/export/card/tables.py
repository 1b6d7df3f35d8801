"""The Markdown tables of a model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.engine.interval_text import interval_text

TITLES = {"xray": "X-ray", "ct": "CT", "paired": "paired", "shuffled_pairs": "control: shuffled pairs"}
METRICS = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy",
    "class_wise_mean_accuracy": "class-wise mean accuracy (mean of PPV and NPV)", "sensitivity": "sensitivity",
    "specificity": "specificity", "ppv": "PPV", "npv": "NPV", "f1": "F1", "auc": "AUC",
    "average_precision": "average precision", "brier": "Brier score (lower is better)", "mcc": "Matthews correlation",
}  # fmt: skip


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def metrics_table(metrics: Mapping[str, Mapping], noise: Mapping[str, Mapping] | None) -> str:
    """A row a metric, a column a modality: value, 95 % interval, and ± the spread over seeds where it is known."""
    names = [name for name in TITLES if name in metrics]
    rows = [
        [title, *(_value(metrics[name].get(metric), ((noise or {}).get(name) or {}).get(metric)) for name in names)]
        for metric, title in METRICS.items()
    ]
    return table(["metric", *(TITLES[name] for name in names)], rows)


def sources_table(sources: Sequence[Mapping]) -> str:
    """False positives and sensitivity by source, out of fold."""
    rows = [
        [entry["source"] or "unnamed", TITLES.get(entry["modality"], entry["modality"]),
         _rate(entry["false_positive_rate"]), _rate(entry["sensitivity"])]
        for entry in sources
    ]  # fmt: skip
    return table(["source", "modality", "false positives among its negatives", "sensitivity among its positives"], rows)


def terms_table(terms: Sequence[Mapping]) -> str:
    """Scans, patients, licences and origins of each source."""
    rows = [
        [entry["source"] or "unnamed", TITLES.get(entry["modality"], entry["modality"]), f"{entry['scans']:,}",
         f"{entry['patients']:,}", _counted(entry["licences"]), _counted(entry["origins"])]
        for entry in terms
    ]  # fmt: skip
    return table(["source", "modality", "scans", "patients", "licences (scans)", "origins (scans)"], rows)


def counts_table(counts: Mapping[str, Mapping]) -> str:
    """Scans by modality, split and class."""
    rows = [
        [TITLES.get(modality, modality), split, ", ".join(f"{number:,} {name}" for name, number in sorted(classes.items()))]
        for modality, splits in sorted(counts.items(), reverse=True)
        for split, classes in sorted(splits.items(), key=lambda item: ("train", "valid", "test").index(item[0]))
    ]
    return table(["modality", "split", "scans"], rows)


def files_table(files: Mapping[str, Mapping]) -> str:
    """Every file with its size and SHA-256."""
    rows = [[name, f"{entry['bytes']:,}", f"`{entry['sha256']}`"] for name, entry in sorted(files.items())]
    return table(["file", "bytes", "SHA-256"], rows)


def _value(entry: Mapping | None, noise: Mapping | None) -> str:
    text = interval_text(entry or {})
    return text + (f" ± {noise['sd']:.3f}" if text != "undefined" and noise and noise.get("sd") is not None else "")


def _rate(rate: Mapping | None) -> str:
    if rate is None:
        return "no such scan"
    return f"{interval_text(rate, 1, percent=True)} of {rate['n']} scans, {rate['patients']} patients"


def _counted(values: Mapping[str, int]) -> str:
    return "; ".join(f"{name} ({number:,})" for name, number in values.items()) or "not stated in the data folder"
