"""The code hash of a stage: every first-party module it can import, without docstrings, those of settings too, and comments."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.engine.contract import Stage
from pipeline.engine.errors import PipelineError
from pipeline.engine.hash_cache import HashCache

# The parser's version is part of the kind: syntax trees differ between Python releases.
_CACHE_KIND = f"code-2-{sys.version_info.major}.{sys.version_info.minor}"
_ALWAYS_FIRST_PARTY = ("pipeline", "stages")
# These describe, check and report, and compute nothing that is stored: the validated configuration
# is compared by its values. A reworded message must not make every run stale.
_WITHOUT_EFFECT = frozenset(
    f"pipeline.engine.{name}"
    for name in ("config", "config_faults", "contract", "errors", "extras", "progress", "settings", "shapes")
) | {"pipeline.version"}

_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class CodeHash:
    """The hash of each module of a stage's import closure, and the hash of all of them."""

    modules: Mapping[str, str]

    @property
    def sha256(self) -> str:
        lines = "\n".join(f"{name} {digest}" for name, digest in sorted(self.modules.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


class Fingerprinter:
    """Computes code hashes; parsed modules are remembered in the run's hash cache."""

    def __init__(self, cache: HashCache) -> None:
        self._cache = cache
        self._stages: dict[str, CodeHash] = {}
        self._modules: dict[Path, tuple[str, list[str]]] = {}
        self._sources: dict[tuple[str, Path | None], Path | None] = {}

    def stage(self, stage: Stage) -> CodeHash:
        """Return the code hash of `stage`, as its sources were when this object first looked.

        Later edits do not count: the modules of a running process were imported before them.
        """
        if stage.name not in self._stages:
            entry_points = sorted({_module_of(part) for part in _parts(stage)})
            self._stages[stage.name] = self._closure(entry_points)
        return self._stages[stage.name]

    def _closure(self, entry_points: list[str]) -> CodeHash:
        tops = {name.partition(".")[0] for name in entry_points}
        roots = {top: _root_of(top) for top in sorted(tops | {"pipeline"} | _loaded(_ALWAYS_FIRST_PARTY))}
        waiting, found = list(entry_points), dict[str, str]()
        while waiting:
            name = waiting.pop()
            source = self._source(name, roots.get(name.partition(".")[0]))
            if name in found or name in _WITHOUT_EFFECT or source is None:
                continue
            found[name], imports = self._module(source, name)
            waiting += [part for imported in imports for part in _with_parents(imported)]
        return CodeHash(found)

    def _source(self, name: str, root: Path | None) -> Path | None:
        if (name, root) not in self._sources:
            self._sources[name, root] = _source_of(name, root)
        return self._sources[name, root]

    def _module(self, source: Path, name: str) -> tuple[str, list[str]]:
        if source not in self._modules:
            text = self._cache.derived(f"{_CACHE_KIND}-{name}", source, partial(_summarise, name=name))
            digest, imports = json.loads(text)
            self._modules[source] = (digest, imports)
        return self._modules[source]


def _parts(stage: Stage) -> tuple[Callable[..., Any], ...]:
    return (stage.run, stage.config, stage.inputs, stage.outputs, stage.external)


def _module_of(part: Callable[..., Any]) -> str:
    while isinstance(part, partial):
        part = part.func
    return part.__module__


def _loaded(names: tuple[str, ...]) -> set[str]:
    return {name for name in names if name in sys.modules}


def _root_of(top: str) -> Path:
    """Return the folder that holds the package or module `top`."""
    file = Path(importlib.import_module(top).__file__ or "")
    return file.parent.parent if file.name == "__init__.py" else file.parent


def _source_of(name: str, root: Path | None) -> Path | None:
    """Return the source file of a first-party module; None for anything else, such as a class."""
    if root is None:
        return None
    base = root.joinpath(*name.split("."))
    for candidate in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if candidate.is_file():
            return candidate
    if name == "__main__":
        return Path(sys.modules["__main__"].__file__ or "")
    return None


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def _summarise(source: Path, name: str) -> str:
    """Return, as JSON, the hash of a module's bare syntax tree and the dotted names it may import."""
    try:
        tree = ast.parse(source.read_bytes(), filename=str(source))
    except SyntaxError as error:
        raise PipelineError(f"{source} line {error.lineno} is not valid Python: {error.msg}.") from error
    imports = sorted(set(_imported_names(tree, name, is_package=source.name == "__init__.py")))
    _WithoutProse().visit(tree)
    digest = hashlib.sha256(ast.dump(tree, annotate_fields=False).encode()).hexdigest()
    return json.dumps([digest[:16], imports])


class _WithoutProse(ast.NodeTransformer):
    """Takes out every string that stands as a statement: the docstrings of modules, classes and functions, and of settings."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node


def _imported_names(tree: ast.Module, name: str, is_package: bool) -> Iterator[str]:
    """Yield every dotted name that an import anywhere in the module may load.

    A string that reads as a dotted name counts too: modules are also imported by name, lazily.
    Imports for type checkers do not count, since they are never executed.
    """
    package = name if is_package else name.rpartition(".")[0]
    for node in _executed_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and _DOTTED_NAME.fullmatch(str(node.value)):
            yield str(node.value)


def _executed_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                yield from _executed_nodes(other)
            continue
        yield node
        yield from _executed_nodes(node)
