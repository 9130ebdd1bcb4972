"""Files of stages and model directories, damaged one after the other and read back."""

import random
from collections.abc import Callable
from pathlib import Path

from drills import kept
from drills.mutation import accident
from drills.outcomes import Counts, say
from input_pipeline import sums


def run(cases: int, root: Path, note: Callable[[Counts], None]) -> Counts:
    """Damages `cases` files of every kind in `kept.KINDS`, in turn, and reads each kind whole."""
    out: Counts = Counts()
    for place, (name, make) in enumerate(kept.KINDS.items()):
        share = cases // len(kept.KINDS) + (place < cases % len(kept.KINDS))
        folder = root / name.replace(" ", "_")
        folder.mkdir()
        thing = make(folder)
        out += _of_kind(share, name, thing)
        note(out)
    return out


def checkpoint(cases: int, root: Path, note: Callable[[Counts], None]) -> Counts:
    """Damages checkpoints alone: they take most of the time."""
    out = _of_kind(cases, "checkpoint", kept.checkpoint(root))
    note(out)
    return out


def _of_kind(cases: int, name: str, thing: kept.Thing) -> Counts:
    """The reader must refuse, or give what it gave before, or say that it fell back."""
    out: Counts = Counts()
    want = thing.read()
    files = thing.files()
    for case in range(cases):
        rng = random.Random(f"{name} {case}")
        file = rng.choice(files)
        whole = file.read_bytes()
        for attempt in range(100):
            data = accident(random.Random(f"{name} {case} {attempt}"), whole)
            if data != whole:
                break
        file.write_bytes(data)
        try:
            outcome = "harmless" if thing.read() == want else "silent"
        except (ValueError, OSError) as error:
            outcome = "refused" if str(error) else "uncaught"
        except Exception as error:
            outcome = "uncaught"
            say(f"uncaught: {name}, {file.name}, case {case}: {error!r}")
        if outcome == "silent":
            say(f"silent: {name}, {file.name}, case {case}")
        out[outcome] += 1
        out["files"] += 1
        if file.parent.is_dir():  # else it was put aside
            file.write_bytes(whole)
        sums._checked.clear()
        thing.again()
    return out
