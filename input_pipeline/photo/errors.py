"""The one error of reading photographs."""


class PhotoError(ValueError):
    """A photograph that cannot be read. The message names it, what was seen and what to do."""


def problem(name: str, seen: str, advice: str) -> PhotoError:
    """The error for a photograph called `name`: what was seen in it, and what to do."""
    return PhotoError(f"{name}: {seen}; {advice}")
