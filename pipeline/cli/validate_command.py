"""`validate`: whether pictures are chest X-rays, without anything else being done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.asking.bundle_options import DeviceChoice, device_of, tell_placement
from pipeline.cli.bundle_source import find_bundle
from pipeline.cli.telling.document import AsJson, Quiet, tell
from pipeline.data.layouts.source_images import find_images
from pipeline.data.reading.colour_reader import read_gray_and_colour
from pipeline.engine.errors import DataError
from pipeline.engine.progress import Reporter
from pipeline.inference.gate.xray_gate import XrayGate, load_gate
from pipeline.systems import default_bundle

UNREADABLE = "readable"
# The command whose bundles come with a gate.
GATED = "segment"


def validate(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of them.")],
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help=f"The bundle with the gate; {default_bundle(GATED)} by default.")
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
    reporter = Reporter(quiet or as_json)
    paths = [image.path for image in find_images(images, warn=reporter.line)]
    gate = load_gate(find_bundle(bundle, None, reporter, GATED), device_of(device))
    judged = [_judge(gate, path, strict) for path in reporter.track(paths, len(paths), "images")]
    valid = sum(answer["valid"] for answer in judged)
    tell(as_json, [answer | gate.placement for answer in judged], lambda: _words(judged, valid))
    if not as_json:
        tell_placement(device, gate.placement)
    if not valid:
        raise DataError(f"None of the {len(judged)} images is a chest X-ray.", "Give frontal chest X-rays.")


def _judge(gate: XrayGate, path: Path, strict: bool) -> dict[str, Any]:
    try:
        gray, colour = read_gray_and_colour(path)
    except DataError as error:
        return {"path": str(path), "valid": False, "failed": [UNREADABLE], "message": str(error), "checks": {}}
    return {"path": str(path), **asdict(gate.judge(gray, colour, strict=strict))}


def _words(judged: Sequence[dict[str, Any]], valid: int) -> str:
    lines = []
    for answer in judged:
        note = f"  ({answer['message']})" if answer["valid"] and answer["message"] else f"  {answer['message']}".rstrip()
        lines.append(f"{'valid  ' if answer['valid'] else 'refused'}  {answer['path']}{note}")
    unreadable = sum(UNREADABLE in answer["failed"] for answer in judged)
    refused = len(judged) - valid - unreadable
    return "\n".join([*lines, f"{len(judged)} images: {valid} valid, {refused} refused, {unreadable} unreadable."])
