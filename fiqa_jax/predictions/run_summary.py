"""What a run over photographs found, in words for the end of the command."""

import collections
from collections.abc import Iterable, Sequence

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
    rows: Iterable[Row], new: int, seconds: float, closed: Sequence[folders.Other] = ()
) -> str:
    """What the run found, for the end of the command: what is to be done, and why.

    Args:
      rows: every row of the run, looked at once; `new`: how many were judged now, in `seconds`.
      closed: folders that were not gone into.
    """
    counts = collections.Counter[str]()  # of decisions and statuses
    causes = {decision: collections.Counter[str]() for decision in DECISION_WORDS}
    named: dict[str, list[str]] = {status: [] for status in STATUS_WORDS}
    for row in rows:
        status = row["status"]
        kind = row["decision"] if status == "ok" else status
        counts[kind] += 1
        if kind in causes:
            each = (reason.split(":")[0] for reason in (row["reasons"] or "").split("; "))
            causes[kind].update([*dict.fromkeys(each)])
        elif status in named and len(named[status]) < NAMED:
            named[status].append(
                f"{row['path']}: {row['error']}" if status == "skipped" else row["error"]
            )
    speed = f", {new / max(seconds, 1e-9):.1f} a second" if new else ""
    lines = [f"{counts.total()} files ({new} new{speed})"]
    for decision, says in DECISION_WORDS.items():
        why = _causes(causes[decision]) if decision != "accept" else ""
        lines.append(f"  {counts[decision]:6,}  {says}{why}")
    for status, says in STATUS_WORDS.items():
        if count := counts[status]:
            lines.append(f"  {count:6,}  {says}")
            if status != "out_of_scope":
                lines += [f"          {text}" for text in named[status]]
                more = [f"          and {count - NAMED} more, see the report"]
                lines += more if count > NAMED else []
    if closed:
        open_to_it = any(one.what != folders.RESULTS_SAYS for one in closed)
        hint = "; --recursive takes them" if open_to_it else ""
        lines.append(f"  {len(closed):6,}  folders not gone into{hint}")
        lines += [f"          {one.path}: {one.what}" for one in closed[:NAMED]]
    return "\n".join(lines)


def _causes(named: collections.Counter[str]) -> str:
    """': clarity 12, illumination 3', what was named by how often."""
    text = ", ".join(
        f"{CAUSE_WORDS.get(name, name)} {n}" for name, n in named.most_common() if name
    )
    return f": {text}" if text else ""
