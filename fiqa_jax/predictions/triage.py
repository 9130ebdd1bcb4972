"""What is done with a photograph: accepted, reviewed by a person, or taken again.

A model's score or grade decides (`decide`); what is seen in the photograph itself (`Finding`) can
make a decision stricter, never milder (`settled`).
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fiqa_jax.predictions import defect_terms
from fiqa_jax.predictions.defect_terms import GENERAL

DECISIONS = ("accept", "review", "recapture")
# One rule for decision, reasons and bad area: with so much of the field bad, a photograph is not
# accepted, or is taken again, whatever its score; so it is reviewed where the macula is lost.
AREA_REVIEW, AREA_RECAPTURE, MACULA_LOST = 0.25, 0.5, 0.5
FEW_PIXELS = 200  # across the field: fewer cannot show whether a photograph is sharp
# Below lie 96 of 1,021 rejects of EyeQ, 1 of 933 usable and none of 4,392 good photographs, the
# darkest at 106 (docs/graded_photographs.md).
DARK = 65
MOST_SHOWN = 0.5  # of the round field: less of it in the picture is not accepted


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


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something seen in a photograph that limits its decision, whatever a model says."""

    least: str  # the mildest decision it leaves: review | recapture
    reason: str
    advice: str
    cause: str = ""  # key of `defect_terms.CAUSES`: what is bad in the map is bad for this


def too_few_pixels(across: float) -> Finding | None:
    """Of a field of so many original pixels, where they are too few to judge sharpness."""
    if across >= FEW_PIXELS:
        return None
    return Finding(
        "review",
        f"pixels: {across:.0f} across the field, too few to judge sharpness",
        "Judge the photograph at its full size, as the camera stored it.",
    )


def too_dark(brightest: float) -> Finding | None:
    """Of a field whose brightest twentieth begins at this value of 255.

    What else is wrong with it cannot be told then: haze and blur look alike in the dark.
    """
    if brightest >= DARK:
        return None
    return Finding(
        "review",
        f"illumination: too dark, the brightest parts of the field at {brightest:.0f} of 255",
        defect_terms.DEFECTS["illumination"].advice,
        "illumination",
    )


def cut_field(shown: float) -> Finding | None:
    """Of a round field of which so much lies in the picture, 0 to 1; NaN: it is not known."""
    if shown >= MOST_SHOWN:
        return None
    if math.isnan(shown):
        return Finding(
            "review",
            "field: no round edge of it in the picture, so how much is missing is not known",
            "Export the whole photograph; if it was cut on purpose, judge it again with "
            "--allow-frame.",
        )
    return Finding(
        "review",
        f"field: only {shown:.0%} of it lies in the picture",
        "Export the whole photograph; if the camera cut it, retake.",
    )


def nothing_seen(what: str) -> Finding | None:
    """Of a picture that is black, white or blurred all over (`what`); '' for none of these."""
    if not what:
        return None
    return Finding("recapture", f"overall: nothing of a retina can be seen, {what}", GENERAL)


def large_area(
    area: float, place: str, band: bool = False, causes: Sequence[tuple[str, float, str]] = ()
) -> Finding | None:
    """Of a map that calls so much of the field bad; NaN for no map.

    With a `band` fitted to the score, that decides what is taken again. Of the `causes`, see
    `defect_terms.where_and_why`, the largest gives the advice.
    """
    if not area >= AREA_REVIEW:
        return None
    least = "recapture" if area >= AREA_RECAPTURE and not band else "review"
    what = defect_terms.defect(defect_terms.CAUSES[causes[0][0]][1]).advice if causes else GENERAL
    return Finding(least, defect_terms.bad_area(area, place), what)


def macula_lost(share: float) -> Finding | None:
    """Of a map that calls so much of the macula bad; NaN where none was found."""
    if not share >= MACULA_LOST:
        return None
    return Finding("review", f"map: {share:.0%} of the macula bad", GENERAL)


def settled(decision: str, findings: Iterable[Finding]) -> str:
    """The decision, made no milder than any of the findings allows."""
    return max([decision, *(finding.least for finding in findings)], key=DECISIONS.index)
