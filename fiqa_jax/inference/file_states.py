"""Whether a photograph is still what was judged: sizes, times and digests of the files of a run.

OUT/files.jsonl has a line for each photograph that was read. Another size or time says that a file
may have changed, its digest whether it did, so that looking again costs next to nothing.
"""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path

from fiqa_jax.inference.inputs import Item
from fiqa_jax.inference.predictor import Predictor
from input_pipeline import atomic, plain_text, sums
from input_pipeline.photo.errors import problem
from input_pipeline.photo.reader import Photo, PhotoError

FILE = "files.jsonl"


@dataclasses.dataclass(frozen=True, slots=True)
class FileState:
    """What a file was when it was read."""

    size: int  # bytes
    modified: int  # nanoseconds since 1970
    sha256: str

    def holds(self, path: str) -> bool:
        """Whether the file has this content. One that cannot be looked at has not changed."""
        try:
            now = os.stat(path)
            if (now.st_size, now.st_mtime_ns) == (self.size, self.modified):
                return True
            return sums.digest(path) == self.sha256
        except (OSError, ValueError):
            return True


def read(
    predictor: Predictor, path: str, keep: bool = False
) -> tuple[Photo | PhotoError, FileState | None]:
    """A photograph as the model sees it, and the state of its file, None where it is not read.

    A file that changes meanwhile, such as one that is still being copied, is an error; `keep` is
    `Predictor.read`'s.
    """
    before = stamp(path)
    photo = predictor.read(path, keep)
    if before is None:
        return photo, None
    digest = ""
    if isinstance(photo, Photo):
        try:
            digest = sums.digest(path)
        except OSError as error:
            advice = "open it in an image viewer; export or copy it again"
            return problem(path, f"it could be read once only ({error.strerror})", advice), None
    if stamp(path) != before:
        return problem(path, "it changed while it was read", "wait until it is whole"), None
    return photo, FileState(*before, digest) if digest else None


def changed_since(path: str) -> PhotoError:
    """The error of a file that is no longer what was judged."""
    return problem(path, "it changed after it was judged", "judge it again with --resume")


def stamp(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Size and time of a file (its number is no help: some network drives give another each time).

    None where there is none to be seen.
    """
    try:
        now = os.stat(path)
    except (OSError, ValueError):
        return None
    return now.st_size, now.st_mtime_ns


class FileStates:
    """The states of the files of a run, by id, kept in its folder.

    Args:
      out: the folder of the run; its list is read where it is there.
    """

    def __init__(self, out: Path) -> None:
        self._file = out / FILE
        self._known: dict[str, FileState] = {}
        if not self._file.is_file():
            return
        data = self._file.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):  # torn by a kill
            os.truncate(self._file, whole)
        for line in data[:whole].splitlines():
            try:
                entry = json.loads(line)
                state = FileState(int(entry["size"]), int(entry["modified"]), entry["sha256"])
                self._known[entry["id"]] = state
            except (ValueError, KeyError, TypeError):  # damaged: nothing is known of that file
                continue

    def add(self, states: dict[str, FileState]) -> None:
        """Appends states by id, before the rows of these photographs are written."""
        self._known |= states
        with open(self._file, "ab") as file:
            file.write(_lines(states))

    def changed(self, items: Iterable[Item]) -> list[Item]:
        """Those whose files are no longer what was read; of what is not known nothing is said."""
        return [i for i in items if i.id in self._known and not self._known[i.id].holds(i.path)]

    def finish(self, ids: Iterable[str], more: "Iterable[FileStates]" = ()) -> None:
        """Writes the list anew: one line for each id of which something is known, in this order.

        Args:
          ids: of the rows of the run.
          more: lists of other runs, whose states are taken in.
        """
        for other in more:
            self._known |= other._known
        self._known = {name: self._known[name] for name in ids if name in self._known}
        atomic.write(self._file, _lines(self._known))


def _lines(states: dict[str, FileState]) -> bytes:
    entries = ({"id": name, **dataclasses.asdict(state)} for name, state in states.items())
    return "".join(map(plain_text.json_line, entries)).encode()
