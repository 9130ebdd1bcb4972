"""Diagnosis that knows the quality of its photographs: MKCNet and the rows of its ablation.

    python -m fiqa_jax.main --config configs/mkcnet.py --config.repeat.seed=5

On synthetic eyes: grades of diabetic retinopathy from the lesions, merged to three classes, and
quality from degradations that hide them. Lesions are drawn four times as large as in nature, or
most would be lost in 64 pixels: with those of nature, at 96 pixels, no row learned anything. Every
row is a stage:

    vanilla        diagnosis alone
    adjusted       vanilla with logits adjusted by the prior (Menon et al. 2021)
    weighted       vanilla with classes weighted by the inverse of their frequency
    multitask      diagnosis and quality
    no_meta        and joint classes, with soft labels of a Meta Learner that does not learn
    first_order    the Meta Learner learns, by central differences
    second_order   the Meta Learner learns, by the exact gradient: MKCNet

Arguments behind a colon: `tiny` (under a minute; three rows), `ct` (COVID-CT, 746 CT slices out of
printed figures), `eyeq` (real photographs graded by readers; three rows) and `paper:deepdr`,
`paper:eyeq`, `paper:drac`, `paper:ct`, `paper:cxr` (published settings, docs/paper_settings.md;
asks for the set, see `python -m input_pipeline.prepare iqad/DEEPDR --help`).

    python -m fiqa_jax.main --config configs/mkcnet.py:ct --config.data.path=COVID_CT/labels.csv
    python -m fiqa_jax.main --config configs/mkcnet.py:eyeq --config.data.path=EYEQ/labels.csv \
        --config.repeat.seed=5
    python -m fiqa_jax.main --config configs/mkcnet.py:paper:deepdr --config.data.path=IQAD

Frames are squashed to 256 x 256 pixels. `paper:eyeq`, `paper:ct` and `paper:cxr` take MKCNet's own
lists, which were dealt out by photograph: patients (of CT papers and figures) stand in several of
them, and numbers on them say less than they seem to; --config.data.lists=official parts patients.
The paper draws attention over the map of the trunk, the released code averages the map to one pixel
before, so that its attention has nothing to choose from. The paper's is what is trained here;
`paper:eyeq,pool_before_attention` takes the released layout, which released weights need.

`eyeq` wants a table with the columns `path`, `patient`, `split`, `quality` (good, usable, reject)
and `diagnosis` (0 to 4, the grade of retinopathy: any against none is learned). Photographs should
be of one size: where those of the ill are larger, size gives the diagnosis away.

`ct` wants a table with the columns `image`, `covid` (0, 1) and `mkcnet_split`. Its quality is ours:
half of the copies are degraded, and how good the printed figures were before is not known. Slices
of one paper, or of one numbered figure, never part; the stages `published_*` take MKCNet's own
split, in which most slices tested have one of the same figure in training, and stand apart for it.
"""

from ml_collections import ConfigDict

from fiqa_jax import defaults

_DR = ("no DR", "NPDR", "PDR")
_STAGES = ("none or mild", "moderate", "severe or proliferative")
_ANY = ("no DR", "any DR")
_CT = ("no COVID-19", "COVID-19")
_CXR = ("normal", "pneumonia")
# Paper and released code: set, diagnoses, grades, psi, entropy, meta_lr, batch, epochs, epochs
# between halvings of the rate, mean and deviation.
PAPER = {
    "deepdr": (
        "DEEPDR",
        _DR,
        2,
        7,
        0.3,
        1e-3,
        4,
        200,
        20,
        (0.3771, 0.2320, 0.1395),
        (0.1252, 0.0857, 0.0814),
    ),
    "eyeq": (
        "EYEQ",
        _DR,
        3,
        5,
        0.2,
        1e-3,
        4,
        100,
        25,
        (0.4021, 0.2667, 0.1847),
        (0.2991, 0.2090, 0.1680),
    ),
    "drac": ("DRAC", _DR, 2, 10, 0.5, 1e-2, 8, 200, 50, (0.4134,) * 3, (0.0595,) * 3),
    "ct": ("IQAD-CT", _CT, 2, 5, 0.2, 1e-2, 4, 200, 20, (0.6269,) * 3, (0.2909,) * 3),
    "cxr": ("IQAD-CXR", _CXR, 3, 7, 0.3, 1e-3, 8, 200, 20, (0.4813,) * 3, (0.2361,) * 3),
}
# Whose lists are MKCNet's own, at random by photograph; DEEPDR's are official, DRAC has none.
OWN_LISTS = ("eyeq", "ct", "cxr")
# Stage -> (row, its own loss settings, its own method settings).
ROWS = {
    "vanilla": ("vanilla", {}, {}),
    "adjusted": ("vanilla", {}, {"adjust": 1.0}),
    "weighted": ("vanilla", {"class_weight": "inv_freq"}, {}),
    "multitask": ("multitask", {}, {}),
    "no_meta": ("no_meta", {}, {}),
    "first_order": ("first_order", {}, {}),
    "second_order": ("second_order", {}, {}),
}
FEW = ("vanilla", "multitask", "second_order")
TWO = ("vanilla", "second_order")
EVEN = ("adjusted", "weighted")  # these say nothing where classes are nearly even
_LEARNS = ("first_order", "second_order")
# The group of a file of COVID-CT: the paper it was printed in, or the number of the figure.
_PRINTED = r"(PIIS\d+X?)|([^/]*?)(?:-p\d+-[^/]*|%\d+)?\.\w+$"


def get_config(arg: str = "") -> ConfigDict:
    """The recipe; see the module's docstring for the arguments."""
    args = defaults.parse_arg(
        arg.replace("paper:", "paper="),
        tiny=False,
        ct=False,
        eyeq=False,
        paper="",
        pool_before_attention=False,
    )
    named = {part.strip().partition("=")[0] for part in arg.replace(":", "=").split(",")}
    if "paper" in named and args.paper not in PAPER:
        sets = ", ".join(f"paper:{name}" for name in PAPER)
        raise ValueError(
            f"configs/mkcnet.py:paper{':' if args.paper else ''}{args.paper} names no set that "
            f"was published: give --config configs/mkcnet.py:SET with one of {sets}"
        )
    c = defaults.base()
    c.name = "mkcnet"
    c.method.update(defaults.METHODS["mkcnet"])
    _drawn(c)
    if args.ct:
        _slices(c)
    if args.eyeq:
        _graded(c)
    if args.paper:
        _published(c, *PAPER[args.paper])
        c.data.lists = "mkcnet" if args.paper in OWN_LISTS else ""
    c.method.pool_before_attention = args.pool_before_attention
    if args.tiny:
        _tiny(c)
    _stages(c, args)
    return c


def _drawn(c: ConfigDict) -> None:
    c.data.side = 64
    c.data.lesion_scale = 4.0
    c.data.count = 1500
    c.data.style = "abc"
    c.data.seed = 3
    c.data.details = ()
    c.data.diagnosis = _STAGES
    c.data.merge = (0, 0, 1, 2, 2)
    c.model.name = "vgg16"
    c.model.width = 0.25
    c.augment.train = ""  # as published
    c.optim.update({"name": "sgd", "momentum": 0.0, "clip": 0.0, "decay": ((".*", 1.0),)})
    c.optim.update({"lr": 0.05, "weight_decay": 5e-4, "schedule": "step", "step_share": 0.4})
    c.method.meta_lr = 0.01
    c.train.update({"batch": 8, "steps": 600})


def _slices(c: ConfigDict) -> None:
    """COVID-CT in copies: one in two of low quality."""
    c.data.update({"source": "degraded", "base": "csv", "copies": 2, "modality": "slice"})
    c.data.columns = (("path", "image"), ("diagnosis", "covid"))
    c.data.patient = _PRINTED
    c.data.diagnosis = _CT
    c.data.merge = ()
    c.data.side = 128
    c.data.lesion_scale = 1.0
    c.data.split = (0.65, 0.1, 0.25)
    c.data.mean, c.data.std = PAPER["ct"][-2:]
    c.train.steps = 300


def _graded(c: ConfigDict) -> None:
    """A table of photographs with readers' grades of quality and of retinopathy."""
    c.data.update({"source": "csv", "side": 128, "lesion_scale": 1.0})
    c.data.diagnosis = _ANY
    c.data.merge = (0, 1, 1, 1, 1)
    c.data.mean, c.data.std = PAPER["eyeq"][-2:]


def _published(
    c: ConfigDict,
    name: str,
    diagnoses: tuple[str, ...],
    grades: int,
    psi: int,
    entropy: float,
    meta_lr: float,
    batch: int,
    epochs: int,
    halved: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    c.data.update({"source": f"iqad/{name}", "side": 256, "classes": grades, "mean": mean})
    c.data.update({"std": std, "diagnosis": diagnoses, "merge": (), "lesion_scale": 1.0})
    c.data.modality = "fundus" if diagnoses is _DR and name != "DRAC" else "slice"
    c.data.update({"crop": "squash", "resample": "bilinear"})  # torchvision's Resize((256, 256))
    c.model.width = 1.0
    c.optim.update({"lr": 0.01, "step_share": halved / epochs})
    c.method.update({"psi": psi, "entropy": entropy, "meta_lr": meta_lr, "alternate": "epoch"})
    c.train.update({"batch": batch, "steps": 0, "epochs": float(epochs), "eval_every": 20 / epochs})


def _tiny(c: ConfigDict) -> None:
    c.data.side = 32
    c.data.count = 80
    c.data.copies = 1
    c.model.update({"name": "vgg_tiny", "width": 0.125})
    c.method.psi = 2
    c.train.update({"batch": 8, "steps": 4, "epochs": 0.0})
    c.train.update({"eval_every": 0.5, "save_every": 0.5})


def _stages(c: ConfigDict, args: ConfigDict) -> None:
    """Every row, trained; compared; and what the last one sees."""
    binary = len(c.data.diagnosis) == 2
    select = {"select": "diagnosis_auroc" if binary else "diagnosis_auroc_ovo"}
    names = FEW if args.tiny or args.eyeq else tuple(ROWS)
    if args.ct:
        names = tuple(name for name in names if name not in EVEN)
    for name in names:
        row, loss, method = ROWS[name]
        train = dict(select)
        if c.method.alternate == "epoch" and row in _LEARNS:  # as many of each stage
            train["epochs"] = 2 * c.train.epochs
        defaults.add_stage(
            c,
            name,
            "train",
            uses="mkcnet",
            method={"row": row, **method},
            loss=loss,
            train=train,
            repeat=True,
        )
    defaults.add_stage(c, "seen", "apply", of="second_order", split="test", repeat=True)
    defaults.add_stage(
        c, "embedding", "fit", of="seen", split="test", artefact="embedding", repeat=True
    )
    defaults.add_stage(
        c, "calibrated", "fit", of="second_order", artefact="calibration", repeat=True
    )
    ill = _CT if args.ct else _ANY
    area = (
        ("auroc", "auroc_hard", f"f1_{ill[1]}") if args.ct or args.eyeq else ("auroc", "auroc_hard")
    )
    kinds = ("accuracy", "macro_f1", *(area if binary else ("auroc_ovo",)))
    wanted = tuple(f"{g}diagnosis_{k}" for k in kinds for g in ("", "hq_", "lq_"))
    grade = "quality" if c.data.classes == 3 else "ungradable"
    both = {"metrics": (*wanted, f"{grade}_macro_f1"), "sweep": (0.0, 0.25, 0.5, 0.75, 1.0)}
    defaults.add_stage(c, "compare", "compare", of=names, reference="vanilla", **both)
    if not args.tiny and not args.eyeq:
        over = ("multitask", "no_meta", *_LEARNS)  # what each part adds to two tasks
        defaults.add_stage(c, "parts", "compare", of=over, reference="multitask", metrics=wanted)
    if args.ct:
        _same_figure_in_train(c, select, wanted)
    c.deliver = "calibrated"


def _same_figure_in_train(c: ConfigDict, select: dict[str, str], wanted: tuple[str, ...]) -> None:
    """Two rows on MKCNet's own split of COVID-CT, once: to see what same figures do."""
    split = {"columns": (*c.data.columns, ("split", "mkcnet_split")), "patient": ""}
    for name in TWO:
        row = {"row": ROWS[name][0]}
        defaults.add_stage(
            c,
            f"published_{name}",
            "train",
            uses="mkcnet",
            method=row,
            data=split,
            train=select,
        )
    defaults.add_stage(
        c,
        "same_figure_in_train",
        "compare",
        of=tuple(f"published_{name}" for name in TWO),
        reference="published_vanilla",
        metrics=wanted,
    )
