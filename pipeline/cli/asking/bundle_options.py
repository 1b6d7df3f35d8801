"""The options of every command that asks a bundle, and the opened bundle that they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from pipeline.cli.bundle_source import find_bundle
from pipeline.cli.choices import choices
from pipeline.cli.telling.document import tell
from pipeline.engine.errors import UsageError
from pipeline.engine.progress import Reporter
from pipeline.inference.gate.door import open_guarded
from pipeline.inference.per_patient import RULES, Rule
from pipeline.inference.sessions import Device

DeviceName = choices("DeviceName", get_args(Device))

BundleFolder = Annotated[
    Path | None, typer.Option("--bundle", help="The bundle's folder; the one that comes with the repository by default.")
]
RunFolder = Annotated[Path | None, typer.Option("--run", help="A finished run instead of a bundle.")]
SystemName = Annotated[str | None, typer.Option("--system", help="With --run, where the run holds several systems.")]
DeviceChoice = Annotated[
    DeviceName | None,
    typer.Option("--device", help="auto: an NVIDIA device where there is one, else the CPU; cpu; cuda. Given, it is told."),
]
NoGate = Annotated[bool, typer.Option("--no-gate", help="Answer whatever is given, and mark that no gate looked at it.")]
Unit = choices("Unit", ("scan", "patient"))
PatientRule = choices("PatientRule", RULES)
Per = Annotated[
    Unit, typer.Option("--per", help="One answer a scan, or a patient: then it must be known whose each scan is.")
]
PerPatientRule = Annotated[
    PatientRule | None,
    typer.Option("--per-patient-rule", help="mean of the scans' probabilities (default), or max: the most suspicious scan's."),
]
UNGUARDED = "warning: the gate was not asked: nothing says that these are the scans that they are given as."


def open_asked(
    bundle: Path | None, run: Path | None, system: str | None, device: DeviceName | None, reporter: Reporter,
    command: str | None = None, *, no_gate: bool = False, **of_door: bool,
) -> Any:  # fmt: skip
    """The bundle that the options name, ready to answer behind its door; of a system that `command` reads, where it is given.

    no_gate: what a scan is, is not asked, and that is said. of_door: see `open_guarded`.
    """
    found = find_bundle(bundle, run, reporter, command, system)
    opened = open_guarded(found, device_of(device), command, **{"asks": not no_gate, **of_door})
    if no_gate:
        typer.echo(UNGUARDED, err=True)
    return opened


def patient_rule(per: Unit, rule: PatientRule | None) -> Rule | None:
    """The rule by which scans of a patient are put together; None where each is answered by itself.

    Raises UsageError for a rule and no patients.
    """
    if per.value == "scan":
        if rule is not None:
            raise UsageError("--per-patient-rule is for --per patient.", "Add --per patient, or leave it out.")
        return None
    chosen: Rule = rule.value if rule is not None else RULES[0]
    return chosen


def device_of(choice: DeviceName | None) -> Any:
    """The device that is asked for; auto where none is."""
    return (choice or DeviceName.AUTO).value


def tell_answers(
    as_json: bool, document: Mapping[str, Any], words: str | Callable[[], str], choice: DeviceName | None,
    placement: Mapping[str, Any],
) -> None:  # fmt: skip
    """`tell` of what a bundle answered, and of what computed it."""
    tell(as_json, {**document, **placement}, words)
    if not as_json:
        tell_placement(choice, placement)


def tell_placement(choice: DeviceName | None, placement: Mapping[str, Any]) -> None:
    """Say what computed, where a device was asked for. placement: of `OpenedBundle`."""
    if choice is not None and placement["device"] is not None:
        typer.echo(f"Computed on {placement['device']}, with {placement['threads']} threads of the processor.")
