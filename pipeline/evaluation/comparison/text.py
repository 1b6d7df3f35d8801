"""The comparison as plain text: Markdown tables that also line up on a terminal."""

from collections.abc import Collection

from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.words import (
    EFFECTS,
    ENSEMBLE,
    FAMILIES,
    GIVEN_SPLIT,
    RESPLIT,
    RESPLITS,
    TESTS,
    estimand_words,
)
from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.metrics.names import metric_words
from pipeline.evaluation.statistics.intervals import UNDEFINED
from pipeline.evaluation.tables.text_grid import text_grid


def comparison_table(document: dict) -> str:
    """Text of a `build_comparison` document: the tables of metrics of each modality, the tests, the verdicts.

    Values read "0.842 [0.79, 0.89] ±0.011": mean over trainings, patient-clustered interval, and the standard
    deviation over trainings (training noise) where there are several. Every title says of what its figures are.
    """
    parts = []
    for name in document["modalities"]:
        parts += [f"{heading}\n\n{text_grid(columns, rows)}" for heading, columns, rows in metric_tables(document, name)]
    if document["tests"]:
        parts += _tests(document)
        parts.append(_verdicts(document))
    if document.get("seen") is not None:
        parts.append(_seen(document["seen"]))
    if document.get("warnings"):
        parts.append("Note\n" + "\n".join(f"- {warning}" for warning in document["warnings"]))
    return "\n\n".join(parts) + "\n"


Table = tuple[str, list[str], list[list[str]]]


def metric_tables(document: dict, modality: str) -> list[Table]:
    """The tables of a modality, each its heading, the names of its columns, and its rows, a metric each: of its trainings, and
    of their ensemble where there are several."""
    noise = document["training_noise"].get(modality, {})
    counts = {entry["seeds"] for by_metric in noise.values() for entry in by_metric.values()}
    tables = [_table(document, document["modalities"][modality], _heading(document, modality, counts), noise)]
    if modality in document.get("ensemble", {}):
        words = f"{title_of(modality)}: {estimand_words(counts, ENSEMBLE)} (their probabilities averaged) {_level(document)}"
        tables.append(_table(document, document["ensemble"][modality], words, {}))
    return tables


def _table(document: dict, by_arm: dict, heading: str, noise: dict) -> Table:
    arms = [arm for arm in document["arms"] if arm in by_arm]
    rows = [
        [
            metric_words(metric),
            *(_value(by_arm[arm].get(metric, UNDEFINED), noise.get(arm, {}).get(metric, {}).get("sd")) for arm in arms),
        ]
        for metric in dict.fromkeys(metric for arm in arms for metric in by_arm[arm])
    ]
    return heading, ["metric", *arms], rows


def _heading(document: dict, modality: str, trainings: Collection[int]) -> str:
    counts = document["counts"][modality]
    heading = f"{title_of(modality)}: {counts['rows']} rows of {counts['clusters']} patients"
    if modality not in document["training_noise"]:
        return f"{heading}; mean over scans {_level(document)}"
    classes = ", ".join(f"{count} {name}" for name, count in counts.get("by_class", {}).items())
    noise = " ± training noise" if max(trainings) > 1 else ""
    heading += f", {classes or str(counts['positive']) + ' positive'}"
    return f"{heading}; {estimand_words(trainings)} {_level(document)}{noise}"


def _level(document: dict) -> str:
    return f"[{100 * document['settings']['level']:g} % interval]"


def _tests(document: dict) -> list[str]:
    """A table of tests for each thing that arms are the answers of, then the families and cautions."""
    columns = ["modality", "arms", "metric", "test", "n", "statistic", "p", "Holm p", "effect"]
    parts = []
    for of in dict.fromkeys(map(_of, document["tests"])):
        rows = [_test_row(test) for test in document["tests"] if _of(test) == of]
        parts.append(f"Tests{'' if of is None else f' of {_article(of)}'}\n\n{text_grid(columns, rows)}")
    families = [f"Holm family {FAMILIES[name]}: {what}." for name, what in document["families"].items()]
    cautions = dict.fromkeys(test["caution"] for test in document["tests"] if test.get("caution"))
    told = [f"{TESTS['original_anova']}, in no family: {caution}." for caution in cautions]
    return [*parts, "\n".join([*families, *told])]


def _of(test: dict) -> str | None:
    """What a test's arms are the answers of; documents of before it was said tested the ensemble."""
    return test.get("of", {GIVEN_SPLIT: ENSEMBLE, RESPLITS: RESPLIT}.get(test["family"]))


def _article(of: str) -> str:
    return of if of.startswith("one ") else f"the {of}"


def _test_row(test: dict) -> list[str]:
    return [
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


def verdict_lines(document: dict) -> list[str]:
    """A sentence for each modality and pair of arms."""
    return [
        f"{title_of(entry['modality'])}, {entry['b']} against {entry['a']}: {entry['sentence']}" for entry in document["verdicts"]
    ]


def _verdicts(document: dict) -> str:
    of = dict.fromkeys(_of(test) for test in document["tests"] if test["test"] == "clustered_permutation")
    heading = f"Verdict, on the given split of {' or '.join(map(_article, of))}" if of else "Verdict"
    return f"{heading}\n" + "\n".join(f"- {line}" for line in verdict_lines(document))


def _seen(found: dict) -> str:
    """How many scans each arm has seen, and the comparison without them."""
    lines = [
        f"- {title_of(modality)}, {arm}: {counts['trained_on']} in training, {counts['chosen_on']} in validation"
        for arm, by_modality in found["arms"].items() for modality, counts in by_modality.items() if any(counts.values())
    ]  # fmt: skip
    if not lines:
        return "Seen before\n- none of these scans is one that an arm's bundle learnt from"
    without = found["without_seen"]
    if without is None:
        return "\n".join(["Seen before, which flatters the figures above", *lines, "- those that are left cannot be judged"])
    inner = comparison_table(without).rstrip()
    return "\n".join(["Seen before, which flatters the figures above", *lines, "", "Without them:", "", inner])


def _value(interval: dict, noise: float | None) -> str:
    return interval_text(interval) + ("" if noise is None or interval["value"] is None else f" ±{noise:.3f}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
