"""`fiqa report DIR`: makes the report of a folder again, of a judged one or of a recipe's."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fiqa_jax import command


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser("fiqa report", description="Makes report.html of a folder again.")
    text = "a folder that `fiqa predict` wrote, a recipe's work directory, or one stage's folder"
    p.add_argument("folder", metavar="DIR", help=text)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: writes the page and prints where it is. Returns the exit status."""
    args = parser().parse_args(argv)
    return command.run("report", lambda: run(Path(args.folder)))


def run(folder: Path) -> None:
    """Writes the page of a judged folder or of a work directory, and prints its path.

    Raises:
      ReportError, PredictionsError: nothing to report on, or a damaged file.
    """
    from fiqa_jax.report.judged import judged_page

    if (folder / judged_page.RUN).is_file() and (folder / judged_page.TABLE).is_file():
        print(judged_page.again(folder))
        return
    from fiqa_jax.report.build import write_report

    print(write_report(folder))


if __name__ == "__main__":
    sys.exit(main())
