"""A finished run told to MLflow: its configuration, figures with intervals, curves and pictures. Off unless asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.engine.errors import UsageError
from pipeline.engine.extras import brought_by_extra
from pipeline.engine.rundir import RunDirectory

SENT_SUFFIXES = frozenset({".png", ".md", ".json"})
# MLflow takes so many parameters, and so many metrics, a call.
PARAMETERS_A_CALL, METRICS_A_CALL = 100, 1000
_FORBIDDEN = re.compile(r"[^\w\-. :/]")


def track_run(run_dir: Path, tracking_uri: str, experiment: str = "respiratory-pipeline") -> str:
    """Record a run folder as one MLflow run; returns its id.

    Parameters are the configuration, flattened (`s08.fit.epochs`). Metrics are every {value, low, high} of the JSON
    artifacts, by artifact and place, and every list of numbers of a history, an epoch a step. Pictures, reports and
    JSON documents go along as files; arrays, weights and tables with patients do not leave the folder.

    tracking_uri: a server's address, or `sqlite:///mlflow.db`.

    Raises MissingArtifactError: no run; MissingPackageError: no MLflow; UsageError: an address that MLflow cannot record to.
    """
    run = RunDirectory(run_dir)
    with _recording_to(tracking_uri) as client:
        return _record(run, client, experiment)


def refuse_tracking(tracking_uri: str) -> None:
    """UsageError where MLflow cannot record to an address: asked before hours of training, not after them."""
    with _recording_to(tracking_uri) as client:
        client.search_experiments(max_results=1)


@contextmanager
def _recording_to(tracking_uri: str) -> Iterator[Any]:
    """MLflow's client, its own exceptions told as the project's."""
    with brought_by_extra():
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    try:
        yield MlflowClient(tracking_uri)
    except MlflowException as cause:
        raise UsageError(f"MLflow cannot record to {tracking_uri!r}: {str(cause).splitlines()[0]}",
                         "Give a server that answers, or a file: sqlite:///mlflow.db.") from cause  # fmt: skip


def _record(run: RunDirectory, client, experiment: str) -> str:
    from mlflow.entities import Metric, Param

    found = client.get_experiment_by_name(experiment)
    experiment_id = found.experiment_id if found else client.create_experiment(experiment)
    tracked = client.create_run(experiment_id, run_name=run.path.resolve().name)
    identity, started = tracked.info.run_id, tracked.info.start_time
    parameters = [Param(_name(key), str(value)[:6000]) for key, value in _flat(run.config)]
    metrics = [Metric(_name(key), value, started, step) for key, value, step in _numbers(run)]
    for start in range(0, len(parameters), PARAMETERS_A_CALL):
        client.log_batch(identity, params=parameters[start : start + PARAMETERS_A_CALL])
    for start in range(0, len(metrics), METRICS_A_CALL):
        client.log_batch(identity, metrics=metrics[start : start + METRICS_A_CALL])
    for stage, name in _files(run):
        client.log_artifact(identity, str(run.path / stage / name), stage)
    client.set_terminated(identity)
    return identity


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{place}.{key}" if place else str(key))
    else:
        yield place, value


def _numbers(run: RunDirectory) -> Iterator[tuple[str, float, int]]:
    """(name, value, step) of every figure and of every epoch that the run's JSON artifacts hold."""
    for manifest in run.manifests.values():
        for name, output in manifest.outputs.items():
            if output.file.endswith(".json"):
                yield from _figures(run.load_json(name), name)


def _figures(value: Any, place: str) -> Iterator[tuple[str, float, int]]:
    if not isinstance(value, Mapping):
        return
    if {"value", "low", "high"} <= set(value):
        for bound, end in (("value", ""), ("low", ".low"), ("high", ".high")):
            if isinstance(value[bound], int | float):
                yield place + end, float(value[bound]), 0
        return
    is_history = place.partition(".")[0].endswith("history")
    for key, inner in value.items():
        if is_history and isinstance(inner, list) and all(isinstance(x, int | float) for x in inner):
            yield from ((f"{place}.{key}", float(number), step) for step, number in enumerate(inner))
        else:
            yield from _figures(inner, f"{place}.{key}")


def _files(run: RunDirectory) -> Iterator[tuple[str, str]]:
    for stage, manifest in run.manifests.items():
        for output in manifest.outputs.values():
            if Path(output.file).suffix in SENT_SUFFIXES and (run.path / stage / output.file).is_file():
                yield stage, output.file


def _name(text: str) -> str:
    return _FORBIDDEN.sub("_", text)[:250]
