"""``run.json``: the configuration, the data folder and the command of a run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.engine.config import RunConfig, build_run_config
from pipeline.engine.contract import Stage
from pipeline.engine.errors import CorruptArtifactError, DataError, MissingArtifactError, did_you_mean
from pipeline.engine.files import write_json
from pipeline.engine.invocation import Invocation, typed
from pipeline.engine.wiring import Wiring

RECORD_NAME = "run.json"


def write_record(run_dir: Path, config: RunConfig, wiring: Wiring, invocation: Invocation) -> None:
    """Record how the run was called, and which stage makes which artifact."""
    record = {
        "schema_version": 1,
        "config": config.raw,
        "config_file": str(config.source) if config.source else None,
        "overrides": list(config.overrides),
        "data": str(invocation.data) if invocation.data else None,
        "command": invocation.run(),
        "flags": sorted(invocation.flags),
        "stages": [{"name": item.name, "artifacts": sorted(item.outputs)} for item in wiring],
    }
    write_json(run_dir / RECORD_NAME, record)


def read_record(run_dir: Path) -> dict[str, Any]:
    """Return the record of a run folder. Raises MissingArtifactError, CorruptArtifactError."""
    path = run_dir / RECORD_NAME
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record["config"], dict) or not isinstance(record["stages"], list):
            raise ValueError("unknown layout")
        return record  # type: ignore[no-any-return]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingArtifactError(
            f"{run_dir} is not a run folder (it has no {RECORD_NAME}).",
            f"To make one: {typed(f'run -c configs/X.yaml --out {run_dir}')}",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        mend = f"Move it away and run again with -c and --out {run_dir}."
        raise CorruptArtifactError(f"{path} is not a run record ({error}).", mend) from error


def data_folder(given: Path | str | None, run_dir: Path) -> Path | None:
    """Return the data folder of a call: the one given, else the one recorded by the last call.

    Raises DataError where the one given does not exist.
    """
    if given is not None:
        folder = Path(given)
        if not folder.exists():
            near = did_you_mean(folder.name, [path.name for path in folder.parent.glob("*") if path.is_dir()])
            mend = "Give the folder of the scans with --data."
            raise DataError(f"There is no data folder {folder}.{near}", mend)
        return folder
    return recorded_data(run_dir)


def recorded_data(run_dir: Path | None) -> Path | None:
    """Return the data folder that a run was made from; None for no run, or one that names none."""
    if run_dir is None or not (run_dir / RECORD_NAME).is_file():
        return None
    data = read_record(run_dir).get("data")
    return Path(data) if data else None


def recorded_invocation(run_dir: Path, record: Mapping[str, Any]) -> Invocation:
    """How the run was last called, with the folder in which it lies now: it may have been moved or copied since.

    A configuration that is no longer there is left out, for the folder has it recorded; a data folder that is no longer there
    becomes the word DIR, to be filled in.
    """
    source, data = (Path(record[key]) if record.get(key) else None for key in ("config_file", "data"))
    there = source is not None and source.is_file()
    overrides = tuple(record.get("overrides", ())) if there else ()
    flags = record.get("flags", [flag for flag in ("allow-leakage",) if f"--{flag}" in record.get("command", "")])
    folder = data if data is None or data.exists() else Path("DIR")
    return Invocation(run_dir, source if there else None, folder, overrides, frozenset(flags))


def recorded_config(run_dir: Path, stages: Sequence[Stage]) -> RunConfig:
    """Return the configuration that the run folder was last run with."""
    record = read_record(run_dir)
    called = recorded_invocation(run_dir, record)
    return build_run_config(record["config"], stages, called.source, called.overrides, str(run_dir / RECORD_NAME))
