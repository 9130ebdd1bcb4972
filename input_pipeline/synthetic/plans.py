"""What can go wrong with a photograph, and how often: kinds of degradation and plans of them.

The severity of a degradation, in [0, 1], is the share of its contrast that a vessel of usual
calibre loses where the degradation acts at full strength. So severities of different kinds compare
and combine: two at once leave the product (1 - s1)(1 - s2).
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

DETAILS = ("illumination", "clarity", "contrast", "artefact")


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way in which a photograph goes wrong."""

    detail: str  # which of `DETAILS` it degrades
    cause: str  # 'capture': taking it again helps | 'media': the eye itself, it does not
    local: bool  # acts on a part of the field
    weight: float  # how often, relative to the others


# In the order in which light meets them: eye, optics, exposure, things in the way, sensor, file.
KINDS = {
    "haze": Kind("contrast", "media", False, 1.2),
    "floater": Kind("artefact", "media", True, 0.4),
    "defocus": Kind("clarity", "capture", False, 1.5),
    "local_defocus": Kind("clarity", "capture", True, 0.6),
    "motion": Kind("clarity", "capture", False, 0.8),
    "uneven": Kind("illumination", "capture", True, 1.6),
    "dark": Kind("illumination", "capture", False, 0.9),
    "bright": Kind("illumination", "capture", False, 0.7),
    "low_contrast": Kind("contrast", "capture", False, 1.0),
    "flare": Kind("artefact", "capture", True, 0.8),
    "eyelash": Kind("artefact", "capture", True, 0.6),
    "dust": Kind("artefact", "capture", True, 0.5),
    "noise": Kind("clarity", "capture", False, 0.3),
    "jpeg": Kind("clarity", "capture", False, 0.3),
}
LOCAL = "local"  # stands for all kinds that act on a part of the field
# Largest area of things that cover a part of the field: no more than that is a photograph still
# taken, and too little to degrade it alone.
COVERS = {"floater": 0.12, "eyelash": 0.3, "dust": 0.05}
COARSE = (
    "noise",
    "jpeg",
)  # sensors and files are never so bad that they alone degrade a photograph


@dataclasses.dataclass(frozen=True)
class Degradation:
    """One thing done to a photograph."""

    name: str  # key of `KINDS`
    severity: float  # in [0, 1]
    area: float = 1.0  # share of the field where it acts; local kinds only
    seed: int = 0  # where and in which shape

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise ValueError(f"degradation {self.name!r} is none of {sorted(KINDS)}")
        if not (0 <= self.severity <= 1 and 0 < self.area <= 1):
            raise ValueError(
                f"{self.name}: severity {self.severity} and area {self.area} must lie in [0, 1]"
            )


def named(kinds: Sequence[str]) -> tuple[str, ...]:
    """Keys of `KINDS` for a setting: () is all of them, 'local' those that act on a part.

    Raises:
      ValueError: a name that does not exist.
    """
    unknown = sorted(set(kinds) - {*KINDS, LOCAL})
    if unknown:
        raise ValueError(f"degradations {unknown}: expected 'local' or some of {sorted(KINDS)}")
    return tuple(
        name
        for name, kind in KINDS.items()
        if not kinds or name in kinds or (kind.local and LOCAL in kinds)
    )


def ordered(plan: Sequence[Degradation]) -> list[Degradation]:
    """The plan in the order of `KINDS`, in which it is applied."""
    order = list(KINDS)
    return sorted(plan, key=lambda item: order.index(item.name))


def plan(
    rng: np.random.Generator,
    lq_ratio: float = 0.5,
    severity_mix: tuple[float, float] = (0.5, 0.5),
    kinds: Sequence[str] = tuple(KINDS),
) -> list[Degradation]:
    """Draws what happens to one photograph.

    A photograph of low quality is meant to end as usable or reject: what is left of a vessel's
    contrast is drawn between 0.33 and 0.56 or between 0.02 and 0.2, and one to three degradations
    share the loss. A good photograph gets nothing, or a little that leaves at least 0.78.

    Args:
      rng: source of randomness.
      lq_ratio: share of photographs of low quality (usable or reject), in [0, 1].
      severity_mix: shares of usable and reject among those; need not sum to 1.
      kinds: names of degradations to choose from, keys of `KINDS`.

    Returns:
      The degradations, in the order in which they act; an empty list changes nothing.

    Raises:
      ValueError: a ratio outside [0, 1], negative shares or a kind that does not exist.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ValueError(f"degradations {unknown or 'of an empty list'}: expected {sorted(KINDS)}")
    if not 0 <= lq_ratio <= 1 or min(severity_mix) < 0 or sum(severity_mix) <= 0:
        raise ValueError(f"lq_ratio {lq_ratio} or severity_mix {severity_mix} is out of range")
    low = bool(rng.random() < lq_ratio)
    reject = low and bool(rng.random() < severity_mix[1] / sum(severity_mix))
    if not low:
        return _mild(rng, kinds)
    names = _choose(rng, kinds, int(rng.choice((1, 2, 3), p=(0.55, 0.3, 0.15))))
    minor = (*COVERS, *COARSE)
    if all(name in minor for name in names):  # something must degrade the photograph
        names += _choose(rng, [name for name in kinds if name not in minor] or kinds, 1)
    left = math.exp(rng.uniform(*np.log((0.02, 0.2)))) if reject else rng.uniform(0.33, 0.56)
    wide = [name for name in names if not KINDS[name].local and name not in COARSE]
    lead = "" if wide else next((name for name in names if name not in minor), names[-1])
    shares = rng.dirichlet(np.ones(max(1, len(wide))))
    # one of them takes so much that it shows: it leaves less than the 0.6 of a usable cell
    first = max(float(shares[0]), min(1.0, math.log(0.58) / math.log(left)))
    shares = np.append(first, shares[1:] * (1 - first) / max(1 - float(shares[0]), 1e-9))
    out = []
    for name in dict.fromkeys(names):
        seed = int(rng.integers(2**31))
        severity, area = rng.uniform(0.3, 0.9), 1.0
        if name in wide:
            severity = 1 - left ** float(shares[wide.index(name)])
        elif name in COARSE:
            severity = rng.uniform(0.1, 0.45)
        elif name in COVERS:
            area = rng.uniform(0.15, 1) * COVERS[name]
        elif name == lead:
            severity, area = 1 - left, rng.uniform(0.4, 0.9) if reject else rng.uniform(0.25, 0.7)
        else:
            area = rng.uniform(0.04, 0.4 if reject else 0.14)
        out.append(Degradation(name, float(severity), float(area), seed))
    return ordered(out)


def _choose(rng: np.random.Generator, kinds: Sequence[str], count: int) -> list[str]:
    weights = np.array([KINDS[name].weight for name in kinds])
    count = min(count, len(kinds))
    picked = rng.choice(len(kinds), count, replace=False, p=weights / weights.sum())
    return [kinds[int(k)] for k in picked]


def _mild(rng: np.random.Generator, kinds: Sequence[str]) -> list[Degradation]:
    """What a good photograph may still show."""
    if rng.random() < 0.4:
        return []
    names = _choose(rng, kinds, int(rng.choice((1, 2), p=(0.7, 0.3))))
    out = []
    for name in names:
        seed = int(rng.integers(2**31))
        if name in COVERS or name == "flare":
            out.append(Degradation(name, rng.uniform(0.1, 0.5), rng.uniform(0.002, 0.02), seed))
        elif KINDS[name].local:
            out.append(Degradation(name, rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.5), seed))
        else:
            severity = 1 - 0.78 ** float(rng.uniform(0.1, 1 / len(names)))
            out.append(Degradation(name, severity * (0.4 if name in COARSE else 1), 1.0, seed))
    return ordered(out)
