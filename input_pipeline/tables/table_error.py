"""The error of a table: what is wrong, and which settings would mend it, for others to name."""

import re
from collections.abc import Callable
from typing import NamedTuple

_MARK = re.compile("\0([^\0]*)\0([^\0]*)\0")  # a setting in a message: name and phrase


class Setting(NamedTuple):
    """A setting that the message of a `TableError` speaks of, as `f"{Setting('data.root')}"`.

    Attributes:
      name: 'data.path'.
      phrase: what the message says of it, {flag} or {name} for what it is called.
    """

    name: str
    phrase: str = "{flag}"

    def __format__(self, form: str) -> str:
        """The setting within a message, to be found again."""
        return f"\0{self.name}\0{self.phrase}\0"

    def __str__(self) -> str:
        """Its phrase, with the flag of a training."""
        return self.called(f"--config.{self.name}")

    def called(self, flag: str) -> str:
        """Its phrase, with the flag of another command."""
        return self.phrase.format(flag=flag, name=self.name)


PATH = Setting("data.path", "set {flag} to")


class TableError(ValueError):
    """A table of photographs that cannot be used; says where, what was seen and what to do.

    Settings are parts of its message (`Setting`). A command without the flags of a training puts
    them in its own words by `worded`.
    """

    def __str__(self) -> str:
        """The message, settings as their phrases."""
        return self.worded(str)

    @property
    def settings(self) -> frozenset[str]:
        """Names of the settings that the message speaks of."""
        return frozenset(mark[1] for mark in _MARK.finditer(self.args[0]))

    def worded(self, words: Callable[[Setting], str]) -> str:
        """The message, each setting as `words` says it."""
        return _MARK.sub(lambda mark: words(Setting(mark[1], mark[2])), self.args[0])

    def within(self, where: str, after: str = "") -> "TableError":
        """The same error with words before and behind it."""
        return TableError(f"{where}{self.args[0]}{after}")


def given(setting: Setting) -> str:
    """Words of a command that is given its table as an argument; see `TableError.worded`."""
    return "give" if setting == PATH else str(setting)
