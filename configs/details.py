"""Which defect is it? Learned from drawn and degraded photographs, tested on other people's.

A network that names defects learns from synthetic eyes, then from degraded HRF (each photograph a
person of its own: the set does not say), and is applied to degraded CHASE_DB1, on which nothing was
trained, chosen or calibrated. Each table has the columns of its set's `labels.csv`: `image` and
`vessels` (HRF), `original`, `vessels` and `participant` (CHASE_DB1).

    python -m fiqa_jax.main --config configs/details.py \\
        --config.stage.photos.data.path=HRF/labels.csv \\
        --config.stage.elsewhere.data.path=CHASE_DB1/labels.csv
    python -m fiqa_jax.benchmark details --workdir runs/details

The second command sets the network beside statistics of the photographs fitted on the same training
rows. Argument behind a colon: `tiny` (under a minute).
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring."""
    args = defaults.parse_arg(arg, tiny=False)
    c = defaults.base()
    c.name = "details"
    c.method.update(defaults.METHODS["multitask"])
    c.method.heads = ("details",)
    c.data.side = 128
    c.data.classes = 0
    c.data.details = ("illumination", "clarity", "contrast", "artefact")
    c.data.lq_ratio = 0.7
    c.data.style = "abc"
    c.data.count = 1600
    c.data.seed = 1
    c.data.split = (0.9, 0.1, 0.0)
    c.model.width = 0.25
    # What resamples also blurs, and clarity is a label; other cameras have other colours.
    c.augment.train = "flip|tint(0.3)|gamma(0.4)"
    c.optim.lr = 2e-3
    c.optim.warmup = 0.05
    c.train.batch = 32
    c.train.epochs = 16.0
    if args.tiny:
        c.data.side = 48
        c.data.count = 48
        c.model.name = "tiny"
        c.model.width = 1.0
        c.train.update({"batch": 16, "epochs": 0.0, "steps": 4})
        c.train.update({"eval_every": 0.5, "save_every": 0.5})
    degraded = {"source": "degraded", "base": "csv", "path": ""}
    defaults.add_stage(c, "drawn", "train")
    defaults.add_stage(
        c,
        "photos",
        "train",
        data={**degraded, "copies": 2 if args.tiny else 32, "split": (0.8, 0.2, 0.0), "seed": 2},
        model={"init": "drawn"},
        # Gently: the photographs are of one camera, the synthetic eyes of many.
        optim={"lr": c.optim.lr / 8},
        train={"epochs": c.train.epochs / 4},
    )
    held_out = {
        **degraded,
        "columns": (("path", "original"), ("patient", "participant")),
        "copies": 2 if args.tiny else 20,
        "seed": 3,
    }
    defaults.add_stage(c, "elsewhere", "apply", of="photos", split="all", data=held_out)
    before = defaults.add_stage(
        c, "elsewhere_drawn", "apply", of="drawn", split="all", data=held_out
    )
    before.data.path = c.stage.elsewhere.data.get_oneway_ref("path")
    c.deliver = "photos"
    return c
