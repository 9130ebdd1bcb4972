"""The classifier of `quadrant`, in a process that kills itself once, behind its first batch.

The environment's FIQA_DYING names a file: the process that makes it is the one that dies.
"""

import os
import signal

from quadrant import build as build

from fiqa_jax.predictions import schema

append = schema.append_jsonl


def append_and_die(path, rows):
    append(path, rows)
    try:
        with open(os.environ["FIQA_DYING"], "x") as file:
            file.write(os.fspath(path))
    except (KeyError, FileExistsError):
        return
    os.kill(os.getpid(), signal.SIGKILL)


schema.append_jsonl = append_and_die
