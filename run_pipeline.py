"""The command line: builds the app from the stages, nothing else. Installed, it is the command `respiratory`."""

from pipeline.cli.app import main
from stages import STAGES


def command() -> int:
    """Run one command line; returns its exit code."""
    return main(STAGES)


if __name__ == "__main__":
    raise SystemExit(command())
