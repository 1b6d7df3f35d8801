"""`run --search N`: the settings of a classifier's head, tried on validation before the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.cli.bundle_source import key_of_run
from pipeline.engine.config import RunConfig
from pipeline.engine.contract import Stage
from pipeline.engine.errors import UsageError
from pipeline.engine.files import write_json
from pipeline.engine.progress import Reporter
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import run_pipeline
from pipeline.training.classifier.hyperparameter_search import search_head, task_of_run

SECTION, FIRST = "s08", "s01"
RESULT = Path(".cache") / "search"


def searched_overrides(
    settings: RunConfig,
    stages: Sequence[Stage],
    folder: Path,
    data: Path | None,
    trials: int,
    flags: frozenset[str] = frozenset(),
    reporter: Reporter | None = None,
) -> list[str]:
    """Run s01, try `trials` settings of s08's head on its validation scans, and return the best as `--set` words.

    All trials stand in `<folder>/.cache/search/<key>/search.json`; the key is of the section, the seed and s01's artifacts, so
    that an interrupted search goes on and another one begins anew. Raises UsageError where the configuration has no s08,
    MissingPackageError where keras-tuner is not installed.
    """
    reporter = reporter or Reporter()
    config = settings.stages.get(SECTION)
    if config is None:
        raise UsageError("--search is for a classifier's head.", "Use a configuration with s08.")
    run_pipeline(settings, stages, folder, data, None, FIRST, None, False, flags, reporter)
    place = folder / RESULT / key_of_run(RunDirectory(folder), [config.model_dump_json(), str(settings.seed)], FIRST)
    found = search_head(task_of_run(folder, config, settings.seed, place, reporter.track), trials, place)
    write_json(place / "search.json", {
        "chosen_on": "validation", "monitor": config.fit.monitor, "higher_is_better": True, "trials": found.trials,
        "best": found.best,
    })  # fmt: skip
    reporter.line(f"search: best of {len(found.trials)} on validation: {' '.join(found.overrides(SECTION))}")
    return found.overrides(SECTION)
