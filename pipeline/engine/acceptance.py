"""Re-stamps a stage whose code changed without changing what it makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pipeline.engine.config import RunConfig
from pipeline.engine.contract import Stage
from pipeline.engine.errors import MissingArtifactError, UsageError
from pipeline.engine.fingerprint import Fingerprinter
from pipeline.engine.hash_cache import HashCache
from pipeline.engine.lock import run_lock
from pipeline.engine.manifest import read_manifest
from pipeline.engine.runner import CACHE_FILE
from pipeline.engine.wiring import wire


def accept_code(
    config: RunConfig, stages: Sequence[Stage], run_dir: Path, names: Sequence[str], reason: str
) -> list[str]:
    """Record the present code of the named stages as the code that made their artifacts.

    The reason is kept in each manifest. Returns the full names of the re-stamped stages. Raises
    UsageError without a reason or where the code has not changed, MissingArtifactError where
    nothing is committed. All are checked before any is re-stamped.
    """
    if not reason.strip():
        raise UsageError("Accepting an edit needs a reason.", 'Such as: --reason "renamed a variable"')
    chosen = wire(config, stages).select(only=names)
    with run_lock(run_dir), HashCache(run_dir / CACHE_FILE) as cache:
        fingerprints = Fingerprinter(cache)
        stamped = []
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
            stamped.append((item.name, manifest.accepting(code.sha256, code.modules, entry)))
        for name, manifest in stamped:
            manifest.write(run_dir / name)
    return [name for name, _ in stamped]
