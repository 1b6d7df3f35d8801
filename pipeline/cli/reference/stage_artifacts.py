"""The part of docs/outputs.md that says what the stages write: their declarations, under every shipped configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.engine.config import RunConfig, load_run_config
from pipeline.engine.contract import Artifact, Stage

# What no shipped configuration asks for, and a stage can write all the same.
MORE = (
    ("demo.yaml", ("s04.variants=[plain,inverted,original]",)),
    ("demo_unet.yaml", ("s07.tensorboard=true",)),
    ("demo_vision_text.yaml", ("s09.encoder.finetune_layers=1", "s09.repeats=2", "s09.fusions=[gated]")),
)
# Names that follow from the configuration, and the word that stands for them.
PLACES = (
    (r"backbone_(?!features)\w*<profile>\w*", "backbone_<key>"),
    (r"(xray|ct)_(task|shared)", "<embedder>"),
    (r"(?<![a-z])(xray|ct|paired)(?![a-z])", "<modality>"),
    (r"(?<![a-z])(plain|adversarial|erased|inverted|original)(?=[_.]| shared| variant)", "<variant>"),
)


@dataclass(frozen=True)
class Row:
    """A line of a stage's table. files: those that are alike."""

    files: tuple[str, ...]
    shape: tuple[str, ...]
    dtype: str
    unit: str
    meaning: str


def stage_tables(stages: Sequence[Stage], configs: Path) -> str:
    """A table a stage, in Markdown. configs: the folder of the shipped configurations."""
    shipped = [(path.name, ()) for path in sorted(configs.glob("*.yaml"))]
    runs = [load_run_config(configs / name, stages, overrides) for name, overrides in (*shipped, *MORE)]
    return "\n".join(line for stage in stages for line in _table(stage, runs))


def _table(stage: Stage, runs: Sequence[RunConfig]) -> Iterator[str]:
    found: dict[str, Row] = {}
    for run in runs:
        for artifact in stage.outputs(run.stages[stage.id]) if stage.id in run.stages else ():
            row = _row(artifact, run)
            (file,) = row.files
            found[file] = _shared(found[file], row) if file in found else row
    yield from [f"### {stage.id} {stage.summary}", "", "| file | meaning | shape, type |", "|---|---|---|"]
    for row in _joined(found.values()):
        size = f"`{' × '.join(row.shape)}`, {row.dtype}" if row.shape else ""
        meaning = f"{row.meaning} ({row.unit})" if row.unit else row.meaning
        yield f"| {', '.join(f'`{file}`' for file in row.files)} | {_cell(meaning)} | {size} |"
    yield ""


def _row(artifact: Artifact, run: RunConfig) -> Row:
    def general(text: str) -> str:
        for name in sorted(run.raw["s01"]["profiles"], key=len, reverse=True):
            text = re.sub(rf"(?<![a-z]){re.escape(name)}(?![a-z])", "<profile>", text)
        for pattern, place in PLACES:
            text = re.sub(pattern, place, text)
        return text

    shape = tuple(general(str(size)) for size in artifact.shape or ())
    return Row((general(artifact.file),), shape, artifact.dtype or "", artifact.unit, general(artifact.meaning))


def _shared(one: Row, other: Row) -> Row:
    """What two configurations' rows of a file have in common: sizes, n where they differ, and clauses of the meaning."""
    shape = tuple(a if a == b else "n" for a, b in zip(one.shape, other.shape, strict=True))
    clauses = os.path.commonprefix([re.split("(?=[,:])", row.meaning) for row in (one, other)])
    return replace(one, shape=shape, meaning="".join(clauses))


def _joined(rows: Iterable[Row]) -> list[Row]:
    """Files of which the same is said share a line."""
    lines: dict[tuple, Row] = {}
    for row in rows:
        key = (row.shape, row.dtype, row.unit, row.meaning)
        lines[key] = replace(row, files=(*lines[key].files, *row.files)) if key in lines else row
    return list(lines.values())


def _cell(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "\\|")
