"""One grader for photographs of every size, from a table of graded photographs.

    python -m fiqa_jax.main --config configs/eyeq.py --config.data.path=EYEQ/labels.csv

The table has the columns `path`, `patient`, `split` and `quality`. Photographs are read at 128 px;
those that are trained on come with copies at other sizes and JPEG qualities, and the size of the
field in the file travels with each (`data.source=resaved`). The last stage fits a temperature and
the thresholds of the decision on the validation split. WORKDIR/model is what ships as `fundus`
(`benchmarks/join_graders.py` puts the map of `open` beside it).

Arguments behind a colon: `tiny` (under a minute), `large` (for a GPU: 256 px, twice the channels,
bfloat16, a longer run).
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(arg, tiny=False, large=False)
    c = defaults.base()
    c.name = "eyeq"
    c.method.update(defaults.METHODS["grader"])
    c.method.turns = 4
    c.data.source = "resaved"
    c.data.base = "csv"
    c.data.copies = 1
    c.data.side = 128
    c.data.details = ()
    c.data.cache = "disk"
    # Brightness is part of the grade: colours change a little only.
    c.augment.train = "flip|rotate(180)|zoom(0.94, 1.06)|shift(0.02)|brightness(0.06)|tint(0.04)"
    c.optim.lr = 3e-3
    c.optim.warmup = 0.05
    c.optim.weight_decay = 0.05
    c.optim.ema = 0.99
    c.train.batch = 64
    c.train.steps = 3000
    c.train.eval_every = 0.25
    if args.large:
        _large(c)
    if args.tiny:
        _tiny(c)
    defaults.add_stage(c, "grader", "train", uses="grader")
    # Once more from where it stood, by smaller steps: a restart of the cosine (Loshchilov 2017).
    again = {"optim": {"lr": c.optim.lr / 2}, "model": {"init": "grader"}}
    again |= {"train": {"steps": max(1, c.train.steps * 13 // 30)}}
    defaults.add_stage(c, "longer", "train", uses="grader", **again)
    defaults.add_stage(c, "calibrated", "fit", of="longer", artefact="calibration")
    c.deliver = "calibrated"
    return c


def _large(c: ConfigDict) -> None:
    c.data.side = 256
    c.data.copies = 3
    c.model.width = 2.0
    c.model.precision = "bfloat16"
    c.train.batch = 128
    c.train.steps = 6000


def _tiny(c: ConfigDict) -> None:
    c.data.side = 32
    c.data.cache = "memory"
    c.model.width = 0.5
    c.train.batch = 8
    c.train.steps = 4
    c.train.eval_every = 1.0
