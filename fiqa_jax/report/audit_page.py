"""The audit's page in the report."""

from collections.abc import Iterable

from fiqa_jax.report.findings import Audit, findings
from fiqa_jax.report.page import Item, Section, Table


def section(audit: Audit) -> Section:
    """Findings in words, then the tables behind them."""
    items: list[Item] = list(findings(audit))
    items.append(_splits(audit))
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
                for s in audit.shared
            ),
        ),
        _table(
            "Photographs that look the same, those in two splits first",
            ("photograph", "and", "correlation"),
            ((a, b, f"{c:.3f}") for a, b, c in (audit.copies.examples if audit.copies else ())),
        ),
        _table(
            "Counts against the published ones",
            ("split or group", "what", "counted", "published", ""),
            (
                (group, what, f"{n:,}", f"{p:,}", "" if n == p else "differs")
                for group, what, n, p in audit.counts
            ),
        ),
        _table(
            "Labels that clash",
            ("labels", "count", "for instance"),
            (
                (c.what, f"{c.count:,} of {c.total:,}", ", ".join(c.examples))
                for c in audit.conflicts
            ),
        ),
        _table(
            "Photographs and patients of other sets",
            ("other set", "in split", "its photographs", "its patients"),
            (
                (o.name, split, f"{o.photographs[split]:,}", f"{o.patients[split]:,}")
                for o in audit.overlaps
                for split in o.photographs
            ),
        ),
        _table("", ("How the labels were read",), ((note,) for note in audit.notes)),
    )
    items += [table for table in tables if table.rows]
    title = f"Audit of {audit.name}" if audit.name else "Audit"
    return Section(title, tuple(items), opened=audit.leaks)


def _table(caption: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    return Table(head, tuple(rows), caption)


def _splits(audit: Audit) -> Table:
    what = list(dict.fromkeys(key for counts in audit.splits.values() for key in counts))
    rows = tuple(
        (split, *(f"{counts[key]:,}" if key in counts else "" for key in what))
        for split, counts in audit.splits.items()
    )
    return Table(("split", *what), rows, "Photographs, patients and classes")
