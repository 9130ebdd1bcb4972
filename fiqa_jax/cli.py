"""`fiqa`: the console command, one word for every command of the package.

    fiqa predict photos/
    fiqa --help

Each command is a module that also runs by `python -m`; none is imported before it is asked for, so
that help and version come at once.
"""

import difflib
import importlib
import sys
from collections.abc import Sequence
from importlib import metadata

# Command -> (module, its function, what it does). The function takes the arguments after the
# command and returns the exit status; modules that draw their flags from elsewhere read sys.argv.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "predict": ("fiqa_jax.predict", "main", "judge photographs: table, report, maps"),
    "sample": ("input_pipeline.sample", "main", "drawn photographs to try everything on"),
    "merge": ("fiqa_jax.merge", "main", "one folder of what many machines judged"),
    "report": ("fiqa_jax.report.__main__", "main", "make the report of a folder again"),
    "serve": ("fiqa_jax.serve", "main", "a page to drop photographs on, and HTTP"),
    "aggregate": ("fiqa_jax.aggregate", "main", "what is there of each eye, what is missing"),
    "calibrate": ("fiqa_jax.calibrate", "main", "fit thresholds to your own labels"),
    "evaluate": ("fiqa_jax.evaluate", "main", "metrics with intervals of anybody's predictions"),
    "enhancement": ("fiqa_jax.enhancement", "main", "what an enhancement did to the grades"),
    "audit": ("fiqa_jax.audit", "main", "look a table of labels through before training"),
    "explain": ("fiqa_jax.explain", "main", "draw where a classifier sees what it says"),
    "train": ("fiqa_jax.main", "run", "run a recipe: --config configs/multitask.py"),
    "convert": ("fiqa_jax.convert", "main", "published weights into ours"),
    "export": ("fiqa_jax.export", "main", "a model as ONNX or StableHLO, compared"),
    "encoders": ("fiqa_jax.encoders", "main", "write a frozen encoder as one file"),
    "benchmark": ("fiqa_jax.benchmark.__main__", "main", "maps and scores against ground truth"),
    "fields": ("input_pipeline.photo.contact_sheet", "main", "show the fields of view found"),
    "verify": ("fiqa_jax.verify", "main", "check folders against the digests written with them"),
    "prepare": ("input_pipeline.prepare", "main", "prepare a published data set"),
}
USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command named first with the rest of the arguments.

    Args:
      argv: without the program's name; of the process where None.

    Returns:
      The command's exit status; 2 where there is no such command.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    name = given[0] if given else ""
    if name in ("-h", "--help", "help"):
        print(usage())
        return 0
    if name in ("-V", "--version"):
        print(version())
        return 0
    if name not in COMMANDS:
        print(unknown(name), file=sys.stderr)
        return USAGE
    module, function, _ = COMMANDS[name]
    run = getattr(importlib.import_module(module), function)
    if function == "run":
        sys.argv = [f"fiqa {name}", *given[1:]]
        return int(run() or 0)
    return int(run(given[1:]) or 0)


def usage() -> str:
    """What `fiqa --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {says}" for name, (_, _, says) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: fiqa COMMAND ...",
            "",
            "Judges the quality of colour fundus photographs. Nothing has to be set up first:",
            "",
            "    fiqa predict photos/",
            "",
            "commands:",
            *lines,
            "",
            "fiqa COMMAND --help says more; fiqa --version names version, model and JAX.",
        ]
    )


def version() -> str:
    """What `fiqa --version` prints: of the package, its default model and JAX."""
    from fiqa_jax import __version__
    from fiqa_jax.pretrained import shipped

    try:
        jax = metadata.version("jax")
    except metadata.PackageNotFoundError:
        jax = "is not installed"
    return f"fiqa_jax {__version__}, model {shipped.model_name(shipped.DEFAULT)}, jax {jax}"


def unknown(name: str) -> str:
    """What to say of a command that is not there."""
    if not name:
        return usage()
    close = difflib.get_close_matches(name, COMMANDS, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(COMMANDS)}"
    return f"fiqa: no command {name!r}; {hint} (fiqa --help)"


if __name__ == "__main__":
    sys.exit(main())
