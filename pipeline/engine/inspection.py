"""The state of each stage on the disk, compared with what the configuration and the code now say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.engine.config import RunConfig
from pipeline.engine.external import External, read_external
from pipeline.engine.fingerprint import Fingerprinter
from pipeline.engine.hash_cache import HashCache
from pipeline.engine.manifest import Manifest, read_manifest
from pipeline.engine.seeds import derive_seed
from pipeline.engine.wiring import WiredStage, Wiring

SHOWN_DIFFERENCES = 3


@dataclass(frozen=True)
class StageState:
    """What is on the disk of one stage.

    `missing` and `edited` name files that are not as committed; `changes` say what differs now
    from what made the stage; `unchecked` says which of the user's files could not be found.
    """

    manifest: Manifest | None
    missing: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    unchecked: str = ""

    @property
    def kind(self) -> Literal["absent", "missing", "edited", "stale", "fresh"]:
        if self.missing:
            return "missing"
        if self.manifest is None:
            return "absent"
        if self.edited:
            return "edited"
        return "stale" if self.changes else "fresh"


class Inspector:
    """Looks at stages once and remembers; `forget` after a stage was committed."""

    def __init__(
        self, wiring: Wiring, config: RunConfig, run_dir: Path, data: Path | None, cache: HashCache
    ) -> None:
        self.wiring = wiring
        self.fingerprints = Fingerprinter(cache)
        self._config = config
        self._run_dir = run_dir
        self._data = data
        self._cache = cache
        self._states: dict[str, StageState] = {}
        self._external: dict[str, External] = {}

    def state(self, name: str) -> StageState:
        """Return the state of a stage. Raises CorruptArtifactError for an unreadable manifest."""
        if name not in self._states:
            self._states[name] = self._look(self.wiring[name])
        return self._states[name]

    def forget(self) -> None:
        """Look again at every stage's folder; the user's files and the code are not read again."""
        self._states.clear()

    def seed(self, name: str) -> int:
        return derive_seed(self._config.seed, name)

    def external(self, name: str) -> External:
        if name not in self._external:
            self._external[name] = read_external(self.wiring[name], self._data, self._cache)
        return self._external[name]

    def input_hashes(self, item: WiredStage) -> dict[str, str]:
        """Return the committed SHA-256 of each input that exists now."""
        hashes = {}
        for name, producer in item.producers.items():
            manifest = read_manifest(self._run_dir / producer)
            if manifest is not None and name in manifest.outputs:
                hashes[name] = manifest.outputs[name].sha256
        return hashes

    def _look(self, item: WiredStage) -> StageState:
        folder = self._run_dir / item.name
        manifest = read_manifest(folder)
        if manifest is None:
            left = ["manifest.json"] if folder.exists() else []
            return StageState(None, missing=left)
        missing, edited = _damage(folder, manifest, self._cache)
        external = self.external(item.name)
        changes = list(self._changes(item, manifest, external))
        return StageState(manifest, missing, edited, changes, str(external.problem or ""))

    def _changes(self, item: WiredStage, manifest: Manifest, external: External) -> Iterator[str]:
        config = item.config.model_dump(mode="json")
        if config != manifest.config:
            yield f"config: {_differences(manifest.config, config)}"
        if manifest.seed != self.seed(item.name):
            yield "the seed"
        code = self.fingerprints.stage(item.stage)
        if code.sha256 != manifest.code:
            yield f"code: {_code_differences(manifest.modules, code.modules)}"
        inputs = self.input_hashes(item)
        if differing := _differing(manifest.inputs, inputs):
            yield f"input: {_named(differing)}"
        if external.problem is None and external.sha256 != manifest.external:
            counts = f"{manifest.external_count} → {external.count}"
            same = external.count == manifest.external_count
            yield f"data: {'the content of the files read' if same else f'files read: {counts}'}"
        declared = {name: artifact.file for name, artifact in item.outputs.items()}
        made = {name: output.file for name, output in manifest.outputs.items()}
        if differing := _differing(made, declared):
            now = {file: name for name, file in declared.items()}
            renamed = {name: now[file] for name, file in made.items() if file in now and now[file] != name}
            kept = [name for name in differing if name not in renamed and name not in renamed.values()]
            yield f"declared outputs: {_named([*(f'{old} → {new}' for old, new in renamed.items()), *kept])}"


def _damage(folder: Path, manifest: Manifest, cache: HashCache) -> tuple[list[str], list[str]]:
    missing, edited = [], []
    for output in manifest.outputs.values():
        for file, sha256 in output.files.items():
            try:
                if cache.sha256(folder / file) != sha256:
                    edited.append(file)
            except (FileNotFoundError, NotADirectoryError):
                missing.append(file)
    return missing, edited


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _code_differences(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The modules that differ. Many under new names are a reorganisation: said as such, with what keeps the artifacts."""
    gone, new = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    if not gone or not new:
        return _named(_differing(before, after))
    edited = [name for name in _differing(before, after) if name in before and name in after]
    return (
        f"{len(gone)} modules were moved, renamed or taken out ({_named(gone)}), {len(edited)} edited; "
        "if that changes no result, `accept` keeps what was made"
    )


def _named(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_DIFFERENCES} more" if len(names) > SHOWN_DIFFERENCES else ""
    return ", ".join(names[:SHOWN_DIFFERENCES]) + more


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    old, new = dict(_flatten(before)), dict(_flatten(after))
    return _named([f"{key} {_value(old, key)} → {_value(new, key)}" for key in _differing(old, new)])


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _value(table: Mapping[str, Any], key: str) -> str:
    text = repr(table[key]) if key in table else "unset"
    return text if len(text) <= 40 else text[:39] + "…"
