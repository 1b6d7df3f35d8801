"""Values as they were written: each with the line of the file, or the --set, that it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pipeline.engine.errors import ConfigError, did_you_mean

Path = tuple[int | str, ...]


class Merging(Enum):
    """What a tag says of how a value meets the one of the base. The names are Docker Compose's."""

    OVERRIDE = "!override"
    RESET = "!reset"


@dataclass(frozen=True)
class Origin:
    """Where a value was written.

    source: a file as it was named, or whatever else the values were read from. line: of that file, from 1. override: the
    words of the --set, where one gave the value.
    """

    source: str
    line: int | None = None
    override: str = ""

    def __str__(self) -> str:
        """For tables: `file:line` or `--set`."""
        if self.override:
            return "--set"
        return self.source if self.line is None else f"{self.source}:{self.line}"

    @property
    def words(self) -> str:
        """For sentences: `file line 3` or `--set 's02.epochs=4'`."""
        if self.override:
            return f"--set {self.override!r}"
        return self.source if self.line is None else f"{self.source} line {self.line}"


@dataclass(frozen=True)
class Written:
    """A value: a table of `Written`, a list of `Written`, or a scalar that JSON knows too."""

    value: Any
    origin: Origin
    merging: Merging | None = None

    @property
    def plain(self) -> Any:
        """The value without its origins."""
        if isinstance(self.value, dict):
            return {key: inner.plain for key, inner in self.value.items()}
        if isinstance(self.value, list):
            return [inner.plain for inner in self.value]
        return self.value

    def along(self, path: Sequence[int | str]) -> Written:
        """The value at `path`, or the innermost one above it that was written; parts that lead nowhere are passed over."""
        found = self
        for part in path:
            found = found._inner(part) or found
        return found

    def at(self, path: Sequence[int | str]) -> Written | None:
        """The value at `path`, None where nothing was written there."""
        found: Written | None = self
        for part in path:
            found = found._inner(part) if found is not None else None
        return found

    def having(self, key: str, inner: Written) -> Written:
        """The same table with `inner` at `key`."""
        return replace(self, value={**self.value, key: inner})

    def without(self, key: str) -> Written:
        """The same table without `key`."""
        return replace(self, value={name: inner for name, inner in self.value.items() if name != key})

    def _inner(self, part: int | str) -> Written | None:
        found: Written | None = None
        if isinstance(self.value, dict):
            found = self.value.get(str(part))
        elif isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            found = self.value[part]
        return found


def written(value: Any, origin: Origin) -> Written:
    """Plain values, all of one origin."""
    if isinstance(value, Mapping):
        return Written({str(key): written(inner, origin) for key, inner in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Written([written(inner, origin) for inner in value], origin)
    return Written(value, origin)


def merge(base: Written, own: Written, path: Path = ()) -> Written:
    """Lay `own` over `base`: tables key by key, everything else as a whole.

    A value tagged !override stands as it is; !reset takes the key out. Raises ConfigError where a table meets what is none,
    and where there is nothing to take out.
    """
    table, whole = isinstance(base.value, dict), own.merging is Merging.OVERRIDE
    if whole or not (table and isinstance(own.value, dict)):
        if not whole and None not in (base.value, own.value) and table != isinstance(own.value, dict):
            raise _unlike(base, own, path)
        return settled(own, path)
    merged: dict[str, Written] = dict(base.value)
    for key, inner in own.value.items():
        if inner.merging is Merging.RESET:
            if key not in merged:
                raise _nothing_to_reset(inner, (*path, key), base.value)
            del merged[key]
        elif key in merged:
            merged[key] = merge(merged[key], inner, (*path, key))
        else:
            merged[key] = settled(inner, (*path, key))
    return Written(merged, own.origin)


def settled(tree: Written, path: Path = ()) -> Written:
    """What meets no base. Raises ConfigError for a !reset in it."""
    if tree.merging is Merging.RESET:
        raise _nothing_to_reset(tree, path, ())
    value = tree.value
    if isinstance(value, dict):
        value = {key: settled(inner, (*path, key)) for key, inner in value.items()}
    elif isinstance(value, list):
        value = [settled(inner, (*path, place)) for place, inner in enumerate(value)]
    return Written(value, tree.origin)


def dotted(path: Sequence[int | str]) -> str:
    return ".".join(map(str, path))


def _unlike(base: Written, own: Written, path: Path) -> ConfigError:
    kinds = ["a table of keys" if isinstance(side.value, dict) else repr(side.plain) for side in (own, base)]
    return ConfigError(
        f"{own.origin.words}: {dotted(path)} is {kinds[0]}, and in the base {kinds[1]} ({base.origin.words}).",
        f"Write the same kind, or {path[-1]}: !override … to replace what the base has.",
    )


def _nothing_to_reset(tree: Written, path: Path, known: Iterable[str]) -> ConfigError:
    near = did_you_mean(str(path[-1]) if path else "", known)
    return ConfigError(
        f"{tree.origin.words}: !reset of {dotted(path)}, which the base does not have.{near}", "Take the line out."
    )
