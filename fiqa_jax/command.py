"""How commands begin, and how they end: see `input_pipeline.exit_status`, of both packages."""

import argparse
from collections.abc import Callable, Sequence

from input_pipeline.exit_status import ALL_FAILED as ALL_FAILED
from input_pipeline.exit_status import DONE as DONE
from input_pipeline.exit_status import INTERRUPTED as INTERRUPTED
from input_pipeline.exit_status import NOT_STARTED as NOT_STARTED
from input_pipeline.exit_status import READER_LEFT as READER_LEFT
from input_pipeline.exit_status import SOME_FAILED as SOME_FAILED
from input_pipeline.exit_status import TERMINATED as TERMINATED
from input_pipeline.exit_status import USAGE as USAGE
from input_pipeline.exit_status import Stopped as Stopped
from input_pipeline.exit_status import gently as gently
from input_pipeline.exit_status import of_files as of_files
from input_pipeline.exit_status import run as run


def entry(
    parser: Callable[[], argparse.ArgumentParser],
    work: Callable[[argparse.Namespace], int | None],
) -> Callable[..., int]:
    """The `main` of a command: `main(arguments)`, those of the process where None, to the status.

    Args:
      parser: makes the command line; its program is called `fiqa NAME`.
      work: what is done with what it reads; see `run`.
    """

    def main(argv: Sequence[str] | None = None) -> int:
        line = parser()
        args = line.parse_args(argv)
        return run(line.prog.removeprefix("fiqa "), lambda: work(args))

    return main
