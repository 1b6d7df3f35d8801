"""The file of a run and the files that it builds upon: `base:` names one, which may name another."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.engine.shipped_files import shipped
from pipeline.engine.written import Written, merge, settled
from pipeline.engine.yaml_text import read_yaml

BASE = "base"
_MEND = f"{BASE}: names one file, relative to the file that it stands in."


def read_config_file(path: Path) -> Written:
    """Read a file, laid over its base where it names one; no `base` is left in what comes back.

    Raises ConfigError with file and line: a file that cannot be read or is no table of keys, a base that is no relative path
    of a file, leads back to a file before it or is of another system, a table laid over what is none.
    """
    layers = _layers(path)
    tree = settled(layers[-1])
    for own in reversed(layers[:-1]):
        _refuse_another_system(tree, own)
        tree = merge(tree, _without_empty_sections(own))
    return tree


def _layers(path: Path) -> list[Written]:
    """The file's own values, its base's, and so on."""
    layers: list[Written] = []
    seen: dict[tuple[int, int], Path] = {}
    named: Written | None = None
    while True:
        tree, identity = _read(path, named)
        if identity in seen:
            raise _circular(named, [*seen.values(), path])
        seen[identity] = path
        named = tree.at((BASE,))
        layers.append(tree.without(BASE))
        if named is None:
            return layers
        path = path.parent / _base_of(named)


def _read(path: Path, named: Written | None) -> tuple[Written, tuple[int, int]]:
    """A file's values, and what makes it the same file under any name. named: the `base` that named it."""
    where = "" if named is None else f"{named.origin.words}: {BASE} is {named.value!r}: "
    mend = f"The project's own are in {shipped('configs')}." if named is None else _MEND
    try:
        with path.open(encoding="utf-8") as file:
            text, status = file.read(), os.fstat(file.fileno())
    except (OSError, ValueError) as error:
        near = did_you_mean(path.name, [other.name for other in path.parent.glob("*.yaml")])
        raise ConfigError(f"{where}Cannot read the configuration {path}: {_cause(error)}.{near}", mend) from error
    tree = read_yaml(text, str(path))
    if not isinstance(tree.value, dict):
        found = "it is empty" if tree.value is None else "not a table of keys"
        raise ConfigError(f"{where}{path}: {found}.", "Write 'system:' and a section per stage.")
    return tree, (status.st_dev, status.st_ino)


def _base_of(named: Written) -> str:
    """The relative path that a `base` gives. Raises ConfigError for anything else."""
    value = named.plain
    problem = ""
    if not isinstance(value, str):
        problem = "it must be the name of one file"
    elif not value.strip():
        problem = "it names no file"
    elif value.startswith("/") or PureWindowsPath(value).drive:
        problem = "it must be relative, or the configuration would hold on this machine alone"
    elif "\\" in value:
        problem = "folders are divided by /"
    if problem:
        raise ConfigError(f"{named.origin.words}: {BASE} is {value!r}: {problem}.", f"{_MEND} Without one, take the line out.")
    return str(value)


def _circular(named: Written | None, chain: list[Path]) -> ConfigError:
    where = named.origin.words if named is not None else str(chain[-1])
    way = " → ".join(map(str, chain))
    return ConfigError(f"{where}: {BASE} leads back to a file before it ({way}).", f"Take {BASE}: out of one of them.")


def _refuse_another_system(base: Written, own: Written) -> None:
    ours, theirs = own.at(("system",)), base.at(("system",))
    if ours is not None and theirs is not None and ours.plain != theirs.plain:
        raise ConfigError(
            f"{ours.origin.words}: system is {ours.plain!r}, and the base's is {theirs.plain!r} ({theirs.origin.words}).",
            "Take system: out of the file that both build upon, or do not build upon it.",
        )


def _without_empty_sections(own: Written) -> Written:
    """A stage's section that is left empty says nothing: what the base has of it stays."""
    for key, inner in own.value.items():
        if inner.value is None and inner.merging is None and key not in ("system", "seed", "description"):
            own = own.having(key, Written({}, inner.origin))
    return own


def _cause(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return (getattr(error, "strerror", None) or str(error)).lower()
