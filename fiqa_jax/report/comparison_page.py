"""The part of the report that a comparison of stages gets, from its compare.csv."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from fiqa_jax.report import figures
from fiqa_jax.report.page import Item, Picture, Section, Table
from fiqa_jax.report.stage_page import LABELS, short


def compare_section(name: str, file: Path) -> Section:
    """compare.csv: one table and one drawing of the differences for each metric."""
    with open(file, encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    items: list[Item] = [
        "Intervals over patients: one prediction per photograph, averaged over seeds, patients "
        "resampled. Intervals over seeds: Student's t of the metric per seed. They answer "
        "different questions and are not pooled."
    ]
    for key in dict.fromkeys((row["head"], row["metric"]) for row in rows):
        here = [row for row in rows if (row["head"], row["metric"]) == key]
        title = f"{key[0]}, {LABELS.get(key[1], key[1])}"
        several = any(row["seeds"] not in ("", "1") for row in here)
        items.append(_table(here, title, several))
        gaps = [
            (
                row["stage"],
                float(row["difference"]),
                float(row["difference_low"]),
                float(row["difference_high"]),
            )
            for row in here
            if row["difference"]
        ]
        if gaps:
            reference = next((row["stage"] for row in here if not row["difference"]), "reference")
            picture = figures.intervals(gaps, zero=True, label=f"difference from {reference}")
            items.append(Picture(f"{name}-{key[0]}-{key[1]}", picture, f"{title}, over patients."))
    return Section(f"Comparison: {name}", tuple(items))


def _table(rows: Sequence[Mapping[str, str]], title: str, several: bool) -> Table:
    """Values and differences; columns over seeds only where there are several."""
    columns = {
        "value, patients": ("value", "low", "high"),
        "mean, seeds": ("seed_mean", "seed_low", "seed_high"),
        "difference, patients": ("difference", "difference_low", "difference_high"),
        "p": ("p",),
        "difference, seeds": ("seed_difference", "seed_difference_low", "seed_difference_high"),
    }
    shown = {
        name: fields
        for name, fields in columns.items()
        if (several or "seeds" not in name) and any(row[fields[0]] for row in rows)
    }
    body = tuple(
        (row["stage"], *(_span(row, *fields) for fields in shown.values())) for row in rows
    )
    sizes = sorted({f"{row['n']} photographs, {row['patients']} patients" for row in rows})
    seeds = sorted({f"{row['seeds']} seeds" for row in rows}) if several else []
    return Table(("stage", *shown), body, f"{title}; {'; '.join([*sizes, *seeds])}")


def _span(row: Mapping[str, str], value: str, low: str = "", high: str = "") -> str:
    bounds = [short(row[name]) for name in (low, high) if name]
    if not row[value] or not bounds or "nan" in bounds or "" in bounds:
        return short(row[value])
    return f"{short(row[value])}|{bounds[0]} to {bounds[1]}"
