"""What every command does around its work: one line for a person instead of a traceback."""

import os
import sys
from collections.abc import Callable


def run(name: str, work: Callable[[], None]) -> int:
    """Runs a command's work.

    Args:
      name: shown before the message.
      work: raises ValueError or OSError with a message that says what was wrong and what to do.

    Returns:
      Exit status: 0 done, 1 such an error (on stderr), 130 stopped from the keyboard, 141 where
      whoever reads stdout has left, as `head` does: no error, and nothing is said.
    """
    try:
        work()
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered has no reader either; without this Python complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{name}: stopped", file=sys.stderr)
        return 130
    return 0
