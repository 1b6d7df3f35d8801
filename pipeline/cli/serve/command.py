"""`serve`: bundles behind HTTP, until it is ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from pipeline.cli.asking.bundle_options import DeviceChoice, device_of
from pipeline.engine.contract import Stage
from pipeline.engine.errors import UsageError
from pipeline.engine.extras import require
from pipeline.inference.answers import CAUTION

# What the list of stages is called where it lies.
STAGES = "STAGES"


def serve(
    context: typer.Context,
    bundles: Annotated[
        list[Path] | None, typer.Option("--bundles", help="A bundle's folder, or a folder of bundles; those that come with the "
                                        "program by default. Once for each.")
    ] = None,
    runs: Annotated[
        list[Path] | None, typer.Option("--run", help="A run's folder: its stages, reports and figures are shown at /runs, "
                                        "beside the bundles. Where others reach the service it needs --keys. Once for each.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes, each with all models.")] = 1,
    threads: Annotated[
        int, typer.Option("--threads", min=0, help="Threads of a graph; 0: the cores, shared out among the workers.")
    ] = 0,
    answering: Annotated[int, typer.Option("--answering", min=1, help="Requests that a worker answers at once.")] = 2,
    waiting: Annotated[int, typer.Option("--waiting", min=0, help="Requests that wait for it; one more is refused (503).")] = 1,
    deadline: Annotated[float, typer.Option("--deadline", help="Seconds within which a request is answered or refused.")] = 30,
    request_mb: Annotated[float, typer.Option("--request-mb", help="MiB that one request may have.")] = 64,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="The file of the API keys' hashes; without one no key is asked for.")
    ] = None,
    new_key: Annotated[
        str | None, typer.Option("--new-key", help="Make a key of this name, print it this once, keep its hash, and end.")
    ] = None,
    without_keys: Annotated[bool, typer.Option("--without-keys", help="Listen on a public address without keys.")] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A name that the service is called by. Once for each.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option("--allow-origin", help="An origin whose pages may call it (CORS). Once for each.")
    ] = None,
    rate: Annotated[float, typer.Option("--rate", min=0, help="Requests a minute and worker of one client; 0: any number.")] = 0,
    grace: Annotated[float, typer.Option("--grace", help="Seconds that what was taken has for its end.")] = 30,
    device: DeviceChoice = None,
) -> None:
    """Answer over HTTP with bundles, until it is ended.

    Ctrl-C or a signal ends it, once what was taken is finished. A browser finds the page there, and /docs tells every call. On an
    address that others reach, API keys are needed. With --run alone the bundles that come with the program are served, too.
    """
    require("fastapi")
    if new_key is not None:
        _make_key(keys, new_key)
        return
    from pipeline.service.running.processes import serve as run
    from pipeline.service.running.processes import take_port
    from pipeline.service.runs.served_run import require_runs

    settings = _settings(
        bundles=tuple(bundles or ()), runs=tuple(runs or ()), stages=_place_of(context.obj) if runs else "",
        host=host, port=port, workers=workers, threads=threads, answering=answering,
        waiting=waiting, keys=keys, without_keys=without_keys, hosts=tuple(allow_host or ()),
        origins=tuple(allow_origin or ()), rate=rate, grace_s=grace, device=device_of(device),
        limits={"deadline_s": deadline, "request_mb": request_mb},
    )  # fmt: skip
    settings.require_safe()
    require_runs(settings.runs)
    listening = take_port(settings)
    name, taken = listening.getsockname()[:2]
    browsed = ", /runs shows the runs" if settings.runs else ""
    typer.echo(f"http://{f'[{name}]' if ':' in name else name}:{taken} for a browser; /docs tells every call{browsed}. {CAUTION}")
    run(settings, listening)


def _place_of(stages: Sequence[Stage]) -> str:
    """Where another process finds them: "module:attribute" of the module, or of a package above it, that the first lies in."""
    place = stages[0].run.__module__ if stages else ""
    while place and getattr(sys.modules.get(place), STAGES, None) is not stages:
        place = place.rpartition(".")[0]
    return f"{place}:{STAGES}" if place else ""


def _settings(**given: Any) -> Any:
    from pipeline.service.settings import ServiceSettings

    try:
        return ServiceSettings.model_validate(given)
    except ValidationError as cause:
        fault = cause.errors()[0]
        raise UsageError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}.", "See serve --help.") from cause


def _make_key(keys: Path | None, name: str) -> None:
    from pipeline.service.safety.keys import add_key

    if keys is None:
        raise UsageError("--new-key has no file to be kept in.", "Give --keys FILE.")
    typer.echo(add_key(keys, name))
    typer.echo(f"This is the only time that it is shown; {keys} keeps its hash.", err=True)
