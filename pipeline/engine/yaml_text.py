"""YAML 1.2 read into values that know their lines."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline.engine.errors import ConfigError
from pipeline.engine.written import Merging, Origin, Written

_CORE = "tag:yaml.org,2002:"
_TEXT, _TIME = f"{_CORE}str", f"{_CORE}timestamp"
_SCALARS = frozenset(f"{_CORE}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp"))
_TAGS = {merging.value: merging for merging in Merging}


def read_yaml(text: str, source: str, override: str = "") -> Written:
    """Read one document, anchors, aliases and merge keys (``<<``) resolved; what came through one has the line where it stands.

    Dates are kept as they are written, keys become text as they do in JSON, and the tags !override and !reset are kept for
    `merge`. Raises ConfigError with source and line: no YAML, a key that stands twice or is no scalar, a value that
    contains itself, any other tag.
    """
    yaml = YAML(typ="safe", pure=True)
    reader = _Reader(yaml.constructor, source, override)
    try:
        node = yaml.compose(io.StringIO(text))
        return reader.written(node) if node is not None else Written(None, reader.origin(None))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{reader.origin(mark).words}: not valid YAML: {problem}.") from error
    except RecursionError as error:
        raise ConfigError(f"{reader.origin(None).words}: its values lie too deep in each other.") from error


class _Reader:
    def __init__(self, constructor: SafeConstructor, source: str, override: str) -> None:
        self._constructor = constructor
        self._source = source
        self._override = override
        self._open: list[int] = []

    def origin(self, mark: Any) -> Origin:
        return Origin(self._source, None if mark is None or self._override else mark.line + 1, self._override)

    def written(self, node: Node, key_mark: Any = None) -> Written:
        """The value of a node. It stands where its key does, which is not where an alias's value does."""
        origin = self.origin(key_mark or node.start_mark)
        merging = _TAGS.get(str(node.tag))
        if id(node) in self._open:
            raise ConfigError(f"{origin.words}: a value contains itself.", "Take the alias (*name) out.")
        self._open.append(id(node))
        if merging is Merging.RESET:
            _refuse_reset_value(node, origin)
        value = None if merging is Merging.RESET else self._value(node, origin, merging)
        self._open.pop()
        return Written(value, origin, merging)

    def _value(self, node: Node, origin: Origin, merging: Merging | None) -> Any:
        tag = str(node.tag)
        if isinstance(node, MappingNode) and (merging or tag == f"{_CORE}map"):
            return self._table(node)
        if isinstance(node, SequenceNode) and (merging or tag == f"{_CORE}seq"):
            return [self.written(item) for item in node.value]
        if isinstance(node, ScalarNode) and (merging or tag in _SCALARS):
            return self._scalar(node, origin, merging)
        known = ", ".join(_TAGS)
        raise ConfigError(f"{origin.words}: {tag.removeprefix(_CORE)!r} is no tag that is known here.", f"Known: {known}.")

    def _table(self, node: MappingNode) -> dict[str, Written]:
        """Own keys win over those that come by ``<<``, and stand once."""
        self._constructor.flatten_mapping(node)
        pairs: list[tuple[Node, Node]] = node.merge or []
        merged = {id(key_node) for key_node, _ in pairs}
        table: dict[str, Written] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if id(key_node) not in merged:
                if key in lines:
                    raise self._duplicate(key_node, key, lines[key])
                lines[key] = key_node.start_mark.line + 1
            table[key] = self.written(value_node, key_node.start_mark)
        return table

    def _duplicate(self, node: Node, key: str, first: int) -> ConfigError:
        where = self.origin(node.start_mark).words
        return ConfigError(f"{where}: not valid YAML: duplicate key {key!r}, first in line {first}.", "Take one of the two out.")

    def _key(self, node: Node) -> str:
        origin = self.origin(node.start_mark)
        if not isinstance(node, ScalarNode) or str(node.tag) not in _SCALARS:
            raise ConfigError(f"{origin.words}: a key must be a word or a number, not a list or a table.")
        key = self._scalar(node, origin, None)
        if key is None or isinstance(key, bool):
            return {None: "null", True: "true", False: "false"}[key]
        return str(key)

    def _scalar(self, node: ScalarNode, origin: Origin, merging: Merging | None) -> Any:
        if merging is not None:
            # The tag took the place of the one that tells a number from a text.
            node.tag = self._constructor.resolver.resolve(ScalarNode, node.value, (node.style is None, node.style is not None))
        if str(node.tag) == _TIME:
            return node.value
        try:
            return self._constructor.construct_object(node)
        except (ValueError, KeyError) as error:
            kind = str(node.tag).removeprefix(_CORE)
            raise ConfigError(f"{origin.words}: {node.value[:40]!r} cannot be read as {kind}.") from error


def _refuse_reset_value(node: Node, origin: Origin) -> None:
    if not isinstance(node, ScalarNode) or node.value not in ("", "null", "~"):
        raise ConfigError(f"{origin.words}: !reset takes a key out and has no value of its own.", "Write KEY: !reset null")
