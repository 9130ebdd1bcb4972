"""Defects as they are: light, sensor, processing and file, with what can still be seen as truth."""

from input_pipeline.synthetic.defects.defect import CAUSES
from input_pipeline.synthetic.defects.engine import (
    Degraded,
    Item,
    Prepared,
    apply,
    degrade,
    prepare,
)
from input_pipeline.synthetic.defects.kinds import CONTROLS, KINDS, Kind

__all__ = [
    "CAUSES",
    "CONTROLS",
    "KINDS",
    "Degraded",
    "Item",
    "Kind",
    "Prepared",
    "apply",
    "degrade",
    "prepare",
]
