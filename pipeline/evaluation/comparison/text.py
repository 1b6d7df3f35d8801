"""The comparison as plain text: Markdown tables that also line up on a terminal."""

from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.words import EFFECTS, FAMILIES, TESTS
from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.metrics.names import metric_words
from pipeline.evaluation.statistics.intervals import UNDEFINED
from pipeline.evaluation.tables.text_grid import text_grid


def comparison_table(document: dict) -> str:
    """Text of a `build_comparison` document: a table of metrics for each modality, the tests, the verdicts.

    Values read "0.842 [0.79, 0.89] ±0.011": mean over trainings, patient-clustered interval, and the standard
    deviation over trainings (training noise) where there are several.
    """
    parts = []
    for name in document["modalities"]:
        heading, columns, rows = metric_rows(document, name)
        parts.append(f"{heading}\n\n{text_grid(columns, rows)}")
    if document["tests"]:
        parts.append(_tests(document))
        parts.append(_verdicts(document))
    if document.get("warnings"):
        parts.append("Note\n" + "\n".join(f"- {warning}" for warning in document["warnings"]))
    return "\n\n".join(parts) + "\n"


def metric_rows(document: dict, modality: str) -> tuple[str, list[str], list[list[str]]]:
    """The table of a modality: its heading, the names of its columns, and its rows, a metric each."""
    by_arm, counts = document["modalities"][modality], document["counts"][modality]
    noise = document["training_noise"].get(modality, {})
    arms = [arm for arm in document["arms"] if arm in by_arm]
    rows = [
        [
            metric_words(metric),
            *(_value(by_arm[arm].get(metric, UNDEFINED), noise.get(arm, {}).get(metric, {}).get("sd")) for arm in arms),
        ]
        for metric in dict.fromkeys(metric for arm in arms for metric in by_arm[arm])
    ]
    interval = f"[{100 * document['settings']['level']:g} % interval]"
    heading = f"{title_of(modality)}: {counts['rows']} rows of {counts['clusters']} patients"
    if not noise:
        return f"{heading}; mean over scans {interval}", ["metric", *arms], rows
    classes = ", ".join(f"{count} {name}" for name, count in counts.get("by_class", {}).items())
    several = any(entry["seeds"] > 1 for by_metric in noise.values() for entry in by_metric.values())
    values = f"mean over trainings {interval} ± training noise" if several else f"value {interval}"
    heading += f", {classes or str(counts['positive']) + ' positive'}; {values}"
    return heading, ["metric", *arms], rows


def _tests(document: dict) -> str:
    rows = [
        [
            title_of(test["modality"]),
            f"{test['b']} - {test['a']}",
            metric_words(test["metric"]),
            TESTS[test["test"]],
            str(test["n"]),
            _number(test["statistic"]),
            _number(test["p"]),
            _number(test["p_adjusted"]),
            f"{EFFECTS[test['effect']['name']]} {_value(test['effect'], None)}",
        ]
        for test in document["tests"]
    ]
    columns = ["modality", "arms", "metric", "test", "n", "statistic", "p", "Holm p", "effect"]
    families = "\n".join(f"Holm family {FAMILIES[name]}: {what}." for name, what in document["families"].items())
    lines = ["Tests", "", text_grid(columns, rows), "", families]
    cautions = dict.fromkeys(test["caution"] for test in document["tests"] if test.get("caution"))
    lines += [f"{TESTS['original_anova']}, in no family: {caution}." for caution in cautions]
    return "\n".join(lines)


def verdict_lines(document: dict) -> list[str]:
    """A sentence for each modality and pair of arms."""
    return [
        f"{title_of(entry['modality'])}, {entry['b']} against {entry['a']}: {entry['sentence']}" for entry in document["verdicts"]
    ]


def _verdicts(document: dict) -> str:
    return "Verdict\n" + "\n".join(f"- {line}" for line in verdict_lines(document))


def _value(interval: dict, noise: float | None) -> str:
    return interval_text(interval) + ("" if noise is None or interval["value"] is None else f" ±{noise:.3f}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
