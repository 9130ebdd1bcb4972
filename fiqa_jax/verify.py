"""Checks folders against the lists of digests (SHA256SUMS) that were written with them.

    fiqa verify runs/efiqa model/

Work directories, model directories, prepared photographs and stored arrays have such lists; below
a folder all of them are checked. `sha256sum -c SHA256SUMS` in one of them says the same.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fiqa_jax import command
from input_pipeline import plain_text, sums


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa verify", description=__doc__.split("\n", 1)[0])
    p.add_argument("folders", nargs="+", metavar="FOLDER", help="with all that is below")
    text = "write a model directory's list anew, after a change that was meant"
    p.add_argument("--renew", action="store_true", help=text)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status: 3 where something is damaged."""
    args = parser().parse_args(argv)
    return command.run("verify", lambda: run([Path(f) for f in args.folders], args.renew))


def run(folders: Sequence[Path], renew: bool = False) -> int:
    """Checks, or renews, and prints what was found; returns the exit status.

    Raises:
      ValueError: a folder that is not there, without any list, or no model directory to renew.
    """
    if renew:
        for folder in folders:
            _renew(folder)
            print(f"{folder / sums.FILE} was written")
        return command.DONE
    lists = files = 0
    wrong: list[str] = []
    for folder in folders:
        digest_lists = sorted(folder.rglob(sums.FILE))
        if not digest_lists:
            what = f"no {sums.FILE} in or below it" if folder.is_dir() else "no such folder"
            raise ValueError(f"{folder}: {what}, nothing to check against")
        lists += len(digest_lists)
        for path in digest_lists:
            files += path.read_bytes().count(b"\n")
        wrong += sums.problems(folder)
    for line in wrong:
        print(plain_text.printable(line, keep=()))
    state = f"{len(wrong)} damaged" if wrong else "all as they were written"
    print(f"{files:,} files in {lists} lists: {state}")
    return command.SOME_FAILED if wrong else command.DONE


def _renew(folder: Path) -> None:
    from fiqa_jax.inference import model_config, model_dir

    if not (folder / model_dir.CONFIG).is_file():
        raise ValueError(f"{folder} is no model directory; only those are renewed")
    model_dir.write_config(folder, model_config.read(folder / model_dir.CONFIG))


if __name__ == "__main__":
    sys.exit(main())
