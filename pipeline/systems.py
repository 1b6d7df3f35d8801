"""The systems, each declared once: what its bundles are called, and where its code in every layer lies.

Commands ask these rows; none of them knows a system by name. Places are dotted strings, imported when they are needed, so
that whoever answers with a bundle never pays for what exports one. Nothing that a stage imports may import this module.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pipeline.engine.errors import MissingArtifactError, UsageError, did_you_mean

Part = Literal["exporter", "opener", "evaluator", "arms", "starter"]


class RunDirectory(Protocol):
    """What is asked of `pipeline.engine.rundir.RunDirectory`, whose imports are not for whoever only answers."""

    path: Path

    def has(self, name: str) -> bool: ...

    def declares(self, name: str) -> bool: ...

    def artifact(self, name: str) -> Path: ...


@dataclass(frozen=True)
class System:
    """One system.

    name: in `bundle.json` and in configurations. command: the command that asks its bundles. told_by: an artifact that only
    a run of this system has. default_bundle: the folder of its shipped bundle below the repository. example: a command line
    with --bundle {} for the bundle. inputs: what it goes on with, by what is read: only what a run or a bundle reads is named.

    Each of the others is "package.module:attribute":
    exporter: a subclass of `pipeline.export.template.Exporter`. opener: (path, device) → `OpenedBundle`.
    evaluator: (bundle, request) → `Evaluation`. arms: (run) → `RunArms`, what `compare` reads of a run.
    starter: (`DataFacts`) → `Draft`, what `init` writes of its stages; None where it writes none. suits: what data has to have
    for `data check` to propose it, among "both" (modalities), "masks" and "notes".
    """

    name: str
    command: str
    told_by: str
    exporter: str
    opener: str
    evaluator: str
    arms: str
    default_bundle: str | None
    example: str
    starter: str | None = None
    suits: frozenset[str] = frozenset()
    inputs: tuple[tuple[str, str], ...] = ()

    def asking(self, option: str, source: Path, reads: Callable[[str], bool]) -> str:
        """The example for a bundle, or with "--run" for a run. reads: whether one of `inputs` is read; of none told, all."""
        chosen = [words for name, words in self.inputs if reads(name)] or [words for _, words in self.inputs]
        return " ".join([self.example.replace("--bundle {}", f"{option} {shlex.quote(str(source))}"), *chosen])

    def load(self, part: Part) -> Any:
        """What a dotted place names; its module is imported here."""
        module, _, attribute = str(getattr(self, part)).partition(":")
        return getattr(importlib.import_module(module), attribute)


# A bundle that names no system is of the first.
SYSTEMS: tuple[System, ...] = (
    System(
        name="respiratory_mtl",
        command="predict",
        told_by="heads",
        exporter="pipeline.export.multitask.bundle:MultitaskExporter",
        opener="pipeline.inference.multitask.predictor:open_predictor",
        evaluator="pipeline.cli.evaluate.multitask:evaluate",
        arms="pipeline.training.multitask.run_predictions:run_arms",
        default_bundle="pretrained/respiratory_mtl",
        example="predict --bundle {}",
        inputs=(("xray", "--xray FILE"), ("ct", "--ct FILE")),
        starter="pipeline.cli.init.multitask:draft",
        suits=frozenset({"both"}),
    ),
    System(
        name="radiography_unet",
        command="segment",
        told_by="unet_weights",
        exporter="pipeline.export.segmenter.bundle:SegmenterExporter",
        opener="pipeline.inference.segmenter.segmenter:open_segmenter",
        evaluator="pipeline.cli.evaluate.segmenter:evaluate",
        arms="pipeline.training.run_arms:segmenter_arms",
        default_bundle="pretrained/radiography_unet",
        example="segment --bundle {} FILE --out DIR",
        starter="pipeline.cli.init.segmenter:draft",
        suits=frozenset({"masks"}),
    ),
    System(
        name="classifier",
        command="classify",
        told_by="classifier_weights",
        exporter="pipeline.export.classifier.bundle:ClassifierExporter",
        opener="pipeline.inference.classifier.classifier:open_classifier",
        evaluator="pipeline.cli.evaluate.classifier:evaluate",
        arms="pipeline.training.run_arms:classifier_arms",
        default_bundle="pretrained/pneumonia_binary",
        example="classify --bundle {} FILE --out DIR --gradcam",
        starter="pipeline.cli.init.classifier:draft",
    ),
    System(
        name="vision_text",
        command="classify",
        told_by="fusion_recipe",
        exporter="pipeline.export.vision_text.bundle:VisionTextExporter",
        opener="pipeline.inference.vision_text.predictor:open_fusion",
        evaluator="pipeline.cli.evaluate.classifier:evaluate",
        arms="pipeline.training.vision_text.reports.run_arms:run_arms",
        default_bundle="pretrained/vision_text",
        example="classify --bundle {} FILE --note TEXT",
        starter="pipeline.cli.init.vision_text:draft",
        suits=frozenset({"notes"}),
    ),
)


def system_named(name: str) -> System:
    """The row of that name. Raises UsageError naming the known ones (did-you-mean)."""
    for system in SYSTEMS:
        if system.name == name:
            return system
    known = [system.name for system in SYSTEMS]
    raise UsageError(f"No system is called {name!r}.{did_you_mean(name, known)}", f"There are: {', '.join(known)}.")


def system_suiting(has: Iterable[str]) -> System:
    """The first system that `init` writes a configuration of and whose needs data has: "both" (modalities), "masks", "notes"."""
    given = frozenset(has)
    return next(system for system in SYSTEMS if system.starter is not None and system.suits <= given)


def default_bundle(command: str | None = None) -> Path:
    """Where the bundle that a command (None: any) reads when none is named lies below the repository. Raises UsageError."""
    for system in SYSTEMS:
        if command in (None, system.command) and system.default_bundle is not None:
            return Path(system.default_bundle)
    raise UsageError(f"{command} has no bundle of its own.", "Give --bundle DIR, or --run DIR with a finished run.")


def systems_of_run(run: RunDirectory) -> list[System]:
    """The systems that a run has finished, told by what it has made and never by what it is called."""
    return [system for system in SYSTEMS if run.has(system.told_by)]


def system_of_run(run: RunDirectory, named: str | None, command: str | None = None) -> System:
    """The one system of a run that is meant: the one named, or the only one that it holds (and that `command` reads).

    Raises UsageError (an unknown name; two systems and none named; none that `command` reads), MissingArtifactError (the
    run has not made what the system is told by).
    """
    found = systems_of_run(run)
    if named is not None:
        found = [system for system in found if system == system_named(named)]
    if not found:
        _refuse_unfinished(run, named)
    fitting = [system for system in found if command in (None, system.command)]
    if not fitting:
        held = found[0]
        raise UsageError(f"{run.path} holds {held.name}, which {command} does not read.", f"Use {held.command} --run {run.path}")
    if len(fitting) > 1:
        names = " and ".join(system.name for system in fitting)
        raise UsageError(f"{run.path} holds {names}.", f"Say which: --system {fitting[0].name}.")
    return fitting[0]


def _refuse_unfinished(run: RunDirectory, named: str | None) -> None:
    """Raise MissingArtifactError, naming the command that makes what lacks where the run declares it."""
    for system in SYSTEMS:
        if named in (None, system.name) and run.declares(system.told_by):
            run.artifact(system.told_by)
    held = ", ".join(system.name for system in systems_of_run(run)) or "none"
    told = ", ".join(f"{system.told_by} ({system.name})" for system in SYSTEMS)
    raise MissingArtifactError(
        f"{run.path} holds no finished {named or 'system'}; it has {held}.", f"A system is told by an artifact: {told}."
    )
