"""A small encoder pretrained without labels, on synthetic eyes, and on photographs where given.

    python -m fiqa_jax.main --config configs/pretrain.py
    python -m fiqa_jax.encoders runs/pretrain/model encoder.safetensors

The second command writes the encoder as one file, for use by name in a recipe. Arguments behind a
colon: `tiny` (under a minute), `photos` (goes on with a folder of photographs, degraded in many
ways):

    python -m fiqa_jax.main --config configs/pretrain.py:photos \
        --config.stage.photographs.data.path=DIR
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(arg, tiny=False, photos=False)
    c = defaults.base()
    c.name = "pretrain"
    c.method.update(defaults.METHODS["pretrain"])
    c.data.side = 128
    c.data.count = 1200
    c.data.style = "abc"
    c.data.lq_ratio = 0.5
    c.data.classes = 0
    c.data.details = ()
    c.data.split = (0.95, 0.05, 0.0)
    c.augment.train = "flip|rotate(180)|zoom(0.6, 1.1)"
    # The paper's optimiser: AdamW, betas 0.9 and 0.95, decay 0.05 (biases and norms free of it).
    c.optim.lr = 1e-3
    c.optim.b2 = 0.95
    c.optim.weight_decay = 0.05
    c.optim.warmup = 0.05
    c.optim.floor = 0.0
    c.train.batch = 32
    c.train.steps = 2000
    c.train.eval_every = 0.25
    c.train.save_every = 0.1
    if args.tiny:
        c.data.side = 32
        c.data.count = 24
        c.data.split = (0.5, 0.25, 0.25)
        small = {"dim": 16, "depth": 1, "heads": 2, "patch": 8}
        c.method.update({**small, "decoder_dim": 8, "decoder_depth": 1, "decoder_heads": 1})
        c.train.update({"batch": 8, "steps": 6, "eval_every": 0.5, "save_every": 0.5})
    defaults.add_stage(c, "encoder", "train", uses="pretrain")
    c.deliver = "encoder"
    if args.photos:
        photographs = {"source": "degraded", "base": "folder", "copies": 16}
        defaults.add_stage(
            c,
            "photographs",
            "train",
            uses="pretrain",
            data=photographs,
            model={"init": "encoder"},
            optim={"lr": 3e-4},
        )
        c.deliver = "photographs"
    return c
