"""Re-stamps a stage whose code changed without changing what it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.engine.config import RunConfig
from pipeline.engine.contract import Stage
from pipeline.engine.errors import MissingArtifactError, UsageError
from pipeline.engine.fingerprint import Fingerprinter
from pipeline.engine.hash_cache import HashCache
from pipeline.engine.lock import run_lock
from pipeline.engine.manifest import Manifest, read_manifest
from pipeline.engine.runner import CACHE_FILE
from pipeline.engine.wiring import WiredStage, wire


def accept_code(
    config: RunConfig, stages: Sequence[Stage], run_dir: Path, names: Sequence[str], reason: str
) -> list[str]:
    """Record the present code of the named stages as the code that made their artifacts.

    Artifacts that only bear another name now, their files being the same, take that name. The reason
    is kept in each manifest. Returns the full names of the re-stamped stages. Raises UsageError
    without a reason or where the code has not changed, MissingArtifactError where nothing is
    committed. All are checked before any is re-stamped.
    """
    if not reason.strip():
        raise UsageError("Accepting an edit needs a reason.", 'Such as: --reason "renamed a variable"')
    chosen = wire(config, stages).select(only=names)
    with run_lock(run_dir), HashCache(run_dir / CACHE_FILE) as cache:
        fingerprints = Fingerprinter(cache)
        stamped: dict[str, Manifest] = {}
        for item in chosen:
            manifest = read_manifest(run_dir / item.name)
            code = fingerprints.stage(item.stage)
            if manifest is None:
                raise MissingArtifactError(
                    f"{item.name} has nothing to accept: it was not made in {run_dir}."
                )
            if manifest.code == code.sha256:
                raise UsageError(f"{item.name} has nothing to accept: its code is the one that made it.")
            entry = {
                "reason": reason.strip(),
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "from": manifest.code,
                "to": code.sha256,
            }
            made = {maker: stamped.get(maker) or read_manifest(run_dir / maker) for maker in item.producers.values()}
            stamped[item.name] = _renamed(manifest.accepting(code.sha256, code.modules, entry), item, made)
        for name, manifest in stamped.items():
            manifest.write(run_dir / name)
    return list(stamped)


def _renamed(manifest: Manifest, item: WiredStage, made: Mapping[str, Manifest | None]) -> Manifest:
    """The manifest with outputs called as the stage declares them and inputs as their makers now call them."""
    present = {output.file: output for output in manifest.outputs.values()}
    declared = {name: artifact.file for name, artifact in item.outputs.items()}
    if set(declared.values()) != set(present):
        return manifest
    inputs = dict(manifest.inputs)
    for name, maker in item.producers.items():
        source = made[maker]
        if name in inputs or source is None or name not in source.outputs:
            continue
        same = [old for old in inputs if old not in item.producers and inputs[old] == source.outputs[name].sha256]
        if len(same) == 1:
            inputs[name] = inputs.pop(same[0])
    return replace(manifest, outputs={name: present[file] for name, file in declared.items()}, inputs=inputs)
