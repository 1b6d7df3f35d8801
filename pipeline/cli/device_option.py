"""`--device`: what computes a bundle's answers, and how that is said."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer


class DeviceName(StrEnum):
    """What may compute; `pipeline.inference.sessions.Device` by name."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


DeviceChoice = Annotated[
    DeviceName | None,
    typer.Option("--device", help="auto: an NVIDIA device where there is one, else the CPU; cpu; cuda. Given, it is told."),
]


def device_of(choice: DeviceName | None) -> Any:
    """The device that is asked for; auto where none is."""
    return (choice or DeviceName.AUTO).value


def tell_placement(choice: DeviceName | None, placement: Mapping[str, Any]) -> None:
    """Say what computed, where a device was asked for. placement: of `OpenedBundle`."""
    if choice is not None and placement["device"] is not None:
        typer.echo(f"Computed on {placement['device']}, with {placement['threads']} threads of the processor.")
