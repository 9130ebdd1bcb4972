"""What a run over photographs found, in words for the end of the command."""

import collections
from collections.abc import Sequence

from fiqa_jax.predictions.schema import Row
from input_pipeline.tables import folders

DECISION_WORDS = {
    "accept": "good enough to read",
    "review": "to be looked at by a person",
    "recapture": "to be taken again",
}
STATUS_WORDS = {
    "out_of_scope": "not judged: no photograph of the inside of one eye",
    "error": "could not be read",
    "skipped": "passed over, no photographs",
}
NAMED = 5  # files of a kind that the summary names
CAUSE_WORDS = {"map": "a part cannot be seen", "overall": "no single cause"}


def summary(
    rows: Sequence[Row], new: int, seconds: float, closed: Sequence[folders.Other] = ()
) -> str:
    """What the run found, for the end of the command: what is to be done, and why.

    Args:
      rows: every row of the run; `new`: how many were judged now, in `seconds`.
      closed: folders that were not gone into.
    """
    judged = [row for row in rows if row["status"] == "ok"]
    speed = f", {new / max(seconds, 1e-9):.1f} a second" if new else ""
    lines = [f"{len(rows)} files ({new} new{speed})"]
    for decision, says in DECISION_WORDS.items():
        those = [row for row in judged if row["decision"] == decision]
        lines.append(f"  {len(those):6,}  {says}{_causes(those) if decision != 'accept' else ''}")
    for status, says in STATUS_WORDS.items():
        those = [row for row in rows if row["status"] == status]
        if those:
            lines.append(f"  {len(those):6,}  {says}")
            named = [row["error"] for row in those]
            if status == "skipped":
                named = [f"{row['path']}: {row['error']}" for row in those]
            if status != "out_of_scope":
                lines += [f"          {text}" for text in named[:NAMED]]
                more = [f"          and {len(those) - NAMED} more, see the report"]
                lines += more if len(those) > NAMED else []
    if closed:
        open_to_it = any(one.what != folders.RESULTS_SAYS for one in closed)
        hint = "; --recursive takes them" if open_to_it else ""
        lines.append(f"  {len(closed):6,}  folders not gone into{hint}")
        lines += [f"          {one.path}: {one.what}" for one in closed[:NAMED]]
    return "\n".join(lines)


def _causes(rows: Sequence[Row]) -> str:
    """': clarity 12, illumination 3', the reasons of these rows by how often they are named."""
    named = collections.Counter(
        cause
        for row in rows
        for cause in dict.fromkeys(r.split(":")[0] for r in (row["reasons"] or "").split("; "))
    )
    text = ", ".join(
        f"{CAUSE_WORDS.get(name, name)} {n}" for name, n in named.most_common() if name
    )
    return f": {text}" if text else ""
