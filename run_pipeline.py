"""The command line: builds the app from the stages, nothing else. Installed, it is the command `respiratory`."""

from __future__ import annotations

import sys

BAD_USAGE = 2


def command() -> int:
    """Run one command line; returns its exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one is told so
        return _refuse(f"Python 3.11 or 3.12 is needed, this is {sys.version.split()[0]}.", "Call it with another one.")
    try:
        from pipeline.cli.app import main
        from stages import STAGES
    except ImportError as fault:
        if (fault.name or "").partition(".")[0] in ("pipeline", "stages"):
            raise
        reason = (str(fault).splitlines() or [type(fault).__name__])[0]
        return _refuse(f"a package that every command needs cannot be imported: {reason}.",
                       "Run: python -m pip install -r requirements.txt")  # fmt: skip
    return main(STAGES)


def _refuse(message: str, remedy: str) -> int:
    # As any other refusal; what tells those may be what is missing.
    sys.stderr.write(f"error: {message}\n  {remedy}\n")
    return BAD_USAGE


if __name__ == "__main__":
    raise SystemExit(command())
