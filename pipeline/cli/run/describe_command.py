"""`describe`: what a stage's settings mean, and what a configuration makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.run.commands import ConfigFile, Override
from pipeline.cli.run.description_text import print_description
from pipeline.cli.run.merged_text import merged_text
from pipeline.cli.run.tables import print_listing
from pipeline.cli.telling.document import AsJson, tell
from pipeline.engine.config import RunConfig, load_run_config
from pipeline.engine.contract import Stage
from pipeline.engine.description import describe_stage
from pipeline.engine.errors import UsageError, did_you_mean
from pipeline.engine.value_origins import value_origins


def describe(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[STAGE]", help="Such as s02.")] = None,
    config: ConfigFile = None,
    overrides: Override = None,
    everything: Annotated[bool, typer.Option("--all", help="Every stage.")] = False,
    augmentations: Annotated[
        bool, typer.Option("--augmentations", help="Draw what the stage's augmentation does to a scan.")
    ] = False,
    image: Annotated[Path | None, typer.Option("--image", help="The scan to draw; a generated one by default.")] = None,
    picture: Annotated[
        Path, typer.Option("--picture", help="Where --augmentations draws.")
    ] = Path("augmentations.png"),
    as_json: AsJson = False,
) -> None:
    """Show a stage's settings and artifacts, and with -c its values and where each was written.

    Without STAGE, the stages are listed, and with -c the whole configuration is shown.
    """
    if overrides and config is None:
        raise UsageError("--set needs the file that it changes.", "Give it with -c.")
    settings = load_run_config(config, context.obj, overrides or ()) if config is not None else None
    if augmentations:
        from pipeline.cli.run.augmentation_option import draw_augmentations

        stage = _find_stage(context.obj, name or "")
        typer.echo(f"{draw_augmentations(stage, settings.stages if settings else {}, picture, image)}")
        return
    if name is None and not everything:
        _show_whole(context.obj, settings, as_json)
        return
    stages = context.obj if everything else [_find_stage(context.obj, name or "")]
    described = [describe_stage(stage, settings) for stage in stages]
    tell(as_json, described if everything else described[0], lambda: _print_descriptions(described, settings))


def _show_whole(stages: Sequence[Stage], settings: RunConfig | None, as_json: bool) -> None:
    """The configuration, or without one the stages."""
    if settings is not None:
        tell(as_json, value_origins(settings), merged_text(settings))
        return
    listing = [{"name": stage.name, "summary": stage.summary} for stage in stages]
    tell(as_json, listing, lambda: print_listing(listing))


def _print_descriptions(described: Sequence[dict[str, Any]], settings: RunConfig | None) -> None:
    for number, description in enumerate(described):
        if number:
            typer.echo()
        print_description(description)
        if settings is not None and description["values"] is not None:
            typer.echo("\n" + merged_text(settings, [description["name"][:3]]))


def _find_stage(stages: Sequence[Stage], name: str) -> Stage:
    for stage in stages:
        if name in (stage.id, stage.name):
            return stage
    near = did_you_mean(name, [label for stage in stages for label in (stage.id, stage.name)])
    known = ", ".join(stage.id for stage in stages)
    raise UsageError(f"There is no stage {name!r}.{near}", f"Stages: {known}.")
