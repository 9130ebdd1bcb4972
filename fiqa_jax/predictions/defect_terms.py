"""Defects of photographs in words: what each looks like, its cause, what to do about it.

A reason has a cause. `capture`: the photograph, so taking it again can help. `media`: the eye (lens
opacity, small pupil), so it cannot (Shi et al. 2022 separate the two for this reason).
"""

import dataclasses
from collections.abc import Sequence

NAMED_AREA = 0.05  # a bad share of the field below this is not worth a reason


@dataclasses.dataclass(frozen=True)
class Defect:
    """What a defect looks like, where it comes from and what to do about it."""

    says: str
    cause: str  # capture | capture or media
    advice: str


STAYS = "If a second photograph looks the same, the eye may be the cause: record it, do not repeat."
_ARTEFACT = Defect(
    "lashes, lid, dust or reflections",
    "capture",
    "Lift the lid, clear the lashes, clean the lens, then retake.",
)
_CLARITY = Defect(
    "blurred or hazy",
    "capture or media",
    f"Clean the lens, refocus, let the patient blink and fixate, then retake. {STAYS}",
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
        f"Darken the room, let the pupil widen, clean the lens, then retake. {STAYS}",
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
GENERAL = "Check focus, light, lids and fixation, then retake. " + STAYS


def defect(name: str) -> Defect:
    """The record of a detail; a name that is not known stands for itself, with general advice."""
    return DEFECTS.get(name.lower(), Defect(name, "cause not known", GENERAL))


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


def bad_area(area: float, place: str) -> str:
    """A bad share of the field as a reason; `place`: where, in words, or ''."""
    return f"map: {area:.0%} of the field bad" + (f", {place}" if place else "")
