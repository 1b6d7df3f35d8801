"""`validate`: what pictures are, without anything else being done with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.asking.bundle_options import DeviceChoice, device_of, tell_placement
from pipeline.cli.choices import choices
from pipeline.cli.telling.document import AsJson, Quiet, tell
from pipeline.data.gate.kinds import KIND_WORDS
from pipeline.data.layouts.source_images import find_images
from pipeline.data.reading.scan_reader import decoding_apart, read_scan
from pipeline.data.scans import MODALITIES, XRAY
from pipeline.engine.errors import DataError
from pipeline.engine.progress import Reporter
from pipeline.inference.gate.gate import Gate, open_gate
from pipeline.inference.gate.judgement import UNREADABLE, judgement, unreadable

Modality = choices("Modality", MODALITIES)


def validate(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of them.")],
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="A bundle whose own scans are the measure; the shipped gate, pretrained/gate, by default."),
    ] = None,
    modality: Annotated[Modality | None, typer.Option("--modality", help="What they should be; xray by default.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let the nine simple checks refuse images too.")] = False,
    device: DeviceChoice = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Tell chest X-rays from CT slices, photographs, drawings and other pictures.

    The learned gate decides; nine simple checks, made for X-rays, are reported beside it. An image that is refused or cannot be
    read is named and counted, and the rest go on. The command fails (exit code 4) only where no image is valid.
    """
    reporter, wanted = Reporter(quiet or as_json), modality.value if modality is not None else XRAY
    paths = [image.path for image in find_images(images, warn=reporter.line)]
    gate = open_gate(bundle, device_of(device))
    with decoding_apart(len(paths) > 1):
        judged = [_judge(gate, path, wanted, strict) for path in reporter.track(paths, len(paths), "images")]
    valid = sum(answer["valid"] for answer in judged)
    tell(as_json, [answer | gate.placement for answer in judged], lambda: _words(judged, valid))
    if not as_json:
        tell_placement(device, gate.placement)
    if not valid:
        mend = f"Give {KIND_WORDS[wanted]}, or say what they are with --modality."
        raise DataError(f"None of the {len(judged)} images is {KIND_WORDS[wanted]}.", mend)


def _judge(gate: Gate, path: Path, wanted: str, strict: bool) -> dict[str, Any]:
    try:
        told = judgement(gate, read_scan(path), wanted, strict)
    except DataError as error:
        told = unreadable(error)
    return {"path": str(path), **told}


def _words(judged: Sequence[dict[str, Any]], valid: int) -> str:
    lines = []
    for answer in judged:
        note = f"  ({answer['message']})" if answer["valid"] and answer["message"] else f"  {answer['message']}".rstrip()
        lines.append(f"{'valid  ' if answer['valid'] else 'refused'}  {answer['path']}{note}")
    unreadable = sum(UNREADABLE in answer["failed"] for answer in judged)
    refused = len(judged) - valid - unreadable
    return "\n".join([*lines, f"{len(judged)} images: {valid} valid, {refused} refused, {unreadable} unreadable."])
