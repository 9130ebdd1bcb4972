"""From probabilities to what a photographer does next: decision, named reasons, advice.

A reason has a cause. `capture`: the photograph, so taking it again can help. `media`: the eye (lens
opacity, small pupil), so it cannot (Shi et al. 2022 separate the two for this reason). The advice
concerns the taking of the photograph only.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from input_pipeline.photo.view import TOO_SMALL, TWO_FIELDS

DECISIONS = ("accept", "review", "recapture")
NAMED_AREA = 0.05  # a bad share of the field below this is not worth a reason
# One rule for decision, reasons and bad area: with so much of the field bad, a photograph is not
# accepted, or is taken again, whatever its score; so it is reviewed where the macula is lost.
AREA_REVIEW, AREA_RECAPTURE, MACULA_LOST = 0.25, 0.5, 0.5
FEW_PIXELS = 200  # across the field: fewer cannot show whether a photograph is sharp
MOST_SHOWN = 0.5  # of the round field: less of it in the picture is not accepted


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
# What takes a part of the field, in the words of a reason, and the defect whose advice helps.
CAUSES = {
    "illumination": ("too dark, too bright or glaring", "illumination"),
    "sharpness": ("blurred or noisy", "clarity"),
    "contrast": ("hazy", "contrast"),
    "covered": ("covered (lid, lashes, dust or text)", "artefact"),
}
_GENERAL = "Check focus, light, lids and fixation, then retake. " + _STAYS
OUT_OF_SCOPE = (
    "not a photograph of the inside of one eye",
    "Look at the file. If it is a photograph of the inside of an eye, predict it again with "
    "--allow-frame.",
)
# Beginnings of what the reader says of other pictures -> what a row says of the file, and advice.
_OTHER_PICTURES = {
    TWO_FIELDS: (TWO_FIELDS, "Cut the picture into one eye a file, then judge again."),
    TOO_SMALL: (TOO_SMALL, "Judge the photograph at its full size, as the camera stored it."),
}
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


def out_of_scope(reason: str) -> tuple[str, str]:
    """What a row says of a picture that is not judged, and what to do; `reason`: of the reader."""
    begins = (_OTHER_PICTURES[text] for text in _OTHER_PICTURES if reason.startswith(text))
    return next(begins, OUT_OF_SCOPE)


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


def too_few_pixels(across: float) -> Finding | None:
    """Of a field of so many original pixels, where they are too few to judge sharpness."""
    if across >= FEW_PIXELS:
        return None
    return Finding(
        "review",
        f"pixels: {across:.0f} across the field, too few to judge sharpness",
        "Judge the photograph at its full size, as the camera stored it.",
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
    return Finding("recapture", f"overall: nothing of a retina can be seen, {what}", _GENERAL)


def where_and_why(causes: Sequence[tuple[str, float, str]]) -> str:
    """Place and cause of what is bad in words, for `large_area` and `explain`.

    Args:
      causes: key of `CAUSES`, share of the field, place in words; the largest first. Those that
        take less than `NAMED_AREA` are left out, but for the first.
    """
    named = [cause for k, cause in enumerate(causes) if k == 0 or cause[1] >= NAMED_AREA]
    if len(named) == 1:
        return f"{named[0][2]}: {CAUSES[named[0][0]][0]}"
    return ", ".join(f"{place} {CAUSES[name][0]} ({share:.0%})" for name, share, place in named)


def large_area(
    area: float, place: str, band: bool = False, causes: Sequence[tuple[str, float, str]] = ()
) -> Finding | None:
    """Of a map that calls so much of the field bad; NaN for no map.

    With a `band` fitted to the score, that decides what is taken again. Of the `causes`, see
    `where_and_why`, the largest gives the advice.
    """
    if not area >= AREA_REVIEW:
        return None
    least = "recapture" if area >= AREA_RECAPTURE and not band else "review"
    what = defect(CAUSES[causes[0][0]][1]).advice if causes else _GENERAL
    return Finding(least, _area(area, place), what)


def macula_lost(share: float) -> Finding | None:
    """Of a map that calls so much of the macula bad; NaN where none was found."""
    if not share >= MACULA_LOST:
        return None
    return Finding("review", f"map: {share:.0%} of the macula bad", _GENERAL)


def settled(decision: str, findings: Iterable[Finding]) -> str:
    """The decision, made no milder than any of the findings allows."""
    return max([decision, *(finding.least for finding in findings)], key=DECISIONS.index)


def _area(area: float, place: str) -> str:
    return f"map: {area:.0%} of the field bad" + (f", {place}" if place else "")


def explain(
    details: Sequence[str],
    p_details: Iterable[float],
    decision: str,
    quality: str,
    thresholds: Thresholds,
    area: float = float("nan"),
    place: str = "",
    findings: Sequence[Finding] = (),
) -> tuple[str, str]:
    """Reasons and advice for one photograph.

    Args:
      details: K names of defects; `p_details`: their probabilities, NaN = no such output.
      decision: accept | review | recapture.
      quality: the grade in a word, or ''.
      thresholds: a defect is named from its own threshold on.
      area: share of the field that is bad, NaN without a map; `place`: where, in words.
      findings: named with their advice, those that limit the decision most first.

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
    records = [(name, defect(name)) for _, name in named]
    reasons = [f"{name}: {record.says} ({record.cause})" for name, record in records]
    limits = sorted(findings, key=lambda finding: -DECISIONS.index(finding.least))
    if area >= NAMED_AREA:
        reasons.append(_area(area, place))
    reasons += [finding.reason for finding in limits if finding.reason not in reasons]
    if decision == "accept":
        return "; ".join(reasons), ""
    if not reasons:
        grade = "score beyond the limit" if quality in ("", "good", "gradable") else quality
        reasons.append(f"overall: {grade}, no single cause stands out")
    advised = [record.advice for _, record in records] + [f.advice for f in limits]
    advice = list(dict.fromkeys(text for text in advised if text != _GENERAL)) or [_GENERAL]
    if len(advice) > 1:  # said once, at the end
        stays = any(_STAYS in text for text in advice)
        advice = [text.replace(_STAYS, "").strip() for text in advice] + [_STAYS] * stays
    return "; ".join(reasons), " ".join(advice)
