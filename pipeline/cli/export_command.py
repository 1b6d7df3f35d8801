"""`export`: a finished run, or a folder of the original's models, as a bundle."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.engine.errors import DataError, UsageError

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Add `export`."""

    @app.command("export")
    def export(
        out: Annotated[Path, typer.Option("--out", help="The bundle's folder; a bundle there is replaced.")],
        run: Annotated[Path | None, typer.Option("--run", help="A finished run's folder.")] = None,
        original: Annotated[
            Path | None, typer.Option("--original", help="Instead of a run: the original's folder of .h5 models.")
        ] = None,
        keras: Annotated[bool, typer.Option("--keras", help="Add the run's Keras networks (.weights.h5 and .json).")] = False,
        positive_index: Annotated[
            int | None,
            typer.Option("--positive-index", help="With --original: class number of COVID in its training [0]."),
        ] = None,
        card: Annotated[
            Path | None, typer.Option("--card", help="With --run: Markdown for the model card's section on data.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    ) -> None:
        """Write a bundle: ONNX graphs, preprocessing, class names, model card, hashes."""
        if (run is None) == (original is None):
            raise UsageError("Export what?", "Give --run DIR of a finished run, or --original DIR of foreign models; not both.")
        if original is not None and (keras or card is not None):
            raise UsageError("--keras and --card go with --run.", "An imported bundle has neither.")
        if run is not None and positive_index is not None:
            raise UsageError("--positive-index goes with --original.", "A run knows its positive class.")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if original is not None:
            from pipeline.export.original_bundle import import_original

            bundle = import_original(original, out, positive_index or 0)
        else:
            text = _read(card) if card is not None else ""
            from pipeline.export.bundle_writer import export_bundle

            bundle = export_bundle(run, out, keras, text)
        _report(bundle, as_json)


def _read(card: Path) -> str:
    try:
        return card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(f"{card}: cannot be read as text ({cause}).", "Give --card a Markdown file in UTF-8.") from cause


def _report(bundle: Path, as_json: bool) -> None:
    description = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    files, parity = description["files"], description["parity"]
    total = sum(entry["bytes"] for entry in files.values()) + (bundle / "bundle.json").stat().st_size
    if as_json:
        answer = {"bundle": bundle.as_posix(), "variant": description["variant"], "bytes": total, "files": files}
        answer["parity"] = parity
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for name, entry in files.items():
        typer.echo(f"{entry['bytes'] / 1e6:8.2f} MB  {name}")
    typer.echo(f"{total / 1e6:8.2f} MB  {bundle}: {description['variant']} variant")
    typer.echo(f"ONNX against Keras: largest difference {parity['keras_max_difference']:.1e} (limit {parity['limit']:.0e})")
    typer.echo(f"To use it: python run_pipeline.py predict --bundle {bundle} --xray FILE --ct FILE")
