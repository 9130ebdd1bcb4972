"""What every command does around its work: one line for a person instead of a traceback."""

import sys
from collections.abc import Callable


def run(name: str, work: Callable[[], None]) -> int:
    """Runs a command's work.

    Args:
      name: shown before the message.
      work: raises ValueError or OSError with a message that says what was wrong and what to do.

    Returns:
      Exit status: 0 done, 1 such an error (on stderr), 130 stopped from the keyboard.
    """
    try:
        work()
    except (ValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{name}: stopped", file=sys.stderr)
        return 130
    return 0
