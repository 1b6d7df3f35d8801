"""Runs a selection of stages: refuses before any work, then runs or skips each one and commits it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.engine.arrays import read_layout
from pipeline.engine.commit import SCRATCH_NAME, Staging, discard_scratch, recover, storage_error
from pipeline.engine.config import RunConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Stage
from pipeline.engine.errors import ContractError
from pipeline.engine.files import remove_folder
from pipeline.engine.hash_cache import HashCache
from pipeline.engine.inspection import Inspector
from pipeline.engine.invocation import Invocation
from pipeline.engine.lock import run_lock
from pipeline.engine.manifest import Manifest, Output, describe_output, package_versions, read_manifest
from pipeline.engine.outputs import refuse_inside
from pipeline.engine.planner import Planner
from pipeline.engine.progress import Reporter
from pipeline.engine.record import data_folder, write_record
from pipeline.engine.wiring import WiredStage, wire

CACHE_FILE = ".cache/hashes.sqlite"


@dataclass(frozen=True)
class StageOutcome:
    """What happened to one selected stage."""

    name: str
    action: Literal["ran", "skipped"]
    reason: str
    duration_s: float


@dataclass(frozen=True)
class _Run:
    """What the stages of one call share."""

    run_dir: Path
    data: Path | None
    flags: frozenset[str]
    inspector: Inspector
    cache: HashCache
    reporter: Reporter


def run_pipeline(
    config: RunConfig,
    stages: Sequence[Stage],
    run_dir: Path | str,
    data: Path | str | None = None,
    first: str | None = None,
    last: str | None = None,
    only: str | Sequence[str] | None = None,
    force: bool = False,
    flags: frozenset[str] = frozenset(),
    reporter: Reporter | None = None,
) -> list[StageOutcome]:
    """Run the selected stages of `config` in the folder `run_dir` and return what was done.

    Without `data`, the folder recorded by the last call is used. Raises MissingArtifactError,
    StaleArtifactError or CorruptArtifactError before any work where the selection rests on
    something that is gone, outdated or edited; RunLockedError; StorageError; ConfigError; and
    whatever a stage raises.
    """
    run_dir = Path(run_dir)
    wiring = wire(config, stages)
    selection = wiring.select(first, last, only)
    reporter = reporter or Reporter(quiet=True)
    folder = data_folder(data, run_dir)
    refuse_inside([run_dir], [folder])
    invocation = Invocation(run_dir, config.source, folder, config.overrides, flags)
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        with run_lock(run_dir), HashCache(run_dir / CACHE_FILE) as cache:
            for name in recover(run_dir):
                reporter.line(f"{name}: committed by the interrupted run before this one")
            inspector = Inspector(wiring, config, run_dir, folder, cache)
            planner = Planner(inspector, selection, force, invocation)
            for step in planner.plan():
                if step.error is not None:
                    raise step.error
            for warning in planner.unchecked():
                reporter.line(f"warning: {warning}")
            write_record(run_dir, config, wiring, invocation)
            run = _Run(run_dir, folder, flags, inspector, cache, reporter)
            return [_carry_out(run, planner, item) for item in selection]
    except OSError as error:
        if error.filename is not None and Path(error.filename).is_relative_to(run_dir):
            raise storage_error(error, run_dir) from error
        raise


def _carry_out(run: _Run, planner: Planner, item: WiredStage) -> StageOutcome:
    step = planner.decide(item)
    if step.error is not None:
        raise step.error
    if step.action == "skip":
        _discard_finished_scratch(run, item)
        run.reporter.line(f"{item.name}: skipped, {step.reason}")
        return StageOutcome(item.name, "skipped", step.reason, 0.0)
    run.reporter.line(f"{item.name}: running, {step.reason}")
    begun = time.monotonic()
    _execute(run, item)
    duration = time.monotonic() - begun
    run.reporter.line(f"{item.name}: done in {duration:.1f} s")
    return StageOutcome(item.name, "ran", step.reason, duration)


def _execute(run: _Run, item: WiredStage) -> None:
    begun = time.monotonic()
    draft = _draft_manifest(run, item)
    staging = Staging(run.run_dir, item.name)
    with staging as folder:
        context = Context(
            config=item.config,
            seed=draft.seed,
            data=run.data,
            flags=run.flags,
            inputs=_input_paths(run, item),
            optional=item.absent,
            outputs=item.outputs,
            staging=folder,
            scratch=_scratch(run, draft),
            reporter=run.reporter,
        )
        item.stage.run(context)
        outputs = _collect(item, folder, context)
        _finished(draft, outputs, context, time.monotonic() - begun).write(folder)
        staging.commit()
    for output in outputs.values():
        for file, sha256 in output.files.items():
            run.cache.record(run.run_dir / item.name / file, sha256)
    discard_scratch(run.run_dir, item.name)
    run.inspector.forget()


def _draft_manifest(run: _Run, item: WiredStage) -> Manifest:
    """Return the manifest as far as it is known before the stage has run."""
    code = run.inspector.fingerprints.stage(item.stage)
    external = run.inspector.external(item.name)
    return Manifest(
        stage=item.name,
        config=item.config.model_dump(mode="json"),
        seed=run.inspector.seed(item.name),
        code=code.sha256,
        modules=dict(code.modules),
        inputs=run.inspector.input_hashes(item),
        external=external.sha256,
        external_count=external.count,
        outputs={},
        duration_s=0.0,
        flags=sorted(run.flags),
    )


def _finished(draft: Manifest, outputs: dict[str, Output], context: Context, duration_s: float) -> Manifest:
    known = {name: getattr(draft, name) for name in ("stage", "config", "seed", "code", "modules", "inputs")}
    return Manifest(
        **known,
        external=draft.external,
        external_count=draft.external_count,
        flags=draft.flags,
        outputs=outputs,
        duration_s=round(duration_s, 3),
        warnings=list(context.warnings),
        packages=package_versions(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _scratch(run: _Run, manifest: Manifest) -> Path:
    """Return a stage's scratch folder: another one for all that may change the stage's result."""
    parts = [manifest.config, manifest.seed, manifest.code, manifest.inputs, manifest.external]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    return run.run_dir / SCRATCH_NAME / f"{manifest.stage}-{key}"


def _discard_finished_scratch(run: _Run, item: WiredStage) -> None:
    """Remove what a process killed right after a commit left of the committed work."""
    manifest = run.inspector.state(item.name).manifest
    if manifest is not None:
        remove_folder(_scratch(run, manifest))


def _input_paths(run: _Run, item: WiredStage) -> dict[str, Path]:
    paths = {}
    for name, producer in item.producers.items():
        manifest = read_manifest(run.run_dir / producer)
        if manifest is not None and name in manifest.outputs:
            paths[name] = run.run_dir / producer / manifest.outputs[name].file
    return paths


def _collect(item: WiredStage, folder: Path, context: Context) -> dict[str, Output]:
    """Check that every declared output was written as declared, and nothing else; hash them."""
    for artifact in item.outputs.values():
        path = folder / artifact.file
        if not path.exists():
            raise ContractError(f"{item.name} ended without writing {artifact.name!r} ({artifact.file}).")
        if artifact.is_array:
            layout = read_layout(path)
            context.shapes.check(artifact, layout.shape, layout.dtype)
    outputs = {name: describe_output(folder, artifact) for name, artifact in item.outputs.items()}
    known = {file for output in outputs.values() for file in output.files}
    for file in sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()):
        if file not in known:
            raise ContractError(f"{item.name} wrote {file}, which it does not declare.")
    return outputs
