"""Builds the command line from its groups, and turns expected errors into exit codes."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated

import typer

from pipeline.cli.lazy_group import Command, Group, LazyGroup, command_of
from pipeline.cli.telling.shortages import shortage_of
from pipeline.cli.telling.tensorflow_log import quiet_tensorflow
from pipeline.engine.contract import Stage
from pipeline.engine.errors import PipelineError
from pipeline.engine.extras import brought_by_extra
from pipeline.engine.files import ON_WINDOWS
from pipeline.engine.invocation import entry
from pipeline.version import __version__

_RUN, _DATA = "pipeline.cli.run.commands", "pipeline.cli.data"
COMMANDS = Group("Respiratory scans: numbered stages, each runnable alone; scores with their intervals.", {
    "run": Command(f"{_RUN}:run", "Run the stages that are not up to date."),
    "init": Command("pipeline.cli.init.command:init", "Write a commented configuration that fits a folder of scans."),
    "plan": Command(f"{_RUN}:plan", "Show what `run` would do, and why; nothing is done."),
    "status": Command(f"{_RUN}:status", "Show each stage's state, and which systems the run holds."),
    "verify": Command(f"{_RUN}:verify", "Read every artifact again and compare it with its hash."),
    "accept": Command(f"{_RUN}:accept", "Keep artifacts although their code was edited."),
    "describe": Command(
        "pipeline.cli.run.describe_command:describe",
        "Show a stage's settings and artifacts, and with -c its values and where each was written.",
    ),
    "doctor": Command(
        "pipeline.cli.doctor.command:doctor", "Say what this machine has and lacks, what each lack costs, and how to mend it."
    ),
    "export": Command(
        "pipeline.cli.export_command:export", "Write a bundle: ONNX graphs, preprocessing, class names, model card, hashes."
    ),
    "predict": Command("pipeline.cli.predict_command:predict", "Answer a scan pair, half of one, or a table of pairs."),
    "evaluate": Command(
        "pipeline.cli.evaluate.command:evaluate",
        "Judge a bundle on labelled scans: metrics with patient-clustered intervals, and figures.",
    ),
    "segment": Command(
        "pipeline.cli.segment_command:segment",
        "Outline the lungs and name the diagnosis; overlays, probabilities and measures of the masks.",
    ),
    "classify": Command("pipeline.cli.classify_command:classify", "Name the class of each image, with its probabilities."),
    "validate": Command(
        "pipeline.cli.validate_command:validate",
        "Tell chest X-rays from CT slices, photographs, drawings and other pictures.",
    ),
    "serve": Command("pipeline.cli.serve.command:serve", "Answer over HTTP with bundles, until it is ended."),
    "compare": Command(
        "pipeline.cli.compare_command:compare",
        "Compare the variants of one run, several runs, evaluations, or any files of predictions, of one system.",
    ),
    "readers": Command(
        "pipeline.cli.reader_study_command:readers",
        "Compare readers without and with AI: each reader, and readers at large.",
    ),
    "fairness": Command(
        "pipeline.cli.fairness_command:show_fairness",
        "Show a classifier's metrics by group, name the worst group and test the gap.",
    ),
    "study": Group("Studies on phantoms, where the truth is known.", {
        "alignment": Command(
            "pipeline.cli.study.alignment:alignment",
            "Hide the modality of phantoms with planted lesions: what it hides, what it costs, what it is good for.",
        ),
    }),
    "demo": Command(
        "pipeline.cli.demo.command:demo",
        "Run the pipeline on generated scans and say what it found: minutes, nothing to download.",
    ),
    "bench": Command(
        "pipeline.cli.bench.command:bench",
        "Measure: each figure stands beside a reference, taken in turns; ratio 1 = as fast as the reference.",
    ),
    "reference": Command(
        "pipeline.cli.reference.command:reference",
        "Write what the code says of itself: cli.md, configuration.md, the artifacts in outputs.md, openapi.json.",
    ),
    "data": Group("Generate, check, inspect, draw, lay out and download scans.", {
        "phantom": Command(f"{_DATA}.phantom:phantom", "Write a data set of generated patients, with the exact lung masks."),
        "download": Command(
            f"{_DATA}.download:download", "Fetch a public set through kagglehub (needs internet) and print where it lies."
        ),
        "check": Command(
            f"{_DATA}.check:check", "Say what a folder of scans is taken for, what is in it, and what would go wrong."
        ),
        "sheet": Command(
            f"{_DATA}.sheet:sheet",
            "Draw what thresholds, blurs, morphology, edges and histogram equalisation do to an X-ray, a CT slice or both.",
        ),
        "inspect": Command(f"{_DATA}.scans:inspect", "Counts, sizes, intensities, sources and leakage of a data set."),
        "prepare": Command(
            f"{_DATA}.scans:prepare",
            "Lay a manifest's selection out as X_Ray_Train, X_Ray_Test, CT_Scan_Train, CT_Scan_Test.",
        ),
        "reorganize": Command(
            f"{_DATA}.reorganize:reorganize",
            "Pool the published folders of Kermany's chest X-rays and split them 70/15/15 by patient.",
        ),
    }),
    "bundle": Group("A bundle's optional sections.", {
        "amend": Command(
            "pipeline.cli.bundle_command:amend",
            "Add or replace one section of a bundle, with the files that it names; all other files keep their bytes.",
        ),
        "gate": Command(
            "pipeline.cli.bundle_command:gate",
            "Learn what tells X-rays, CT slices and other pictures apart, and say how well, out of fold by patient.",
        ),
    }),
})  # fmt: skip
INTERRUPTED = 130


def build_app(stages: Sequence[Stage]) -> LazyGroup:
    """Return the application with every command; `stages`, the steps that a run may have, are its context's object."""
    settings = {"help_option_names": ["-h", "--help"], "obj": stages}
    program = entry()[-1]
    return COMMANDS.load(program, params=command_of(_options, program).params, context_settings=settings)


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"respiratory-pipeline {__version__}")
        raise typer.Exit


def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, and TensorFlow's log.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """The options of every command. `main` takes --debug out wherever it stands."""


def main(stages: Sequence[Stage], argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 done, 2 bad usage or configuration, 3 missing or stale artifact, 4 bad input data, 5 corrupt
    artifact, 130 interrupted. An unexpected error ends the process with 1; its traceback is shown
    with --debug, which may stand anywhere.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Files may be called what no terminal can show; standard error escapes it already. What another program reads is UTF-8
        # on Windows too, whose own encoding has no word for half of what is told.
        own = "utf-8" if ON_WINDOWS and not sys.stdout.isatty() and "PYTHONIOENCODING" not in os.environ else None
        sys.stdout.reconfigure(encoding=own, errors="backslashreplace")
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not debug:
        sys.excepthook = _report_bug
        quiet_tensorflow()
    try:
        with brought_by_extra():
            build_app(stages).main(args=words, prog_name=entry()[-1])
    except SystemExit as ended:
        return _exit_code(ended)
    except PipelineError as error:
        return _report(error, debug)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        shortage = shortage_of(error)
        if shortage is None:
            raise
        return _report(shortage, debug)
    return 0


def _exit_code(ended: SystemExit) -> int:
    code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return _interrupted() if code == INTERRUPTED else code


def _report(error: PipelineError, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    text = f"error: {error.message}" + (f"\n  {error.remedy}" if error.remedy else "")
    print(text, file=sys.stderr)
    return error.exit_code


def _interrupted() -> int:
    print("interrupted: the same command goes on where this one stopped", file=sys.stderr)
    return INTERRUPTED


def _report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    frames = traceback.extract_tb(trace)
    place = f" ({frames[-1].filename} line {frames[-1].lineno})" if frames else ""
    print(f"bug: {kind.__name__}: {error}{place}\n  Please report it; --debug shows more.", file=sys.stderr)
