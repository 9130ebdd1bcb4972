"""A vessel segmentor trained on drawn eyes alone.

    python -m fiqa_jax.main --config configs/vessels.py

Arguments behind a colon: `tiny` (under a minute). The result is scored on photographs by
`python -m fiqa_jax.benchmark vessels`.
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(arg, tiny=False)
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
    if args.tiny:
        c.data.side = 64
        c.data.count = 24
        c.data.split = (0.5, 0.25, 0.25)
        c.method.update({"base": 4, "levels": 3, "flatten": 3.0})
        c.augment.train = "flip|rotate(180)|patch(0.5, 32)|gamma(0.4)"
        c.train.update({"batch": 8, "steps": 6, "eval_every": 0.5, "save_every": 0.5})
    defaults.add_stage(c, "segmentor", "train", uses="vessels")
    c.deliver = "segmentor"
    return c
