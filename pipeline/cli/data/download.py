"""`data download`: a public set, fetched through kagglehub."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.choices import choices
from pipeline.cli.telling.document import AsJson, tell
from pipeline.data.layouts.public_sets import fetch_failures
from pipeline.engine.errors import DataError
from pipeline.engine.extras import brought_by_extra

PUBLIC_SETS = {
    "radiography": "tawsifurrahman/covid19-radiography-database",
    "pneumonia": "paultimothymooney/chest-xray-pneumonia",
}
PublicSet = choices("PublicSet", PUBLIC_SETS)


def download(
    name: Annotated[PublicSet, typer.Argument(help="Which public set.")],
    as_json: AsJson = False,
) -> None:
    """Fetch a public set through kagglehub (needs internet) and print where it lies."""
    with brought_by_extra():
        import kagglehub
    handle = PUBLIC_SETS[name.value]
    try:
        place = kagglehub.dataset_download(handle)
    except fetch_failures() as cause:
        reason = (str(cause).splitlines() or [type(cause).__name__])[0][:160]
        raise DataError(
            f"{handle}: download failed ({reason}).",
            "Check the connection and the Kaggle credentials, or fetch it by hand and give --data.",
        ) from cause
    tell(as_json, {"set": name.value, "path": str(place)}, f"{name.value}: {place}", indent=None)
