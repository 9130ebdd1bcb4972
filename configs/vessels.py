"""A vessel segmentor trained on synthetic eyes, alone or before annotated photographs.

    python -m fiqa_jax.main --config configs/vessels.py

Arguments behind a colon: `tiny` (under a minute), `photos` (goes on with annotated photographs,
some of them degraded), `reader` (256 px and few channels, for configs/efiqa.py: it learns from good
photographs as they are, for it should lose a vessel where a reader does). The result is scored on
photographs by `python -m fiqa_jax.benchmark vessels`.

`photos` reads a table with the columns `path`, `vessels` and, where people have several
photographs, `patient`. A mask in red, blue and green tells arteries from veins; one in black and
white does not, and then nothing is learned from it about that.

    python -m fiqa_jax.main --config configs/vessels.py:photos \
        --config.stage.photographs.data.path=TABLE.csv
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults

# Of `reader`, which configs/efiqa.py:train_all trains too. Windows of the photograph at full
# resolution, any way round, in the light it has: a segmentor that learns to see through bad light
# finds vessels where nobody else does.
READER = {
    "data": {"style": "abc", "count": 300, "lq_ratio": 0.0, "split": (0.95, 0.05, 0.0)},
    "method": {"base": 8, "flatten": 0.0},
    "augment": {"train": "flip|rotate(180)|zoom(0.75, 1.3)|patch(0.375, 96)"},
    "optim": {"lr": 4e-3, "warmup": 0.05},
    "train": {"steps": 1000, "batch": 8},
}


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(arg, tiny=False, photos=False, reader=False)
    c = defaults.base()
    c.name = "vessels"
    c.method.update(defaults.METHODS["vessels"])
    c.data.side = 512
    c.data.count = 400
    c.data.style = "abc"
    c.data.lq_ratio = 0.3
    c.data.classes = 0
    c.data.details = ()
    c.data.split = (0.95, 0.05, 0.0)
    # Windows of 128 of the 512 pixels at full resolution, any way round, in any light.
    c.augment.train = (
        "flip|rotate(180)|zoom(0.75, 1.3)|patch(0.25, 128)"
        "|brightness(0.3)|contrast(0.3)|gamma(0.4)|tint(0.15)|noise(0.03)"
    )
    c.method.flatten = 12.0  # drawn and photographed eyes differ most in colour and light
    c.optim.lr = 2e-3
    c.optim.warmup = 0.05
    c.train.batch = 12
    c.train.steps = 1000
    c.train.eval_every = 0.25
    c.train.save_every = 0.1
    if args.reader:
        c.data.side = 256
        for section, changes in READER.items():
            c[section].update(changes)
    if args.tiny:
        c.data.side = 64
        c.data.count = 24
        c.data.split = (0.5, 0.25, 0.25)
        c.method.update({"base": 4, "levels": 3, "flatten": 3.0})
        c.augment.train = "flip|rotate(180)|patch(0.5, 32)|gamma(0.4)"
        c.train.update({"batch": 8, "steps": 6, "eval_every": 0.5, "save_every": 0.5})
    defaults.add_stage(c, "segmentor", "train", uses="vessels")
    c.deliver = "segmentor"
    if args.photos:
        defaults.add_stage(
            c,
            "photographs",
            "train",
            uses="vessels",
            data={
                "source": "degraded",
                "base": "csv",
                "copies": 1 if args.reader else 8,
                "split": (0.9, 0.1, 0.0),
            },
            model={"init": "segmentor"},
            optim={"lr": c.optim.lr / 2},
            train={} if args.tiny else {"steps": 500 if args.reader else 1500},
        )
        c.deliver = "photographs"
    return c
