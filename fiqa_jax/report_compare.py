"""The part of the report that a comparison of stages gets, from its compare.csv."""

import csv
from collections.abc import Mapping
from pathlib import Path

from fiqa_jax import figures
from fiqa_jax.page import Item, Picture, Section, Table
from fiqa_jax.report_stage import LABELS, short


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
        head = ("stage", "value, patients", "mean, seeds", "difference", "p", "difference, seeds")
        body = tuple(
            (
                f"{row['stage']}|{row['n']} photographs, {row['seeds']} seeds",
                _span(row, "value", "low", "high"),
                _span(row, "seed_mean", "seed_low", "seed_high"),
                _span(row, "difference", "difference_low", "difference_high"),
                short(row["p"]),
                _span(row, "seed_difference", "seed_difference_low", "seed_difference_high"),
            )
            for row in here
        )
        items.append(Table(head, body, title))
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
            label = f"{title}: difference from {reference}"
            picture = figures.intervals(gaps, zero=True, label=label)
            items.append(Picture(f"{name}-{key[0]}-{key[1]}", picture, f"{label}, over patients."))
    return Section(f"Comparison: {name}", tuple(items))


def _span(row: Mapping[str, str], value: str, low: str, high: str) -> str:
    if not row[value]:
        return ""
    text = short(row[value])
    bounds = [short(row[name]) for name in (low, high)]
    return text if "nan" in bounds or "" in bounds else f"{text}|{bounds[0]} to {bounds[1]}"
