"""`validate`: whether pictures are chest X-rays, without anything else being done with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.asking.bundle_options import AsJson, DeviceChoice, Quiet, device_of, tell_placement
from pipeline.engine.errors import DataError
from pipeline.engine.progress import Reporter

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage
    from pipeline.inference.gate.xray_gate import XrayGate

UNREADABLE = "readable"
# The command whose bundles come with a gate.
GATED = "segment"


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Adds `validate`."""
    app.command("validate")(_validate)


def _validate(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of them.")],
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="The bundle with the gate; the shipped segmenter's by default.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let the nine simple checks refuse images too.")] = False,
    device: DeviceChoice = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Tell chest X-rays from CT slices, photographs, drawings and other pictures.

    The learned gate decides; nine simple checks are reported beside it. An image that is refused or cannot be read is
    named and counted, and the rest go on. The command fails (exit code 4) only where no image is valid.
    """
    from pipeline.cli.bundle_source import find_bundle
    from pipeline.data.layouts.source_images import find_images
    from pipeline.inference.gate.xray_gate import load_gate

    reporter = Reporter(quiet or as_json)
    paths = [image.path for image in find_images(images)]
    gate = load_gate(find_bundle(bundle, None, reporter, GATED), device_of(device))
    judged = [_judge(gate, path, strict) for path in reporter.track(paths, len(paths), "images")]
    valid = sum(answer["valid"] for answer in judged)
    if as_json:
        typer.echo(json.dumps([answer | gate.placement for answer in judged], indent=2, ensure_ascii=False))
    else:
        _show(judged, valid)
        tell_placement(device, gate.placement)
    if not valid:
        raise DataError(f"None of the {len(judged)} images is a chest X-ray.", "Give frontal chest X-rays.")


def _judge(gate: XrayGate, path: Path, strict: bool) -> dict[str, Any]:
    from pipeline.data.reading.colour_reader import read_gray_and_colour

    try:
        gray, colour = read_gray_and_colour(path)
    except DataError as error:
        return {"path": str(path), "valid": False, "failed": [UNREADABLE], "message": str(error), "checks": {}}
    return {"path": str(path), **asdict(gate.judge(gray, colour, strict=strict))}


def _show(judged: Sequence[dict[str, Any]], valid: int) -> None:
    for answer in judged:
        note = f"  ({answer['message']})" if answer["valid"] and answer["message"] else f"  {answer['message']}".rstrip()
        typer.echo(f"{'valid  ' if answer['valid'] else 'refused'}  {answer['path']}{note}")
    unreadable = sum(UNREADABLE in answer["failed"] for answer in judged)
    refused = len(judged) - valid - unreadable
    typer.echo(f"{len(judged)} images: {valid} valid, {refused} refused, {unreadable} unreadable.")
