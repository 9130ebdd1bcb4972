"""A row of the lists of what was published, and what several methods share."""

from typing import Any, NamedTuple

NOT_PUBLISHED = object()  # nothing in the paper or its code says


class Row(NamedTuple):
    """One setting.

    Attributes:
      setting: field of the recipe, as `--config.SETTING=` takes it.
      paper: the published value.
      source: where it stands.
      reason: why the default is another, or why `:paper` is.
      value: what `:paper` has where that is not `paper`; needs a reason.
    """

    setting: str
    paper: Any
    source: str
    reason: str = ""
    value: Any = ...


class Method(NamedTuple):
    """A table: the config, its arguments for `:paper` and for the default, and the rows.

    `shared` are rows of another table, which hold for this config, too, and are shown once.
    """

    title: str
    config: str
    argument: str
    default: str
    rows: tuple[Row, ...]
    shared: tuple[Row, ...] = ()


ALL = ((".*", 1.0),)
REVISION = "ea8dc2863c51be0a264bab82070e3e8836b02d51"
DINOV3 = "facebook/dinov3-vitl16-pretrain-lvd1689m"
SPEED = "the default runs on two CPU cores in minutes"
FEW = "few photographs: few, larger steps"
OWN_DATA = "the default makes its own photographs"
SEED = "random numbers of two frameworks differ whatever the seed: runs are repeated instead"
SQUASH = "the default crops to the field, which keeps the pixels for the eye"
OUTSIDE = "what a camera leaves black is no bad place of the eye"


def adamw(stage: str, rate: float = 1e-3, reason: str = "") -> tuple[Row, ...]:
    """PyTorch's AdamW as it comes: no schedule, all parameters decay, nothing is clipped."""
    at = f"stage.{stage}.optim."
    source = "C: torch.optim.AdamW, its defaults"
    return (
        Row(f"{at}name", "adamw", "P, C"),
        Row(f"{at}lr", rate, "P, C", reason),
        Row(f"{at}schedule", "constant", "C", reason),
        Row(f"{at}warmup", 0.0, "C"),
        Row(f"{at}b1", 0.9, source),
        Row(f"{at}b2", 0.999, source),
        Row(f"{at}eps", 1e-8, source),
        Row(f"{at}weight_decay", 0.01, source),
        Row(f"{at}decay", ALL, source),
        Row(f"{at}clip", 0.0, source),
        Row(f"{at}ema", 0.0, source),
    )
