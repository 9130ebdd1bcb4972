"""What an audit found: records, and sentences made of them."""

import dataclasses
from collections.abc import Mapping

from input_pipeline.readers import Counts

_SHOWN = 5  # counts that differ, named in a sentence


@dataclasses.dataclass(frozen=True)
class Shared:
    """Of the `total` patients (eyes) in split `one`, `count` are in split `other` as well."""

    what: str  # patients | eyes
    one: str
    other: str
    count: int
    total: int
    photographs: int  # of `one` that belong to them
    examples: tuple[str, ...]

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.count / self.total if self.total else 0.0


@dataclasses.dataclass(frozen=True)
class Conflict:
    """Labels that do not go together in `count` of `total` cases."""

    what: str
    count: int
    total: int
    examples: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Copies:
    """Pairs of photographs that look the same.

    Attributes:
      pairs: how many, over all splits.
      across: (split, split) -> pairs that stand in two splits.
      patients: pairs that are given as different patients.
      labels: pairs whose labels differ.
      examples: (id, id, correlation), those across splits first.
      failed: photographs that could not be compared.
    """

    pairs: int
    across: Mapping[tuple[str, str], int]
    patients: int
    labels: int
    examples: tuple[tuple[str, str, float], ...]
    failed: int


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Photographs, and patients, of another set in each split of this one."""

    name: str
    photographs: Mapping[str, int]
    patients: Mapping[str, int]
    total: int


@dataclasses.dataclass(frozen=True)
class Audit:
    """All findings on one table."""

    name: str
    splits: Counts  # split -> photographs, patients, classes
    patients_known: bool
    eyes_known: bool
    shared: tuple[Shared, ...]
    counts: tuple[tuple[str, str, int, int], ...]  # group, what, counted, published
    conflicts: tuple[Conflict, ...]
    copies: Copies | None  # None where photographs were not compared
    overlaps: tuple[Overlap, ...]
    notes: tuple[str, ...]

    @property
    def leaks(self) -> bool:
        """Whether a patient, an eye or a photograph stands in two splits."""
        return any(s.count for s in self.shared) or bool(self.copies and self.copies.across)


def text(audit: Audit) -> str:
    """The findings as lines for a terminal and a log."""
    return "\n".join(
        [f"audit of {audit.name or 'the table'}", *(f"  {s}" for s in findings(audit))]
    )


def findings(audit: Audit) -> list[str]:
    """One sentence for each finding, the grave ones first."""
    out = []
    for s in audit.shared:
        if s.count:
            out.append(
                f"LEAKAGE: {s.count:,} of {s.total:,} {s.what} in {s.one} ({s.share:.0%}) are in "
                f"{s.other} as well, with {s.photographs:,} photographs of {s.one}; for instance "
                f"{', '.join(s.examples[:3])}"
            )
    clean = [s for s in audit.shared if not s.count]
    if clean and not audit.patients_known:
        out.append("patients are not known: each photograph counts as its own")
    elif clean:
        names = dict.fromkeys(f"{s.one} and {s.other} share no {s.what}" for s in clean)
        out.append("; ".join(names))
    if len(audit.splits) < 2:
        out.append("one split only: nothing to compare")
    out += _copy_findings(audit.copies)
    wrong = [c for c in audit.counts if c[2] != c[3]]
    if wrong:
        shown = "; ".join(f"{g}: {w} {n:,} (published {p:,})" for g, w, n, p in wrong[:_SHOWN])
        out.append(
            f"COUNTS: {len(wrong)} of {len(audit.counts)} differ from the published: {shown}"
        )
    elif audit.counts:
        out.append(f"all {len(audit.counts)} published counts are met")
    for c in audit.conflicts:
        more = f", for instance {', '.join(c.examples[:3])}" if c.examples else ""
        out.append(f"{c.what}: {c.count:,} of {c.total:,}{more}")
    for o in audit.overlaps:
        where = ", ".join(f"{count:,} in {split}" for split, count in o.photographs.items())
        kin = ", ".join(f"{count:,} in {split}" for split, count in o.patients.items())
        out.append(f"of {o.total:,} photographs of {o.name}: {where}; patients of it: {kin}")
    return out


def _copy_findings(copies: Copies | None) -> list[str]:
    if copies is None:
        return ["copies of photographs were not looked for"]
    out = []
    for (one, other), count in copies.across.items():
        out.append(
            f"LEAKAGE: {count:,} pairs of alike photographs between {one or 'none'} and {other}"
        )
    if copies.pairs:
        shown = "; ".join(f"{a} = {b} ({close:.3f})" for a, b, close in copies.examples[:3])
        out.append(
            f"{copies.pairs:,} pairs of photographs look the same: {copies.patients:,} of them are "
            f"given as different patients, {copies.labels:,} have different labels; look at {shown}"
        )
    else:
        out.append("no two photographs look the same")
    if copies.failed:
        out.append(f"{copies.failed:,} photographs could not be read and were not compared")
    return out
