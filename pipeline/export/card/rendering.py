"""MODEL_CARD.md of a system from its template: what it is, what it was measured to do, on whose scans, and where it fails.

Sections after Mitchell et al., *Model Cards for Model Reporting* (FAT* 2019). The templates speak Markdown and Jinja; a name
that they are not given is an error, never an empty cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.variants import variant_meaning
from pipeline.evaluation.metrics.names import LOWER_IS_BETTER, metric_words

PER_CLASS = "per_class"
_FILES = re.compile(r"^\| file \| bytes \| SHA-256 \|\n(?:\|.*\n)+", re.MULTILINE)
REMARKS = {**dict.fromkeys(LOWER_IS_BETTER, " (lower is better)"), "class_wise_mean_accuracy": " (mean of PPV and NPV)"}


def render_card(template: str, **facts: Any) -> str:
    """The whole card as Markdown.

    template: the file ``<template>.md.j2`` beside this module. facts: what it speaks of: ``document`` (`bundle.json` without
    its file table), ``files`` (that table), and what its system adds: ``dataset`` (the run's ``dataset.json``; {} for an
    import), ``data_terms`` (see `data_terms`), ``extra_text`` (Markdown for the section on data), ``recipe``.
    """
    return _ENVIRONMENT.get_template(f"{template}.md.j2").render(facts)


def with_files(card: str, files: Mapping[str, Any]) -> str:
    """A card whose table of files lists these in the place of those that it listed; as it is where it has no such table."""
    table = _ENVIRONMENT.get_template("shared/files.md.j2").render(files=files)
    return _FILES.sub(lambda _: table.rstrip("\n") + "\n", card, count=1)


def _interval(entry: Mapping[str, Any] | None, digits: int = 3, **how: bool) -> str:
    return "undefined" if entry is None else interval_text(entry, digits, **how)


def _cell(value: Any) -> str:
    """A value as it may stand in a table: bars would end its cell."""
    return str(value).replace("|", "\\|")


def _prefixed(name: str, prefix: str) -> str:
    return f"{prefix}{name}"


def _numbered(values: Mapping[str, int]) -> str:
    return "; ".join(f"{name} ({number:,})" for name, number in values.items()) or "not stated in the data folder"


def _measured_parts(figures: Mapping[str, Mapping], first: Iterable[str]) -> dict[str, Mapping]:
    """The metrics of every part of a classifier's figures that has some, those named first at the front."""
    return {name: figures[name]["metrics"] for name in [*first, *figures] if figures.get(name, {}).get("metrics")}


def _intervals(figures: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, Mapping]]:
    """Every ``{value, low, high}`` of nested figures, by the metric's name in the grammar of metrics."""
    if not isinstance(figures, Mapping):
        return
    if {"value", "low", "high"} <= set(figures):
        yield f"{place[-1]}:{place[-2]}" if PER_CLASS in place[:-1] else place[-1], figures
        return
    for name, inner in figures.items():
        yield from _intervals(inner, (*place, str(name)))


def _metric_row(metric: str) -> str:
    """A metric at the head of its row, with what a reader needs to know of it."""
    return metric_words(metric) + REMARKS.get(metric.partition(":")[0], "")


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), undefined=StrictUndefined, autoescape=False,
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip
_ENVIRONMENT.filters |= {
    "variant_meaning": variant_meaning,
    "interval": _interval, "cell": _cell, "thousands": "{:,}".format, "numbered": _numbered,
    "prefixed": _prefixed,
    "measured_parts": _measured_parts, "intervals": _intervals, "metric": metric_words, "metric_row": _metric_row,
}  # fmt: skip
