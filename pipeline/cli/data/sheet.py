"""`data sheet`: the sample sheet of two named files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.telling.document import AsJson, tell
from pipeline.data.inspection.sample_sheet import sample_sheet
from pipeline.data.reading.gray_reader import read_gray
from pipeline.engine.errors import UsageError
from pipeline.engine.extras import require
from pipeline.engine.files import atomic_write_bytes
from pipeline.engine.outputs import prepare_output, refuse_overwriting
from pipeline.evaluation.output_folder import png_of


def sheet(
    out: Annotated[Path, typer.Option("--out", help="Folder for a picture a family, or one .png for all.")],
    xray: Annotated[Path | None, typer.Option("--xray", help="A chest X-ray.")] = None,
    ct: Annotated[Path | None, typer.Option("--ct", help="A CT slice.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw what thresholds, blurs, morphology, edges and histogram equalisation do to an X-ray, a CT slice or both."""
    given = {name: path for name, path in (("xray", xray), ("ct", ct)) if path is not None}
    if not given:
        raise UsageError("A sample sheet of what?", "Give --xray FILE, --ct FILE or both.")
    require("matplotlib")
    one = out.suffix.lower() == ".png"
    read = {name: read_gray(path) for name, path in given.items()}
    pictures = {family: png_of(figure) for family, figure in sample_sheet(**read).items()}
    files = {out: _stacked(pictures)} if one else {out / f"sample_sheet_{name}.png": data for name, data in pictures.items()}
    refuse_overwriting(files, given.values())
    for path, content in files.items():
        prepare_output(path)
        atomic_write_bytes(path, content)
    written = [str(path) for path in files]
    tell(as_json, {"files": written}, "\n".join(written), indent=None)


def _stacked(pictures: dict[str, bytes]) -> bytes:
    """The families' pictures below each other, on white, as one PNG."""
    import cv2
    import numpy as np

    read = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in pictures.values()]
    width = max(picture.shape[1] for picture in read)
    rows = [np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=255) for picture in read]
    return bytes(cv2.imencode(".png", np.vstack(rows))[1].tobytes())
