"""From probabilities to what a photographer does next: decision, named reasons, advice.

A reason has a cause. `capture`: the photograph, so taking it again can help. `media`: the eye (lens
opacity, small pupil), so it cannot (Shi et al. 2022 separate the two for this reason). The advice
concerns the taking of the photograph only.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DECISIONS = ("accept", "review", "recapture")
NAMED_AREA = 0.05  # a bad share of the field below this is not worth a reason


@dataclasses.dataclass(frozen=True)
class Defect:
    """What a defect looks like, where it comes from and what to do about it."""

    says: str
    cause: str  # capture | capture or media
    advice: str


_STAYS = (
    "If a second photograph looks the same, the eye may be the cause: record it, do not repeat."
)
_ARTEFACT = Defect(
    "lashes, lid, dust or reflections",
    "capture",
    "Lift the lid, clear the lashes, clean the lens, then retake.",
)
_CLARITY = Defect(
    "blurred or hazy",
    "capture or media",
    f"Clean the lens, refocus, let the patient blink and fixate, then retake. {_STAYS}",
)
_FIELD = Defect(
    "disc or macula outside the field",
    "capture",
    "Guide the gaze with the fixation light until disc and macula are in view, then retake.",
)
# Our detail names, and those of DeepDRiD and BRSET.
DEFECTS: dict[str, Defect] = {
    "illumination": Defect(
        "uneven or wrong light",
        "capture",
        "Centre the pupil, check working distance and flash strength, then retake.",
    ),
    "clarity": _CLARITY,
    "focus": _CLARITY,
    "contrast": Defect(
        "low contrast",
        "capture or media",
        f"Darken the room, let the pupil widen, clean the lens, then retake. {_STAYS}",
    ),
    "artefact": _ARTEFACT,
    "artifact": _ARTEFACT,
    "artifacts": _ARTEFACT,
    "field": _FIELD,
    "field definition": _FIELD,
    "image_field": _FIELD,
}
_GENERAL = "Check focus, light, lids and fixation, then retake. " + _STAYS
OUT_OF_SCOPE = (
    "no round field of view: not a colour fundus photograph, or another kind of camera",
    "Look at the file. If it is a fundus photograph without a dark surround, predict it again "
    "with --allow-frame.",
)
UNREADABLE = "Open the file in an image viewer; export or copy it again from the camera."


def defect(name: str) -> Defect:
    """The record of a detail; a name that is not known stands for itself, with general advice."""
    return DEFECTS.get(name.lower(), Defect(name, "cause not known", _GENERAL))


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Cut-offs of one model. Those that were not fitted stay at the values below.

    With a band, a photograph is accepted below `accept`, taken again from `recapture` on, and
    reviewed between, by its score. Without one the grade decides: good and gradable are accepted,
    usable is reviewed, reject and ungradable are taken again; where a model gives a score only,
    it is taken again from 0.5 on.
    """

    accept: float | None = None  # score in [0, 1]; both or neither
    recapture: float | None = None
    ungradable: float = 0.5  # p_ungradable from here on is 'ungradable'
    details: Mapping[str, float] = dataclasses.field(default_factory=dict)  # 0.5 where not named
    map: float = 0.5  # a cell from here on is bad

    def __post_init__(self) -> None:
        band = (self.accept, self.recapture)
        if (self.accept is None) != (self.recapture is None) or (
            self.accept is not None and self.recapture is not None and self.accept > self.recapture
        ):
            raise ValueError(
                f"thresholds accept, recapture = {band}: expected two scores, the first not above "
                "the second, or neither"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Thresholds":
        """Reads the `thresholds` of a model's config.json.

        Raises:
          ValueError: a name that does not exist, or a band with one end.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"thresholds {unknown} are not known; known: {known}")
        return cls(**values)


def decide(score: float, quality: str, thresholds: Thresholds) -> str:
    """Decision on one photograph.

    Args:
      score: [0, 1], higher worse; NaN where the model has none.
      quality: good | usable | reject | gradable | ungradable | '' where the model does not grade.
      thresholds: see Thresholds.

    Returns:
      accept | review | recapture; review where nothing is there to decide by.
    """
    if thresholds.accept is not None and thresholds.recapture is not None and score == score:
        if score < thresholds.accept:
            return "accept"
        return "recapture" if score >= thresholds.recapture else "review"
    if quality:
        by_grade = {"good": "accept", "gradable": "accept", "usable": "review"}
        return by_grade.get(quality, "recapture")
    if math.isnan(score):
        return "review"
    return "recapture" if score >= 0.5 else "accept"


def bad_area(
    quality_map: NDArray[np.floating], fov: NDArray[np.uint8] | None, threshold: float
) -> tuple[float, str]:
    """How much of the field of view is bad, and where.

    Args:
      quality_map: [h, w] float in [0, 1], 1 = bad.
      fov: [S, S] uint8, 1 inside the field; None: everything is inside.
      threshold: cells from here on count.

    Returns:
      (share of the field's cells in [0, 1], place in words: '' | 'centre' | 'all over' |
      'upper left' ...). NaN and '' where no cell lies inside.
    """
    h, w = quality_map.shape
    inside = np.ones((h, w), bool)
    if fov is not None:
        rows = ((np.arange(h) + 0.5) * fov.shape[0] / h).astype(np.int64)
        columns = ((np.arange(w) + 0.5) * fov.shape[1] / w).astype(np.int64)
        inside = fov[np.ix_(rows, columns)] > 0
    if not inside.any():
        return float("nan"), ""
    bad = inside & (quality_map >= threshold)
    share = float(bad.sum() / inside.sum())
    if not bad.any():
        return share, ""
    if share > 0.8:
        return share, "all over"
    y, x = (np.argwhere(bad).mean(0) + 0.5) / (h, w) * 2 - 1  # -1..1, the field's centre is 0
    down = "lower" if y > 0 else "upper"
    across = "right" if x > 0 else "left"
    if math.hypot(y, x) < 0.2:
        return share, "centre" if share < 0.5 else "all over"
    # Within 22.5 degrees of an axis only that axis is named.
    if abs(x) < abs(y) * math.tan(math.pi / 8):
        return share, f"{down} part"
    if abs(y) < abs(x) * math.tan(math.pi / 8):
        return share, across
    return share, f"{down} {across}"


def explain(
    details: Sequence[str],
    p_details: Iterable[float],
    decision: str,
    quality: str,
    thresholds: Thresholds,
    area: float = float("nan"),
    place: str = "",
) -> tuple[str, str]:
    """Reasons and advice for one photograph.

    Args:
      details: K names of defects; `p_details`: their probabilities, NaN = no such output.
      decision: accept | review | recapture.
      quality: the grade in a word, or ''.
      thresholds: a defect is named from its own threshold on.
      area: share of the field that is bad, NaN without a map; `place`: where, in words.

    Returns:
      (reasons joined by '; ', most probable first; advice, '' where the photograph is accepted).
    """
    named = sorted(
        (
            (p, name)
            for name, p in zip(details, p_details, strict=True)
            if p >= thresholds.details.get(name, 0.5)
        ),
        key=lambda pair: -pair[0],
    )
    found = [(name, defect(name)) for _, name in named]
    reasons = [f"{name}: {record.says} ({record.cause})" for name, record in found]
    if area >= NAMED_AREA:
        reasons.append(f"map: {area:.0%} of the field bad" + (f", {place}" if place else ""))
    if decision == "accept":
        return "; ".join(reasons), ""
    if not reasons:
        grade = "score beyond the limit" if quality in ("", "good", "gradable") else quality
        reasons.append(f"overall: {grade}, no single cause stands out")
    advice = list(dict.fromkeys(record.advice for _, record in found)) or [_GENERAL]
    if len(advice) > 1:  # said once, at the end
        stays = any(_STAYS in text for text in advice)
        advice = [text.replace(_STAYS, "").strip() for text in advice] + [_STAYS] * stays
    return "; ".join(reasons), " ".join(advice)
