"""The entry point: parse, limit the threads, load only what the subcommand needs, wait for the turn, run."""

import importlib
import os
import sys
from typing import Sequence

from . import arguments, holding, stopping
from .faults import Fault
from .shard import Shard

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    stopping.leave_when_told()
    try:
        options = arguments.parse(argv)
        # Before numpy and PyTorch are loaded: their libraries read these once, and would start a thread for each core.
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(options.threads)))
        subcommand = importlib.import_module(f"trainer.{options.subcommand.replace('-', '_')}")
        subcommand.prepare(options)
        holding.wait_for_turn()
        subcommand.run(options, Shard(options.shard))
    except Fault as fault:
        print(f"trainer: {fault}".replace("\n", " "), file=sys.stderr)
        return fault.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
