"""A map and a grade from openly licensed photographs alone: what ships as `open`.

    python benchmarks/open_table.py --hrf HRF --chase CHASE_DB1 --idrid IDRID --output open.csv
    python -m fiqa_jax.main --config configs/open.py --config.data.path=open.csv

Good photographs of HRF, CHASE_DB1 and IDRiD take on defects as they are; `view` learns what can
then still be seen of every cell and what is in the way, `summary` the grade and the defects of the
whole photograph out of that map. Nobody's grades are used, not even for a threshold.

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
    c.method.parts = ("view", "summary")
    c.data.source = "defects"
    c.data.copies = 40
    c.data.side = 512
    c.data.split = (0.85, 0.15, 0.0)
    c.data.details = ("illumination", "clarity", "contrast", "artefact")
    c.data.cache = "disk"
    c.augment.train = ""  # cells are turned, photographs come in other colours from the engine
    c.optim.lr = 3e-3
    c.optim.warmup = 0.05
    c.optim.weight_decay = 0.05
    c.optim.ema = 0.99
    c.train.batch = 16
    c.train.steps = 1500
    c.train.eval_every = 0.25
    if args.tiny:
        c.data.side = 256
        c.data.copies = 1
        c.data.cache = "memory"
        c.model.width = 0.5
        c.train.batch = 8
        c.train.steps = 4
        c.train.eval_every = 1.0
    defaults.add_stage(c, "cells", "train", uses="grader")
    # Half of the copies are poor, of a screening's photographs a fifth: the grade decides.
    fit = {"of": "cells", "artefact": "calibration", "band": False}
    defaults.add_stage(c, "calibrated", "fit", **fit)
    c.deliver = "calibrated"
    return c
