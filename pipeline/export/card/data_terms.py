"""Where a run's scans come from and under which terms, as its data folder's manifest states them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from urllib.parse import urlparse

from pipeline.engine.record import read_record
from pipeline.export.checked_run import CheckedRun

UNSTATED = "not stated"
NAMED_ORIGINS = 6


def data_terms(source: CheckedRun) -> list[dict]:
    """One entry a source and modality of the run's scans.

    ``{"source", "modality", "scans", "patients", "licences": {licence: scans}, "origins": {origin: scans}}``;
    licences and origins are those of the manifest's columns ``license`` and ``origin``, an address being cut to its
    host, and are empty where the folder or the columns are not there any more.
    """
    terms = _manifest_rows(source)
    entries: dict[tuple[str, str], dict] = {}
    with source.artifact("scan_index").open(newline="", encoding="utf-8") as stream:
        for scan in csv.DictReader(stream):
            key = (scan["source"], scan["modality"])
            entry = entries.setdefault(key, {"scans": 0, "patients": set(), "licences": Counter(), "origins": Counter()})
            entry["scans"] += 1
            entry["patients"].add(scan["patient_id"] or scan["id"])
            row = terms.get(scan["id"], {})
            if "license" in row:
                entry["licences"][row["license"].strip() or UNSTATED] += 1
            if "origin" in row:
                entry["origins"][_host(row["origin"])] += 1
    return [
        {"source": name, "modality": modality, "scans": entry["scans"], "patients": len(entry["patients"]),
         "licences": dict(entry["licences"].most_common()), "origins": _named(entry["origins"])}
        for (name, modality), entry in sorted(entries.items())
    ]  # fmt: skip


def _manifest_rows(source: CheckedRun) -> dict[str, dict[str, str]]:
    """The manifest's rows by image path; empty where the data folder is gone or has no manifest."""
    folder = read_record(source.path).get("data")
    settings = source.config.get("s01", {}).get("data", {})
    manifest = Path(folder) / settings.get("manifest", "manifest.csv") if folder else None
    if manifest is None or not manifest.is_file():
        return {}
    selection = settings.get("selection") or [{}]
    columns = {chosen.get("image_column", "image") for chosen in selection}
    with manifest.open(newline="", encoding="utf-8-sig") as stream:
        return {row[column]: row for row in csv.DictReader(stream) for column in columns if row.get(column)}


def _host(origin: str) -> str:
    host = urlparse(origin.strip()).netloc.removeprefix("www.")
    return host or origin.strip() or UNSTATED


def _named(origins: Counter) -> dict[str, int]:
    """The commonest origins by name, the others as one entry."""
    named = dict(origins.most_common(NAMED_ORIGINS))
    rest = len(origins) - len(named)
    return named | ({f"{rest} other places": sum(origins.values()) - sum(named.values())} if rest else {})
