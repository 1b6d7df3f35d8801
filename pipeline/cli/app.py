"""Builds the command line from its groups, and turns expected errors into exit codes."""

from __future__ import annotations

import errno
import importlib
import io
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.engine.errors import PipelineError, StorageError

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage

PROGRAM = "run_pipeline.py"
COMMAND_MODULES = (
    "pipeline.cli.run.commands",
    "pipeline.cli.data.commands",
    "pipeline.cli.export_command",
    "pipeline.cli.bundle_command",
    "pipeline.cli.predict_commands",
    "pipeline.cli.segment_command",
    "pipeline.cli.classify_command",
    "pipeline.cli.validate_command",
    "pipeline.cli.compare_command",
    "pipeline.cli.reader_study_command",
    "pipeline.cli.fairness_command",
    "pipeline.cli.demo.command",
    "pipeline.cli.bench.command",
)
INTERRUPTED = 130


def build_app(stages: Sequence[Stage]) -> typer.Typer:
    """Return the application with every command group; `stages` are the steps that a run may have."""
    app = typer.Typer(
        name=PROGRAM,
        help="Respiratory scans: numbered stages, each runnable alone; scores with their intervals.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(
        debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    ) -> None:
        """Respiratory scans: numbered stages, each runnable alone; scores with their intervals."""

    for name in COMMAND_MODULES:
        importlib.import_module(name).register(app, stages)
    return app


def main(stages: Sequence[Stage], argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 done, 2 bad usage or configuration, 3 missing or stale artifact, 4 bad input data, 5 corrupt
    artifact, 130 interrupted. An unexpected error ends the process with 1; its traceback is shown
    with --debug, which may stand anywhere.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Files may be called what no terminal can show; standard error escapes it already.
        sys.stdout.reconfigure(errors="backslashreplace")
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not debug:
        sys.excepthook = _report_bug
    try:
        # Calling the app itself would put Typer's own excepthook before ours.
        typer.main.get_command(build_app(stages)).main(args=words, prog_name=PROGRAM)
    except SystemExit as ended:
        return _exit_code(ended)
    except PipelineError as error:
        return _report(error, debug)
    except KeyboardInterrupt:
        return _interrupted()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        place = f" ({error.filename})" if error.filename else ""
        return _report(StorageError(f"The disk is full{place}.", "Free some space and try again."), debug)
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
