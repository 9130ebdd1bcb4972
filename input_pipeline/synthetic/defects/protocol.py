"""The benchmark's defects: which kind at which severity, from which seed, on which photograph.

Fixed before any map was fitted. `digest` changes with every line of the engine and of this file;
a test holds it. Whoever changes either raises `VERSION`, renders anew and measures all maps again:
figures of two versions do not compare.
"""

import dataclasses
import hashlib
from pathlib import Path

from input_pipeline.synthetic.defects.engine import Item
from input_pipeline.synthetic.defects.kinds import CONTROLS, KINDS

VERSION = 1
SIDE = 512  # pixels of the square that the reader cuts
CELLS = 16  # pixels, edge of a cell of the truth
SEVERITIES = (0.4, 0.65, 0.9)
AREA = 0.45  # of the field, for kinds that act everywhere by nature
CONTROLS_EACH = 3  # of a photograph


@dataclasses.dataclass(frozen=True)
class Trial:
    """One copy of one photograph."""

    kind: str  # key of `KINDS` or `CONTROLS`; '' for the photograph itself, saved again
    items: tuple[Item, ...]
    seed: int


def trials(name: str, number: int) -> list[Trial]:
    """All copies of one photograph: itself, three harmless changes, every kind at one severity.

    Args:
      name: what the photograph is called in its set, without folder or ending.
      number: its place in the set; severities go round by it.
    """
    out = [Trial("", (), _seed(name, ""))]
    harmless = list(CONTROLS)
    for k in range(CONTROLS_EACH):
        kind = harmless[(CONTROLS_EACH * number + k) % len(harmless)]
        out.append(_trial(name, kind, SEVERITIES[-1], 1.0))
    for k, kind in enumerate(KINDS):
        severity = SEVERITIES[(number + k) % len(SEVERITIES)]
        out.append(_trial(name, kind, severity, 1.0 if KINDS[kind].local else AREA))
    return out


def _trial(name: str, kind: str, severity: float, area: float) -> Trial:
    seed = _seed(name, kind)
    return Trial(kind, (Item(kind, severity, seed, area),), seed)


def _seed(name: str, kind: str) -> int:
    text = f"{VERSION} {name} {kind}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "little")


def digest() -> str:
    """Hash of the engine's source and of the trials of two photographs."""
    hashed = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        hashed.update(path.name.encode())
        hashed.update(path.read_bytes())
    hashed.update(repr([trials("01_h", 0), trials("IDRiD_01", 1)]).encode())
    return hashed.hexdigest()
