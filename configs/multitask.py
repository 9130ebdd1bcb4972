"""Semi-supervised multi-task quality assessment: teacher, pseudo-labels, student, controls.

    python -m fiqa_jax.main --config configs/multitask.py

Arguments behind a colon: `tiny` (under a minute), `single` (the single-task baseline alone, for
your own labels), `paper` (published settings; asks for data and weights; `set=eyeq` or
`set=deepdrid`).
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(arg, tiny=False, single=False, paper=False, set="eyeq")
    c = defaults.base()
    c.name = "multitask"
    c.method.update(defaults.METHODS["multitask"])
    (_paper if args.paper else _drawn)(c, args)
    if args.tiny:
        _tiny(c)
    (_single if args.single else _stages)(c, args)
    return c


def _drawn(c: ConfigDict, args: ConfigDict) -> None:
    """Drawn photographs: the teacher's camera is style a, everybody else's style b."""
    del args
    c.data.side = 96
    c.data.count = 1000
    c.data.style = "b"
    c.data.seed = 1
    c.model.width = 0.25
    c.model.name = "resnet18"
    c.optim.lr = 1e-3
    c.optim.warmup = 0.05
    c.train.batch = 32
    c.train.epochs = 12.0


def _tiny(c: ConfigDict) -> None:
    c.data.side = 48
    c.data.count = 80
    c.model.name = "tiny"
    c.model.width = 1.0
    c.train.batch = 16
    c.train.epochs = 0.0
    c.train.steps = 8
    c.train.eval_every = 0.5
    c.train.save_every = 0.5


def _paper(c: ConfigDict, args: ConfigDict) -> None:
    """512 px, ImageNet weights; the paper's own settings are not public, so these are ours."""
    c.data.source = "csv"
    c.data.side = 512
    c.data.details = ()
    c.data.classes = 3 if args.set == "eyeq" else 2
    c.model.weights = "resnet18.safetensors"
    c.augment.train = "flip|rotate(180)|crop(0.85, 1.0, 0.95, 1.05)"
    c.optim.lr = 1e-4
    c.optim.warmup = 0.04
    c.train.batch = 64 if args.set == "eyeq" else 32
    c.train.epochs = 25.0 if args.set == "eyeq" else 40.0
    c.repeat.seed = 5


def _single(c: ConfigDict, args: ConfigDict) -> None:
    """One network on your own labels: validated, calibrated, with a report."""
    del args
    c.data.details = ()
    defaults.add_stage(c, "single", "train", repeat=True)
    defaults.add_stage(c, "calibrated", "fit", of="single", artefact="calibration", repeat=True)
    defaults.add_stage(c, "compare", "compare", of=("single",), reference="single")
    c.deliver = "calibrated"


def _stages(c: ConfigDict, args: ConfigDict) -> None:
    """S1 teacher, S2 single-task, S3 pseudo-labels, S4 student, and the controls beside it."""
    head = {"heads": ("quality",)} if c.data.classes == 3 else {"heads": ("ungradable",)}
    grade = head["heads"][0]
    both = {"heads": (grade, "details")}
    select = {"select": f"{grade}_macro_f1"}
    short = {"lr": c.optim.lr / 2}
    once_more = {"epochs": c.train.epochs * 0.6, **select}
    details = ("illumination", "clarity", "contrast")
    teacher_data = {"classes": 0, "details": details}
    if not args.paper:
        teacher_data |= {"style": "a", "count": c.data.count * 3 // 10, "seed": 2}
    defaults.add_stage(
        c,
        "teacher",
        "train",
        repeat=True,
        data=teacher_data,
        method={"heads": ("details",)},
        train={
            "select": "details_macro_f1",
            "batch": min(c.train.batch, 32),
            "epochs": (50.0 if args.paper else 2 * c.train.epochs),
        },
    )
    defaults.add_stage(c, "single", "train", repeat=True, method=head, train=select)
    defaults.add_stage(c, "labels", "apply", of="teacher", split="train", repeat=True)
    defaults.add_stage(c, "teacher_here", "apply", of="teacher", split="test", repeat=True)
    student = {"model": {"init": "single"}, "optim": short, "train": once_more, "repeat": True}
    defaults.add_stage(c, "student", "train", labels="labels", method=both, **student)
    defaults.add_stage(c, "longer", "train", method=head, **student)  # C1: no details
    defaults.add_stage(  # C2: another photograph's pseudo-labels
        c, "shuffled", "train", labels="labels", shuffle_labels=True, method=both, **student
    )
    defaults.add_stage(  # C4: heads on a frozen trunk
        c, "frozen", "train", labels="labels", method={**both, "freeze_trunk": True}, **student
    )
    defaults.add_stage(c, "calibrated", "fit", of="student", artefact="calibration", repeat=True)
    defaults.add_stage(
        c,
        "compare",
        "compare",
        of=("single", "student", "longer", "shuffled", "frozen", "teacher_here"),
        reference="single",
        metrics=(
            *(f"{grade}_{m}" for m in ("macro_f1", "accuracy", "auroc")),
            *(f"{d}_macro_f1" for d in details),
        ),
    )
    c.deliver = "calibrated"
