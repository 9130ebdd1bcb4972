"""A grader and a map from openly licensed photographs alone: what ships as `open`.

    python benchmarks/open_table.py --hrf HRF --chase CHASE_DB1 --idrid IDRID --output open.csv
    python -m fiqa_jax.main --config configs/open.py --config.data.path=open.csv

Good photographs of HRF, CHASE_DB1 and IDRiD take on defects as they are, and both parts of the
grader learn from what can then still be seen: `view` a map with causes, `grade` the grade and the
defects of the whole photograph. Nobody's grades are used, not even for a threshold.

Arguments behind a colon: `tiny` (under a minute).
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(arg, tiny=False)
    c = defaults.base()
    c.name = "open"
    c.method.update(defaults.METHODS["grader"])
    c.method.parts = ("grade", "view")
    c.data.source = "defects"
    c.data.copies = 40
    c.data.side = 128
    c.data.split = (0.85, 0.15, 0.0)
    c.data.details = ("illumination", "clarity", "contrast", "artefact")
    c.data.cache = "disk"
    c.augment.train = "flip|rotate(180)|zoom(0.94, 1.06)|shift(0.02)|tint(0.1)"
    c.optim.lr = 3e-3
    c.optim.warmup = 0.05
    c.optim.weight_decay = 0.05
    c.optim.ema = 0.99
    c.train.batch = 32
    c.train.steps = 320  # a short run: its loss still falls
    c.train.eval_every = 0.5
    if args.tiny:
        c.data.side = 32
        c.data.copies = 1
        c.data.cache = "memory"
        c.model.width = 0.5
        c.train.batch = 8
        c.train.steps = 4
        c.train.eval_every = 1.0
    defaults.add_stage(c, "grader", "train", uses="grader")
    again = {"optim": {"lr": c.optim.lr * 2 / 3}, "model": {"init": "grader"}}
    again |= {"train": {"steps": max(1, c.train.steps * 21 // 16)}}
    defaults.add_stage(c, "longer", "train", uses="grader", **again)
    defaults.add_stage(c, "calibrated", "fit", of="longer", artefact="calibration")
    c.deliver = "calibrated"
    return c
