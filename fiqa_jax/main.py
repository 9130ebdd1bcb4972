"""`fiqa train --config configs/multitask.py`: runs a recipe from flags.

The config is looked up in the working directory, then among the configs that came with the package.
Text behind a colon goes to the config (`configs/multitask.py:tiny`), any field can be set
(`--config.train.batch=8`).
"""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from fiqa_jax import command
from fiqa_jax.recipe import command_line

_CONFIG = config_flags.DEFINE_config_file("config", None, "Recipe file.", lock_config=True)
_WORKDIR = flags.DEFINE_string("workdir", "", "Results; runs/<config>[-<argument>] if empty.")
_STAGE = flags.DEFINE_string("stage", "", "Run this stage only.")
_REDO = flags.DEFINE_list("redo", [], "Stages to run again, with all that follows from them.")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Join the other processes of a pod.")


def main(argv: Sequence[str]) -> int:
    """Runs the recipe that the flags ask for; returns the exit status, see `command`."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments {argv[1:]}; flags start with --", command.USAGE)
    if _CONFIG.value is None:
        wrong = "--config is missing, for example --config configs/multitask.py"
        raise app.UsageError(wrong, command.USAGE)
    return command.run("fiqa_jax.main", work)


def work() -> None:
    """Sets up logging and devices, runs the recipe and says where the report is."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    for chatty in ("absl", "jax"):  # Orbax reports every save at length
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Not every checkpoint has a score, and that is no fault.
    logging.getLogger("absl").addFilter(lambda r: "tracked_metric" not in r.getMessage())
    from fiqa_jax.recipe import runner
    from fiqa_jax.training import devices

    config = _CONFIG.value
    config_file = config_flags.get_config_filename(flags.FLAGS["config"])
    # A method of one's own lies beside its config, as a script's modules lie beside the script;
    # last, so that nothing there stands in for an installed package.
    sys.path.append(os.path.dirname(os.path.abspath(config_file.split(":")[0])))
    workdir = _WORKDIR.value or default_workdir(config_file)
    workdir = os.path.abspath(workdir)
    devices.prepare(config.deterministic, os.path.join(workdir, "cache", "compiled"))
    devices.initialise_pod(_DISTRIBUTED.value)
    print(f"work directory: {workdir}", flush=True)
    page = runner.run(config, Path(workdir), _STAGE.value, _REDO.value)
    print(f"{'results' if _STAGE.value else 'report'}: {page}", flush=True)


def default_workdir(config_path: str) -> str:
    """`configs/multitask.py:tiny` -> `runs/multitask-tiny`."""
    path, _, argument = config_path.partition(":")
    clean = "".join(c if c.isalnum() or c in "._-" else "-" for c in argument)
    return os.path.join("runs", Path(path).stem + (f"-{clean}" if clean else ""))


def usage() -> str:
    """What `fiqa train --help` prints."""
    known = (_CONFIG, _WORKDIR, _STAGE, _REDO, _DISTRIBUTED)
    lines = [f"  --{one.name:12}  {flags.FLAGS[one.name].help}" for one in known]
    return "\n".join(["usage: fiqa train --config FILE.py[:ARGUMENT] ...", "", __doc__, *lines])


def run() -> None:
    """Entry point of `fiqa train`."""
    if {"--help", "-h"} & {*sys.argv[1:]}:
        print(usage())
        return
    sys.argv = command_line.resolved(sys.argv)  # ml_collections looks there for what is set
    app.run(main, argv=sys.argv, flags_parser=command_line.parse)


if __name__ == "__main__":
    run()
