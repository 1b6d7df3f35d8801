"""What `compare` reads of finished runs: their arms, by the artifacts that they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.engine.errors import DataError
from pipeline.engine.rundir import RunDirectory
from pipeline.evaluation.tables.alignment import keep_shared_rows
from pipeline.evaluation.tables.csv_tables import OUT_OF_FOLD
from pipeline.evaluation.tables.resplits import Resplits, out_of_fold_resplits
from pipeline.evaluation.tables.rows import Arms, Rows


@dataclass(frozen=True)
class RunArms:
    """The arms of one run.

    levels: name -> what reads arm -> modality -> rows, the best first; several runs are compared by the best that all
    have. An arm "" is the run itself. said: level -> a sentence where it is less than the best. heading: what people read
    above the comparison of this run alone. warnings: of the run's data. controls: modalities that are not tested; drawn:
    modalities whose rows are drawn, and compared only where they were drawn alike. folds: modality -> {id: fold} of rows
    judged out of fold. document, files: artifacts of the comparison that the run has made itself. chosen: the arm that
    validation chose.
    """

    levels: Mapping[str, Callable[[], Arms]]
    said: Mapping[str, str] = field(default_factory=dict)
    heading: str = ""
    warnings: Sequence[str] = ()
    controls: Sequence[str] = ()
    drawn: Sequence[str] = ()
    folds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    document: str | None = None
    files: Sequence[str] = ()
    chosen: str | None = None


@dataclass(frozen=True)
class JoinedArms:
    """The arms of a comparison, aligned, with what belongs to it."""

    arms: Arms
    warnings: list[str]
    controls: tuple[str, ...] = ()
    resplits: Resplits | None = None


def joined_runs(runs: Mapping[str, RunArms]) -> JoinedArms:
    """The arms of runs by "<run>/<arm>", "<run>" where a run is one arm, "<arm>" where there is one run.

    Rows that not every arm has are left out, and so are modalities drawn differently, with a sentence each. Where all
    were judged out of fold in the same folds, the resplits are these folds. Raises DataError where nothing is shared.
    """
    level = next(name for name in next(iter(runs.values())).levels if all(name in run.levels for run in runs.values()))
    arms: Arms = {}
    notes = []
    for name, run in runs.items():
        if level in run.said:
            notes.append(f"{name}: {run.said[level]}")
        notes += [sentence if len(runs) == 1 else f"{name}: {sentence}" for sentence in run.warnings]
        for arm, tables in run.levels[level]().items():
            arms[arm if len(runs) == 1 and arm else "/".join(filter(None, [name, arm]))] = tables
    first = next(iter(runs.values()))
    if len(runs) > 1:
        notes += keep_shared_rows(arms, tuple(first.drawn))
    resplits, note = _shared_folds(runs, arms)
    return JoinedArms(arms, [*notes, *([note] if note else [])], tuple(first.controls), resplits)


def _shared_folds(runs: Mapping[str, RunArms], arms: Arms) -> tuple[Resplits | None, str]:
    """The folds of the arms' rows as resplits; None, and why, where the runs do not have the same."""
    tables = {arm: mine[OUT_OF_FOLD] for arm, mine in arms.items() if isinstance(mine.get(OUT_OF_FOLD), Rows)}
    if len(tables) < len(arms) or not all(OUT_OF_FOLD in run.folds for run in runs.values()):
        return None, ""
    ids = next(iter(tables.values())).ids
    folds = [[run.folds[OUT_OF_FOLD].get(name, "") for name in ids] for run in runs.values()]
    if any(other != folds[0] for other in folds):
        return None, f"{OUT_OF_FOLD}: the runs have different folds, so no test is made over them"
    try:
        return out_of_fold_resplits(tables, folds[0], OUT_OF_FOLD), ""
    except DataError as cause:
        return None, f"{OUT_OF_FOLD}: no test is made over the folds ({cause.message})"


def made_artifacts(run: RunDirectory, *beginnings: str) -> list[str]:
    """The names of a run's artifacts that begin so."""
    return sorted(name for made in run.manifests.values() for name in made.outputs if name.startswith(beginnings))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Short names of run folders: their last parts, as many as tell them apart. Raises DataError for a folder named twice."""
    resolved = [path.resolve() for path in paths]
    for depth in range(1, max(len(path.parts) for path in resolved) + 1):
        names = ["/".join(path.parts[-depth:]) for path in resolved]
        if len(set(names)) == len(names):
            return names
    raise DataError(f"The run {resolved[0].name} is named twice.", "Name different run folders.")
