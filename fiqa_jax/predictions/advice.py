"""Reasons of a decision, and what a photographer does next; both concern the taking alone."""

from collections.abc import Iterable, Sequence

from fiqa_jax.predictions.defect_terms import GENERAL, NAMED_AREA, STAYS, bad_area, defect
from fiqa_jax.predictions.triage import DECISIONS, Finding, Thresholds
from input_pipeline.photo.view import TOO_SMALL, TWO_FIELDS

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


def out_of_scope(reason: str) -> tuple[str, str]:
    """What a row says of a picture that is not judged, and what to do; `reason`: of the reader."""
    begins = (_OTHER_PICTURES[text] for text in _OTHER_PICTURES if reason.startswith(text))
    return next(begins, OUT_OF_SCOPE)


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
      findings: named with their advice, those that limit the decision most first. Where one tells
        the cause of what is bad it comes before all, and other defects are not named.

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
    told = {finding.cause: finding for finding in findings if finding.cause}
    records = [(name, defect(name)) for _, name in named if not told or name in told]
    reasons = [finding.reason for finding in told.values()]
    reasons += [f"{name}: {record.says} ({record.cause})" for name, record in records]
    limits = sorted(findings, key=lambda finding: -DECISIONS.index(finding.least))
    if area >= NAMED_AREA:
        reasons.append(bad_area(area, place))
    reasons += [finding.reason for finding in limits if finding.reason not in reasons]
    if decision == "accept":
        return "; ".join(reasons), ""
    if not reasons:
        grade = "score beyond the limit" if quality in ("", "good", "gradable") else quality
        reasons.append(f"overall: {grade}, no single cause stands out")
    advised = [record.advice for _, record in records] + [f.advice for f in limits]
    advice = list(dict.fromkeys(text for text in advised if text != GENERAL)) or [GENERAL]
    if len(advice) > 1:  # said once, at the end
        stays = any(STAYS in text for text in advice)
        advice = [text.replace(STAYS, "").strip() for text in advice] + [STAYS] * stays
    return "; ".join(reasons), " ".join(advice)
