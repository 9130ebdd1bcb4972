"""The audit's page in the report."""

from collections.abc import Iterable

from fiqa_jax.report.findings import Audit, findings
from fiqa_jax.report.page import Item, Section, Table


def section(found: Audit) -> Section:
    """Findings in words, then the tables behind them."""
    items: list[Item] = list(findings(found))
    items.append(_splits(found))
    tables = (
        _table(
            "Shared between splits",
            ("", "in", "also in", "count", "share", "photographs", "for instance"),
            (
                (
                    s.what,
                    s.one,
                    s.other,
                    f"{s.count:,} of {s.total:,}",
                    f"{s.share:.1%}",
                    f"{s.photographs:,}",
                    ", ".join(s.examples[:3]),
                )
                for s in found.shared
            ),
        ),
        _table(
            "Photographs that look the same, those in two splits first",
            ("photograph", "and", "correlation"),
            ((a, b, f"{c:.3f}") for a, b, c in (found.copies.examples if found.copies else ())),
        ),
        _table(
            "Counts against the published ones",
            ("split or group", "what", "counted", "published", ""),
            (
                (group, what, f"{n:,}", f"{p:,}", "" if n == p else "differs")
                for group, what, n, p in found.counts
            ),
        ),
        _table(
            "Labels that clash",
            ("labels", "count", "for instance"),
            (
                (c.what, f"{c.count:,} of {c.total:,}", ", ".join(c.examples))
                for c in found.conflicts
            ),
        ),
        _table(
            "Photographs and patients of other sets",
            ("other set", "in split", "its photographs", "its patients"),
            (
                (o.name, split, f"{o.photographs[split]:,}", f"{o.patients[split]:,}")
                for o in found.overlaps
                for split in o.photographs
            ),
        ),
        _table("", ("How the labels were read",), ((note,) for note in found.notes)),
    )
    items += [table for table in tables if table.rows]
    title = f"Audit of {found.name}" if found.name else "Audit"
    return Section(title, tuple(items), opened=found.leaks)


def _table(caption: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    return Table(head, tuple(rows), caption)


def _splits(found: Audit) -> Table:
    what = list(dict.fromkeys(key for counts in found.splits.values() for key in counts))
    rows = tuple(
        (split, *(f"{counts[key]:,}" if key in counts else "" for key in what))
        for split, counts in found.splits.items()
    )
    return Table(("split", *what), rows, "Photographs, patients and classes")
