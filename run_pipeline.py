"""The command line: builds the app from the stages, nothing else."""

from pipeline.cli.app import main
from stages import STAGES

if __name__ == "__main__":
    raise SystemExit(main(STAGES))
