"""`run | plan | status | verify | accept`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.run import tables as run_tables
from pipeline.cli.run.ending import ending, ending_words
from pipeline.cli.run.merged_text import merged_text
from pipeline.cli.telling.document import AsJson, BriefQuiet, tell
from pipeline.engine.acceptance import accept_code
from pipeline.engine.config import RunConfig, load_run_config
from pipeline.engine.contract import Stage
from pipeline.engine.errors import UsageError
from pipeline.engine.extras import require
from pipeline.engine.progress import Reporter
from pipeline.engine.record import RECORD_NAME, recorded_config
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import run_pipeline
from pipeline.engine.survey import plan_run, survey_run
from pipeline.engine.value_origins import value_origins
from pipeline.engine.verification import verification_error, verify_run
from pipeline.systems import System, systems_of_run

RUNS_FOLDER = Path("runs")

ConfigFile = Annotated[Path | None, typer.Option("-c", "--config", help="The run's YAML file.")]
DataFolder = Annotated[Path | None, typer.Option("--data", help="Folder of the scans; never written to.")]
RunFolder = Annotated[Path | None, typer.Option("--out", "--run", help="Run folder [runs/NAME of the file].")]
First = Annotated[str | None, typer.Option("--from", help="First stage, such as s02.")]
Last = Annotated[str | None, typer.Option("--to", help="Last stage.")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Just this stage; may be repeated.")]
Override = Annotated[list[str] | None, typer.Option("--set", help="A key set over the file: s04.fit.epochs=20.")]
Force = Annotated[bool, typer.Option("--force", help="Run the selected stages again, changed or not.")]
Leakage = Annotated[bool, typer.Option("--allow-leakage", help="Go on with equal scans on both sides.")]


def run(
    context: typer.Context,
    config: ConfigFile = None,
    data: DataFolder = None,
    out: RunFolder = None,
    first: First = None,
    last: Last = None,
    only: Only = None,
    overrides: Override = None,
    force: Force = False,
    allow_leakage: Leakage = False,
    search: Annotated[
        int | None, typer.Option("--search", min=1, help="First try that many settings of s08's head, by keras-tuner.")
    ] = None,
    track: Annotated[str | None, typer.Option("--track", help="Afterwards log the run to this MLflow address.")] = None,
    quiet: BriefQuiet = False,
    as_json: AsJson = False,
) -> None:
    """Run the stages that are not up to date.

    It ends with the reports, the figures and the commands that come next.
    """
    for module in ("tensorflow", *(["keras_tuner"] if search is not None else []), *(["mlflow"] if track is not None else [])):
        require(module)
    stages, flags, reporter = context.obj, _flags(allow_leakage), Reporter(quiet)
    settings, folder = _resolve(stages, config, out, overrides)
    if track is not None:
        from pipeline.training.experiment_tracking import refuse_tracking, track_run

        refuse_tracking(track)
    if search is not None:
        from pipeline.cli.run.search_option import searched_overrides

        found = searched_overrides(settings, stages, folder, data, search, flags, reporter)
        settings, folder = _resolve(stages, config, out, [*(overrides or []), *found])
    outcomes = run_pipeline(settings, stages, folder, data, first, last, only, force, flags, reporter)
    document = ending(settings, stages, folder, data, flags, outcomes)
    if track is not None:
        document["mlflow_run"] = track_run(folder, track)
    tell(as_json, document, lambda: ending_words(document))


def plan(
    context: typer.Context,
    config: ConfigFile = None,
    data: DataFolder = None,
    out: RunFolder = None,
    first: First = None,
    last: Last = None,
    only: Only = None,
    overrides: Override = None,
    force: Force = False,
    allow_leakage: Leakage = False,
    steps_only: Annotated[bool, typer.Option("--steps", help="Leave out the configuration.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what `run` would do, and why; nothing is done.

    With -c the configuration comes first, its bases merged, and beside each value where it was written.
    """
    settings, folder = _resolve(context.obj, config, out, overrides)
    steps = plan_run(settings, context.obj, folder, data, first, last, only, force, _flags(allow_leakage))
    if config is not None and not (steps_only or as_json):
        typer.echo(merged_text(settings) + "\n")
    document = [run_tables.step_record(step) | {"settings": value_origins(settings, [step.name[:3]])} for step in steps]
    tell(as_json, document, lambda: run_tables.print_steps(steps))


def status(
    context: typer.Context,
    out: RunFolder = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    overrides: Override = None,
    as_json: AsJson = False,
) -> None:
    """Show each stage's state, and which systems the run holds.

    It is compared with the code, and with -c or else the configuration that the run had.
    """
    settings, folder = _resolve(context.obj, config, out, overrides)
    surveys = survey_run(settings, context.obj, folder, data)
    held = _systems_by_stage(folder)
    rows = [asdict(survey) | {"system": held[survey.stage].name if survey.stage in held else None} for survey in surveys]
    tell(as_json, rows, lambda: run_tables.print_surveys(surveys, folder, held.values()))


def verify(out: RunFolder = None, quiet: BriefQuiet = False, as_json: AsJson = False) -> None:
    """Read every artifact again and compare it with its hash."""
    folder = _existing(out)
    checks = verify_run(folder, Reporter(quiet or as_json))
    tell(as_json, [asdict(check) for check in checks], lambda: run_tables.print_checks(checks))
    error = verification_error(folder, checks)
    if error is not None:
        raise error


def accept(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="STAGE...", help="Such as s02.")],
    reason: Annotated[str, typer.Option("--reason", help="Why the edit changes no result.")],
    out: RunFolder = None,
    config: ConfigFile = None,
) -> None:
    """Keep artifacts although their code was edited.

    The reason goes into the stage's manifest.
    """
    settings, folder = _resolve(context.obj, config, out, None)
    for name in accept_code(settings, context.obj, folder, names, reason):
        typer.echo(f"{name}: accepted")


def _resolve(
    stages: Sequence[Stage], config: Path | None, out: Path | None, overrides: list[str] | None
) -> tuple[RunConfig, Path]:
    """Return the configuration and the run folder: from the file, or from the folder's own record."""
    if config is not None:
        return load_run_config(config, stages, overrides or ()), out or RUNS_FOLDER / config.stem
    if overrides:
        raise UsageError("--set needs the file that it changes.", "Give it with -c.")
    folder = _existing(out)
    return recorded_config(folder, stages), folder


def _systems_by_stage(folder: Path) -> dict[str, System]:
    """The systems that a run holds, by the stage that made what tells them; {} where there is no run yet."""
    if not (folder / RECORD_NAME).is_file():
        return {}
    run = RunDirectory(folder)
    told = {system.told_by: system for system in systems_of_run(run)}
    return {stage: told[name] for stage, manifest in run.manifests.items() for name in manifest.outputs if name in told}


def _existing(out: Path | None) -> Path:
    if out is not None:
        return out
    found = sorted(str(path.parent) for path in RUNS_FOLDER.glob(f"*/{RECORD_NAME}"))
    if len(found) == 1:
        return Path(found[0])
    here = f"Runs here: {', '.join(found)}." if found else "To make one: run -c configs/X.yaml"
    raise UsageError("Which run? Give its folder with --run, or a configuration with -c.", here)


def _flags(allow_leakage: bool) -> frozenset[str]:
    return frozenset({"allow-leakage"}) if allow_leakage else frozenset()
