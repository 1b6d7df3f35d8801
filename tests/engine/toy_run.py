"""The toy pipeline's command line; TOY_KILL kills it around the renames of a commit."""

from __future__ import annotations

from pathlib import Path

from toy_stages import STAGES, reach

from pipeline.cli.app import main

replace = Path.replace


def replace_or_die(self: Path, target: Path) -> Path:
    leaving = Path(target).name == "s02_scale.old"
    arriving = self.parent.name == ".staging" and self.name == "s02_scale"
    if leaving:
        reach("before the renames")
    moved = replace(self, target)
    if leaving:
        reach("between the renames")
    if arriving:
        reach("after the renames")
    return moved


Path.replace = replace_or_die  # type: ignore[method-assign]
raise SystemExit(main(STAGES))
