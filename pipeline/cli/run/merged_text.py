"""A run's configuration as one YAML text: bases merged, defaults filled in, and beside each value where it was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.engine.config import RunConfig
from pipeline.engine.overrides import TOP_LEVEL_KEYS
from pipeline.engine.setting_values import shown_value
from pipeline.engine.value_origins import origin_of

WIDTH, COMMENT_COLUMN = 78, 42


def merged_text(config: RunConfig, sections: Sequence[str] | None = None) -> str:
    """The whole, or some stages by short id. Read as a configuration, it gives the same values.

    A place is `file:line`, the file relative to the folder of the configuration, or `--set` or `default`.
    """
    folder = f"{config.source.parent}/" if config.source is not None and config.source.parent.parts else ""
    keys = [*TOP_LEVEL_KEYS, *config.stages] if sections is None else sections
    lines = [_head(config, folder)]
    for key in keys:
        for text, path in _lines(key, config.raw[key], (key,), ""):
            origin = ", ".join(place.removeprefix(folder) for place in origin_of(config.written, path)) if path else ""
            lines.append(f"{text:{COMMENT_COLUMN}}  # {origin}" if origin else text)
    return "\n".join(lines)


def _head(config: RunConfig, folder: str) -> str:
    where = config.source or "the run's record"
    return f"# {where}, with its bases and every default" + (f"; files are in {folder}" if folder else "")


Line = tuple[str, tuple[int | str, ...]]


def _lines(key: str, value: Any, path: tuple[int | str, ...], indent: str) -> Iterator[Line]:
    """The text of each line, and the path of the value that ends on it; () where none does."""
    name = f"{indent}{shown_value(key)}:"
    if isinstance(value, dict) and value:
        yield name, ()
        for inner, item in value.items():
            yield from _lines(inner, item, (*path, inner), f"{indent}  ")
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield name, ()
        for place, item in enumerate(value):
            yield from _item(item, (*path, place), f"{indent}  ")
    else:
        *first, last = _folded(name, value, indent) if isinstance(value, list) else [f"{name} {shown_value(value)}"]
        yield from ((text, ()) for text in first)
        yield last, path


def _item(item: Any, path: tuple[int | str, ...], indent: str) -> Iterator[Line]:
    inner = [line for key, value in item.items() for line in _lines(key, value, (*path, key), f"{indent}  ")]
    for number, (text, place) in enumerate(inner):
        yield (f"{indent}- {text.removeprefix(f'{indent}  ')}" if number == 0 else text), place


def _folded(name: str, items: list[Any], indent: str) -> list[str]:
    """A list on as many lines as it needs."""
    lines = [f"{name} ["]
    for number, item in enumerate(items):
        text = shown_value(item) + ("," if number < len(items) - 1 else "")
        if len(lines[-1]) + 1 + len(text) >= WIDTH and number > 0:
            lines.append(f"{indent}  ")
        lines[-1] += text if lines[-1][-1] in "[ " else f" {text}"
    lines[-1] += "]"
    return lines
