"""Semi-supervised multi-task quality assessment: teacher, pseudo-labels, student, controls.

    python -m fiqa_jax.main --config configs/multitask.py

Arguments behind a colon: `tiny` (under a minute), `single` (the single-task baseline alone, for
your own labels), `paper` (published settings; asks for data and weights; `set=eyeq` or
`set=deepdrid`), `photos` (real photographs, degraded), `eyeq` (real photographs graded by readers)
and with it `few` (without the controls `shuffled` and `frozen`).

`paper` takes the sets as their owners publish them (`python -m input_pipeline.prepare eyeq --help`
says what to get where):

    python -m fiqa_jax.main --config configs/multitask.py:paper \
        --config.data.path=EYEQ --config.stage.teacher.data.path=MSHF \
        --config.model.weights=resnet18.safetensors

`photos`: the teacher learns from degraded HRF, everybody else from degraded CHASE_DB1, whose
children are split as such; HRF does not say who was photographed, so that each of its photographs
is taken as a person of its own. DRIMDB, good against bad with its time stamp painted out, is an
external test only. Each table has the columns of its set's `labels.csv`: `image` and `vessels`
(HRF), `original`, `vessels` and `participant` (CHASE_DB1), `original` and `quality` (DRIMDB).

    python -m fiqa_jax.main --config configs/multitask.py:photos \
        --config.stage.teacher.data.path=HRF/labels.csv \
        --config.data.path=CHASE_DB1/labels.csv \
        --config.stage.single_drimdb.data.path=DRIMDB/labels.csv

`eyeq`: the students learn from a table with the columns `path`, `patient`, `split` and `quality`,
the teacher from a table with the column `path`, good photographs of other cameras, degraded:

    python -m fiqa_jax.main --config configs/multitask.py:eyeq,few --config.repeat.seed=5 \
        --config.data.path=EYEQ/labels.csv --config.stage.teacher.data.path=open.csv
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(
        arg,
        tiny=False,
        single=False,
        paper=False,
        photos=False,
        eyeq=False,
        few=False,
        set="eyeq",
    )
    c = defaults.base()
    c.name = "multitask"
    c.method.update(defaults.METHODS["multitask"])
    if args.paper:
        _paper(c, args)
    else:
        (_photos if args.photos else _graded if args.eyeq else _drawn)(c, args)
    if args.tiny:
        _tiny(c)
    (_single if args.single else _stages)(c, args)
    if args.photos and not args.single:
        _external(c)
    return c


def _drawn(c: ConfigDict, args: ConfigDict) -> None:
    """Synthetic photographs: the teacher's camera is style a, everybody else's style b."""
    del args
    c.data.side = 96
    c.data.count = 1000
    c.data.style = "b"
    c.data.seed = 1
    c.model.width = 0.25
    c.model.name = "resnet18"
    # What resamples also blurs, and clarity is a label; other cameras have other colours.
    c.augment.train = "flip|tint(0.3)|gamma(0.4)"
    c.optim.lr = 1e-3
    c.optim.warmup = 0.05
    c.train.batch = 32
    c.train.epochs = 12.0


def _photos(c: ConfigDict, args: ConfigDict) -> None:
    """Degraded photographs: the students' are of CHASE_DB1; see `_stages` for the teacher's."""
    _drawn(c, args)
    c.data.source = "degraded"
    c.data.base = "csv"
    c.data.columns = (("path", "original"), ("patient", "participant"))
    c.data.copies = 36  # 1008 photographs of 14 children
    c.data.split = (0.5, 0.15, 0.35)  # of so few children, enough to be tested


def _graded(c: ConfigDict, args: ConfigDict) -> None:
    """Photographs with readers' grades: thousands, so that fewer epochs are as many steps."""
    _drawn(c, args)
    c.data.update({"source": "csv", "details": (), "on_bad": "skip"})
    c.train.epochs = 6.0


def _tiny(c: ConfigDict) -> None:
    c.data.side = 48
    c.data.count = 80
    c.data.copies = 3
    c.model.name = "tiny"
    c.model.width = 1.0
    c.train.batch = 16
    c.train.epochs = 0.0
    c.train.steps = 8
    c.train.eval_every = 0.5
    c.train.save_every = 0.5
    c.repeat.seed = 1


def _paper(c: ConfigDict, args: ConfigDict) -> None:
    """512 px, ImageNet weights; the paper's own settings are not public, so these are ours."""
    if args.set not in ("eyeq", "deepdrid"):
        raise ValueError(f"configs/multitask.py: set={args.set!r}; expected eyeq or deepdrid")
    c.data.source = args.set
    c.data.side = 512
    c.data.details = ()
    c.data.split = (0.8, 0.2, 0.0)  # EyeQ brings no validation split: a fifth of its patients
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
    # A small network from random weights has more to learn than a pre-trained one.
    short = {"lr": c.optim.lr / 2 if args.paper else c.optim.lr}
    # The last state: the best one of the grade may be an early one of the details.
    longer = 0.6 if args.paper else 1 if args.eyeq else 2
    once_more = {"epochs": c.train.epochs * longer, "select": ""}
    weights = {"details": 1.0 if args.paper else 3.0}  # 3: each of the details like the grade
    details = ("illumination", "clarity", "contrast")
    teacher_data = {"classes": 0, "details": details}
    if args.eyeq:
        teacher_data |= {"source": "degraded", "base": "csv", "path": "", "split": (0.8, 0.2, 0.0)}
        teacher_data |= {"copies": 8, "seed": 2}
    elif args.photos:
        own = {"path": "", "columns": (), "split": (0.8, 0.1, 0.1), "seed": 2}
        teacher_data |= {**own, "copies": min(c.data.copies, 16)}
    elif args.paper:
        teacher_data |= {"source": "mshf", "path": ""}
    else:
        teacher_data |= {"style": "a", "count": c.data.count * 3 // 10, "seed": 2, "limit": 200}
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
            "epochs": 50.0
            if args.paper and not args.tiny
            else c.train.epochs * (2 if args.photos else 4),
        },
    )
    defaults.add_stage(c, "single", "train", repeat=True, method=head, train=select)
    defaults.add_stage(c, "labels", "apply", of="teacher", split="train", repeat=True)
    if not args.eyeq:  # there nobody knows which details are bad
        defaults.add_stage(c, "teacher_here", "apply", of="teacher", split="test", repeat=True)
    student = {
        "model": {"init": "single", "weights": ""},
        "optim": short,
        "train": once_more,
        "loss": weights,
    }
    student |= {"repeat": True}
    # Drawn or degraded, defects are as frequent here as where the teacher learned; in the paper's
    # sets they are not.
    labels = {"labels": "labels", "align_labels": not (args.paper or args.eyeq)}
    both["pseudo"] = "hard" if args.paper else "soft"
    defaults.add_stage(c, "student", "train", method=both, **labels, **student)
    defaults.add_stage(c, "longer", "train", method=head, **student)  # C1: no details
    controls = () if args.few else ("shuffled", "frozen")
    if controls:
        _controls(c, labels, both, student)
    defaults.add_stage(c, "calibrated", "fit", of="student", artefact="calibration", repeat=True)
    measured = tuple(f"{grade}_{m}" for m in ("macro_f1", "accuracy", "auroc"))
    defaults.add_stage(
        c,
        "compare",
        "compare",
        of=("single", "student", "longer", *controls),
        reference="single",
        metrics=measured,
    )
    defaults.add_stage(  # what details add to training longer
        c,
        "beyond_longer",
        "compare",
        of=("longer", "student", *controls[:1]),
        reference="longer",
        metrics=measured,
    )
    c.deliver = "calibrated"
    if args.eyeq:
        return
    defaults.add_stage(
        c,
        "details",
        "compare",
        of=("teacher_here", "student", *controls),
        reference="teacher_here",
        metrics=("details_macro_f1", *(f"{d}_macro_f1" for d in details)),
    )


def _controls(c: ConfigDict, labels: dict, both: dict, student: dict) -> None:
    """C2 and C4: pseudo-labels that say nothing, and a trunk that learned the grade alone."""
    defaults.add_stage(  # C2: another photograph's pseudo-labels
        c, "shuffled", "train", shuffle_labels=True, method=both, **labels, **student
    )
    defaults.add_stage(  # C4: heads on a frozen trunk
        c, "frozen", "train", method={**both, "freeze_trunk": True}, **labels, **student
    )


def _external(c: ConfigDict) -> None:
    """DRIMDB, which nothing is trained, chosen or calibrated on."""
    data = {
        "source": "csv",
        "path": "",
        "columns": (("path", "original"), ("patient", "")),
        "quality_codes": (("outlier", "drop"),),  # no fundus at all
        "classes": 2,
        "details": (),
        "erase": ((566, 2, 682, 28),),  # the time stamp, some for JPEG's blocks
    }
    for of in ("single", "student"):
        stage = defaults.add_stage(
            c, f"{of}_drimdb", "apply", of=of, split="all", data=data, repeat=True
        )
        if of == "student":  # the same photographs: one flag names them
            stage.data.path = c.stage.single_drimdb.data.get_oneway_ref("path")
    defaults.add_stage(
        c,
        "external",
        "compare",
        of=("single_drimdb", "student_drimdb"),
        reference="single_drimdb",
        split="all",
        metrics=("ungradable_auroc", "ungradable_macro_f1"),
    )
