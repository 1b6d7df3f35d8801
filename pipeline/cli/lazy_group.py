"""Groups of commands that are listed from a table; a command's module is imported when the command is called."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


def command_of(function: Callable[..., None], name: str) -> Any:
    """A function as a command; its annotations are the options."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(function)
    return typer.main.get_command(app)


class Command(NamedTuple):
    """place: "module:function". summary: its line in the group's help, the first sentence of the function's own."""

    place: str
    summary: str

    def load(self, name: str) -> Any:
        """The command itself; its module is imported here."""
        module, _, function = self.place.partition(":")
        return command_of(getattr(importlib.import_module(module), function), name)


class Group(NamedTuple):
    """A group of commands below another. summary: its line in that one's help."""

    summary: str
    commands: Mapping[str, Command | Group]

    def load(self, name: str, **settings: Any) -> LazyGroup:
        """The group, with none of its commands imported. settings: of Click's group."""
        return LazyGroup(self, name=name, help=self.summary, no_args_is_help=True, rich_markup_mode=None, **settings)


class LazyGroup(TyperGroup):
    """A group that knows of each command its name and its summary until it is called."""

    def __init__(self, group: Group, **settings: Any) -> None:
        listed = {name: TyperCommand(name, help=entry.summary) for name, entry in group.commands.items()}
        super().__init__(commands=listed, **settings)
        self.group = group

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The called command in place of its line; a mistyped name is refused with the near ones."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and self.group.commands[name].load(name), rest
