"""`demo`: every system on generated scans, small: six stages with both variants, bundle, one diagnosis; the other three."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.data.phantom import write_phantoms
from pipeline.cli.demo.findings import findings_text, read_findings
from pipeline.cli.demo.systems import run_demo_systems
from pipeline.cli.telling.document import AsJson, BriefQuiet, tell
from pipeline.data.csv_rows import read_rows
from pipeline.engine.config import load_run_config
from pipeline.engine.contract import Stage
from pipeline.engine.errors import UsageError
from pipeline.engine.extras import require
from pipeline.engine.progress import Reporter
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import run_pipeline
from pipeline.engine.shipped_files import shipped
from pipeline.inference.gate.door import open_guarded
from pipeline.systems import system_of_run

CONFIG = Path("configs/demo.yaml")
PATIENTS = 96
PHANTOM_SEED = 11


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Run folder.")] = Path("runs/demo"),
    patients: Annotated[
        int | None, typer.Option("--patients", min=24, help=f"Generated patients [{PATIENTS}].")
    ] = None,
    quiet: BriefQuiet = False,
    as_json: AsJson = False,
) -> None:
    """Run the pipeline on generated scans and say what it found: minutes, nothing to download."""
    require("tensorflow")
    begun = time.monotonic()
    reporter = Reporter(quiet)
    phantoms = _phantoms(out / "phantoms", patients, reporter)
    _run_stages(context.obj, out, phantoms, reporter)
    run = RunDirectory(out)
    reporter.line(f"bundle: exporting the chosen variant to {out / 'bundle'}")
    bundle = system_of_run(run, None).load("exporter").of_run(out).write(out / "bundle")
    findings = read_findings(run)
    findings |= {
        "phantoms": str(phantoms),
        "bundle": str(bundle),
        "diagnosis": _diagnose(bundle, phantoms),
        "systems": run_demo_systems(context.obj, out, phantoms, reporter),
        "duration_s": round(time.monotonic() - begun, 1),
    }
    tell(as_json, findings, lambda: "\n" + findings_text(findings))


def _phantoms(folder: Path, patients: int | None, reporter: Reporter) -> Path:
    """The generated scans; those of an earlier demo are kept. A folder of phantoms is whole or not there."""
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        found = len({row["patient_id"] for row in read_rows(manifest)})
        if patients not in (None, found):
            raise UsageError(f"{folder} holds {found} patients already.", "Give another --out, or leave --patients away.")
        reporter.line(f"phantoms: {found} patients are there already")
        return folder
    count = patients or PATIENTS
    reporter.line(f"phantoms: generating {count} patients")
    write_phantoms(folder, count, PHANTOM_SEED, reporter)
    return folder


def _run_stages(stages: Sequence[Stage], out: Path, phantoms: Path, reporter: Reporter) -> None:
    config = CONFIG if CONFIG.is_file() else shipped(CONFIG)
    run_pipeline(load_run_config(config, stages), stages, out, phantoms, reporter=reporter)


def _diagnose(bundle: Path, phantoms: Path) -> dict[str, Any]:
    """One COVID patient of the test part: the patient's own X-ray and CT slice, through the gate and the run's bundle."""
    rows = [row for row in read_rows(phantoms / "manifest.csv") if row["split"] == "test" and row["label"] == "COVID"]
    patient = rows[0]["patient_id"]
    scans = {row["modality"]: phantoms / row["image"] for row in rows if row["patient_id"] == patient}
    opened = open_guarded(bundle)
    return {
        "patient_id": patient,
        "label": "COVID",
        "positive_class": opened.manifest.positive_class,
        "xray": str(scans["xray"]),
        "ct": str(scans["ct"]),
        "answers": [finding.to_dict() for finding in opened.answer(**scans).findings],
    }
