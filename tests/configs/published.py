"""What was published, setting by setting, with its source: the list that `:paper` is held against.

Restated from the papers and the released code:
  P   the paper; C its released code; S its slides; R2 the released code of R2-V2.
  EFIQA: Wang et al., MIDL 2026 (PMLR 315:2248-2264), code penway/EFIQA at 88b789a.
  EFIQA-CP: the FunPiQ paper (MICCAI 2026) and its code, as released in May 2026.
  MKCNet: Che, Chen and Chen, CVPR 2023, code chehx/MKCNet at 1150ce2.
  Multi-task: Telesco et al., Biomed Signal Process Control 113 (2026) 109167; its settings are not
  public, so that most rows say what was chosen and why.
"""

from typing import Any, NamedTuple

NOT_PUBLISHED = object()  # nothing in the paper or its code says


class Row(NamedTuple):
    """One setting.

    Attributes:
      setting: field of the recipe, as `--config.SETTING=` takes it.
      paper: the published value.
      source: where it stands.
      reason: why the default is another, or why `:paper` is.
      value: what `:paper` has where that is not `paper`; needs a reason.
    """

    setting: str
    paper: Any
    source: str
    reason: str = ""
    value: Any = ...


class Method(NamedTuple):
    """A table: the config, its arguments for `:paper` and for the default, and the rows."""

    title: str
    config: str
    argument: str
    default: str
    rows: tuple[Row, ...]


ALL = ((".*", 1.0),)
SPEED = "the default runs on two CPU cores in minutes"
FEW = "few photographs: few, larger steps"
OWN_DATA = "the default makes its own photographs"
SEED = "random numbers of two frameworks differ whatever the seed: runs are repeated instead"
SQUASH = "the default crops to the field, which keeps the pixels for the eye"
OUTSIDE = "what a camera leaves black is no bad place of the eye"


def adamw(stage: str, rate: float = 1e-3, reason: str = "") -> tuple[Row, ...]:
    """PyTorch's AdamW as it comes: no schedule, all parameters decay, nothing is clipped."""
    at = f"stage.{stage}.optim."
    source = "C: torch.optim.AdamW, its defaults"
    return (
        Row(f"{at}name", "adamw", "P, C"),
        Row(f"{at}lr", rate, "P, C", reason),
        Row(f"{at}schedule", "constant", "C", reason),
        Row(f"{at}warmup", 0.0, "C"),
        Row(f"{at}b1", 0.9, source),
        Row(f"{at}b2", 0.999, source),
        Row(f"{at}eps", 1e-8, source),
        Row(f"{at}weight_decay", 0.01, source),
        Row(f"{at}decay", ALL, source),
        Row(f"{at}clip", 0.0, source),
        Row(f"{at}ema", 0.0, source),
    )


VUAD = (
    Row("stage.segmentor.path", "R2-V2's bv", "P, C", "given by the user; asked for", ""),
    Row("stage.good.data.source", "Messidor-2", "P", "a folder that the user gives", "folder"),
    Row(
        "stage.good.data.exclude",
        "342 photographs of a list",
        "P, C: Messidor_NSFS.txt",
        "the list is the authors': asked for by its name",
        "?",
    ),
    Row("stage.good.data.crop", "field", "P: edges cropped to a square"),
    Row("stage.good.data.side", 1408, "R2: width of its preparation", SPEED),
    Row("stage.good.data.split", (1.0, 0.0, 0.0), "P: all of them train", "a threshold is fitted"),
    Row("stage.vessels.data.side", 1408, "R2", SPEED),
    Row("stage.inpaint.data.split", (1.0, 0.0, 0.0), "P", "a threshold is fitted on held-out maps"),
    Row("stage.inpaint.method.side", 256, "P, C", SPEED),
    Row("stage.inpaint.method.base", 64, "C", SPEED),
    Row("stage.inpaint.method.levels", 5, "C"),
    Row("stage.inpaint.method.crop", True, "P, C"),
    Row("stage.inpaint.method.as_pictures", True, "C: Pillow images", "no rounding, one crop less"),
    Row("stage.inpaint.method.floor", 50.0, "C", "it blackens faint vessels of a soft map"),
    Row("stage.inpaint.method.grid", 16, "C"),
    Row("stage.inpaint.method.compat", False, "C: 256-px features have 16 x 16 cells"),
    Row("stage.inpaint.method.measure", "added", "P, C", "a small network adds little"),
    Row("stage.inpaint.method.field", False, "C: no field is known", OUTSIDE),
    Row(
        "stage.threshold.method.flagged",
        19402 / 205312,
        "C: positive cells of MSHF, 9.45 %",
        "1 % of the cells of held-out good maps: needs no set with a known share",
    ),
    Row("stage.threshold.method.field", False, "C: all cells count", OUTSIDE),
    Row("stage.inpaint.method.threshold", 0.02, "C: of the released network; fitted anew"),
    *adamw("inpaint"),
    Row("stage.inpaint.train.batch", 16, "P, C", SPEED),
    Row("stage.inpaint.train.epochs", 100.0, "P; C: model_epoch_100", SPEED),
    Row("stage.inpaint.train.select", "", "C: the last epoch"),
    Row("stage.inpaint.augment.train", "", "C: flips, rotation and crops belong to the method"),
    Row("seed", 36, "C", SEED, 0),
)
FEATURES = (
    Row("data.source", "mshf", "C, README", OWN_DATA),
    Row("data.lists", "all", "C: all 802 photographs", OWN_DATA),
    Row("data.crop", "squash", "C: resized to (s, s)", SQUASH),
    Row("data.resample", "bicubic", "C: DINOv3's processor", SQUASH),
    Row("data.side", 256, "C: the grid of the 16 x 16 labels"),
    Row(
        "stage.features.encoder",
        "facebook/dinov3-vitl16-pretrain-lvd1689m",
        "P, C",
        "gated and large: the default takes the shipped segmentor's features",
    ),
    Row("stage.features.size", 0, "as the photographs are read"),
)


def adapter(epochs: float, source: str) -> tuple[Row, ...]:
    """The linear unit; `epochs` differ between EFIQA and the ablation of EFIQA-CP."""
    at = "stage.adapter.method."
    return (
        Row(f"{at}labels", "bad", "P"),
        Row(f"{at}pos_weight", 9.58, "C: MSHF; P: 20 on a set that is not public"),
        Row(f"{at}cells", 4096, "P, C", "as many as 16 photographs have: the same, read faster"),
        Row(f"{at}field", False, "C", OUTSIDE),
        Row(f"{at}standardise", False, "C", "encoders at hand have channels of unlike size"),
        Row(f"{at}ridge", 0.0, "C", "the unit would learn the labels' mistakes"),
        Row(f"{at}around", 0.0, "C", "photographs are bad in places, not in cells"),
        *adamw("adapter", reason=FEW),
        Row("stage.adapter.train.epochs", epochs, source, FEW),
        Row("stage.adapter.train.select", "", "C: the last epoch"),
    )


GRADES = (
    Row("stage.grades.data.source", "eyeq", "P", "of the photographs at hand"),
    Row("stage.grades.data.classes", 3, "P"),
    Row("stage.eyeq_features.data.crop", "squash", "C: of the other sets", SQUASH),
    Row(
        "stage.eyeq_features.encoder",
        "facebook/dinov3-vitl16-pretrain-lvd1689m",
        "P: the same frozen features",
        "gated and large: the default takes the shipped segmentor's features",
    ),
    Row("stage.grades.method.map", NOT_PUBLISHED, "-", "cross-entropy and pull count alike", 1.0),
    *adamw("grades", reason=FEW),
    Row("stage.grades.train.batch", 32, "P", SPEED),
    Row("stage.grades.train.epochs", 120.0, "P", FEW),
    Row("stage.grades.train.select", "", "C: the last epoch, of its other networks"),
)


def network(stage: str, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """EFIQA-CP's network and its training; `rows` are those of the risk."""
    at = f"stage.{stage}.method."
    return (
        Row(f"{at}width", 512, "C", SPEED),
        Row(f"{at}ratio", 1, "C"),
        Row(f"{at}blocks", (2, 2, 1), "C"),
        Row(f"{at}field", False, "C", OUTSIDE),
        *rows,
        *adamw(stage),
        Row(f"stage.{stage}.train.batch", 16, "C", SPEED),
        Row(f"stage.{stage}.train.epochs", 100.0, "C", SPEED),
        Row(f"stage.{stage}.train.select", "", "C: no validation"),
        Row(f"stage.{stage}.augment.train", "", "C: features are stored", "pixels can be flipped"),
    )


NNPU = (
    Row("stage.efiqa_cp.method.risk", "nnpu", "P, C"),
    Row("stage.efiqa_cp.method.variant", "clamp", "C"),
    Row("stage.efiqa_cp.method.surrogate", "logistic", "C"),
    Row("stage.efiqa_cp.method.prior", 0.05, "P, C"),
    Row("stage.efiqa_cp.method.beta", 0.0, "C"),
    Row("stage.efiqa_cp.method.weight", 1.0, "C"),
    Row("stage.efiqa_cp.method.include_positives", False, "C"),
)
BCE = (
    Row("stage.cnn.method.risk", "bce", "C"),
    Row("stage.cnn.method.pos_weight", 9.58, "C"),
)

# Paper and code: set, lists, T, Q, META_LENGTH, w_R, META_LR, batch, epochs, step size, mean, std.
MKCNET = {
    "deepdr": (
        *("iqad/DEEPDR", "", 3, 2, 7, 0.3, 1e-3, 4, 200, 20),
        *((0.3771, 0.2320, 0.1395), (0.1252, 0.0857, 0.0814)),
    ),
    "eyeq": (
        *("iqad/EYEQ", "mkcnet", 3, 3, 5, 0.2, 1e-3, 4, 100, 25),
        *((0.4021, 0.2667, 0.1847), (0.2991, 0.2090, 0.1680)),
    ),
    "drac": ("iqad/DRAC", "", 3, 2, 10, 0.5, 1e-2, 8, 200, 50, (0.4134,) * 3, (0.0595,) * 3),
    "ct": ("iqad/IQAD-CT", "mkcnet", 2, 2, 5, 0.2, 1e-2, 4, 200, 20, (0.6269,) * 3, (0.2909,) * 3),
    "cxr": (
        *("iqad/IQAD-CXR", "mkcnet", 2, 3, 7, 0.3, 1e-3, 8, 200, 20),
        *((0.4813,) * 3, (0.2361,) * 3),
    ),
}


def mkcnet(name: str) -> tuple[Row, ...]:
    """The rows of one of MKCNet's sets; those that all share stand with the first."""
    source, lists, t, q, psi, entropy, meta, batch, epochs, halved, mean, std = MKCNET[name]
    at = "stage.second_order."
    chosen = "diagnosis_auroc" if t == 2 else "diagnosis_auroc_ovo"
    rows = (
        Row("data.source", source, "C", OWN_DATA),
        Row("data.lists", lists, "C", "the default of these sets parts patients"),
        Row("data.diagnosis", t, "P, C: T, number of diagnoses", OWN_DATA),
        Row("data.classes", q, "P, C: Q, grades of quality", OWN_DATA),
        Row("data.modality", "fundus" if mean[0] != mean[1] else "slice", "C: channels", OWN_DATA),
        Row("data.mean", mean, "C", "ImageNet's"),
        Row("data.std", std, "C", "ImageNet's"),
        Row(f"{at}method.psi", psi, "C: META_LENGTH", SPEED),
        Row(f"{at}method.entropy", entropy, "C: LOSS_ENTROPY_WEIGHT", "of the set"),
        Row(f"{at}method.meta_lr", meta, "C: META_LR", FEW),
        Row(f"{at}train.batch", batch, "C", SPEED),
        Row("stage.vanilla.train.epochs", float(epochs), "C", SPEED),
        Row(
            f"{at}train.epochs",
            float(epochs),
            "C: of each of the two stages in turn",
            "an epoch here is of one of them: twice as many",
            2.0 * epochs,
        ),
        Row(f"{at}optim.step_share", halved / epochs, "C: STEP_SIZE of the epochs", SPEED),
        Row("train.eval_every", 20 / epochs, "C: VAL_STEP 20 epochs", SPEED),
        Row(f"{at}train.select", chosen, "C: best AUC on validation", "of two classes"),
    )
    return rows + (COMMON if name == "deepdr" else ())


COMMON = (
    Row("data.side", 256, "P, C", SPEED),
    Row("data.crop", "squash", "C: Resize((256, 256))", SQUASH),
    Row("data.resample", "bilinear", "C: torchvision's default"),
    Row("model.name", "vgg16", "C"),
    Row("model.width", 1.0, "C", SPEED),
    Row("model.weights", "", "C: no pretrained weights"),
    Row("augment.train", "", "C"),
    Row("optim.name", "sgd", "C"),
    Row("optim.lr", 0.01, "C", FEW),
    Row("optim.momentum", 0.0, "C"),
    Row("optim.weight_decay", 5e-4, "C"),
    Row("optim.decay", ALL, "C"),
    Row("optim.clip", 0.0, "C"),
    Row("optim.schedule", "step", "C: StepLR"),
    Row("optim.step_factor", 0.5, "C"),
    Row("optim.warmup", 0.0, "C"),
    Row("stage.second_order.method.row", "second_order", "P"),
    Row("stage.second_order.method.alternate", "epoch", "C; S: per step", "faster to a result"),
    Row("stage.second_order.method.way", "nested", "P: the exact gradient"),
    Row("stage.first_order.method.eps", 0.01, "C"),
    Row(
        "stage.second_order.method.pool_before_attention",
        False,
        "P: attention over the map; C: True",
        "averaged to one pixel, attention has nothing to choose from; the argument "
        "`pool_before_attention` takes the released layout",
    ),
    Row("loss.diagnosis", 1.0, "P, equation 1"),
    Row("loss.quality", 1.0, "P, equation 1"),
    Row("loss.class_weight", "none", "C"),
    Row("seed", 42, "C", SEED, 0),
)


def multitask(name: str, epochs: float, batch: int) -> tuple[Row, ...]:
    """Telesco et al.: what is known of it, and what was chosen where nothing is."""

    def ours(setting: str, value: Any, reason: str) -> Row:
        return Row(setting, NOT_PUBLISHED, "-", reason, value)

    lab = "what the same laboratory's toolbox and the field use"
    geometry = "geometry alone: light and blur are the labels"
    return (
        Row("data.source", name, "P", OWN_DATA),
        Row("data.classes", 3 if name == "eyeq" else 2, "P and the sets' labels", "of the set"),
        Row("model.name", "resnet18", "P"),
        Row(
            "stage.teacher.data.source", "mshf", "a summary of the paper; its labels fit", OWN_DATA
        ),
        Row("stage.teacher.data.details", ("illumination", "clarity", "contrast"), "P"),
        Row("stage.student.labels", "labels", "P: pseudo-labels of the teacher"),
        ours(
            "stage.student.method.pseudo", "hard", "EyeQ-D, which they are held against, is binary"
        ),
        ours("stage.student.model.init", "single", "'a pre-trained model' is fine-tuned"),
        ours("stage.student.loss.details", 1.0, "grade and mean of the details alike"),
        ours("model.weights", "resnet18.safetensors", "ImageNet's, the standard"),
        ours("data.side", 512, "QuickQual and AutoMorph use 512"),
        ours("data.crop", "field", "EyeQ's preparation crops to the field"),
        ours("augment.train", "flip|rotate(180)|crop(0.85, 1.0, 0.95, 1.05)", geometry),
        ours("optim.name", "adamw", lab),
        ours("stage.single.optim.lr", 1e-4, lab),
        ours("stage.student.optim.lr", 5e-5, "fine-tuning: half"),
        ours("optim.weight_decay", 1e-4, lab),
        ours("optim.schedule", "cosine", lab),
        ours("optim.floor", 0.01, lab),
        ours("optim.warmup", 0.04, "an epoch of 25"),
        ours("optim.clip", 1.0, lab),
        ours("loss.class_weight", "none", "plain cross-entropy"),
        ours("train.batch", batch, "what fits"),
        ours("stage.teacher.train.epochs", 50.0, "a small set"),
        ours("stage.single.train.epochs", epochs, "to convergence of such networks"),
        ours("stage.student.train.epochs", 0.6 * epochs, "fine-tuning"),
        ours("stage.single.train.select", head(name), "the metric that is reported"),
        ours("stage.teacher.train.select", "details_macro_f1", "the metric that is reported"),
        ours("repeat.seed", 5, "DeepDRiD's difference is below one standard error"),
    )


def head(name: str) -> str:
    """The metric that picks a grade's weights."""
    return "quality_macro_f1" if name == "eyeq" else "ungradable_macro_f1"


METHODS = (
    Method("EFIQA", "efiqa", "paper", "", VUAD + FEATURES + adapter(20.0, "P, README")),
    Method("EFIQA, grades of EyeQ", "efiqa", "paper,grades", "grades", GRADES),
    Method(
        "EFIQA-CP",
        "efiqa_cp",
        "paper",
        "",
        (
            Row("stage.fine_features.data.side", 1024, "P, C", "the default reads photographs"),
            Row("stage.fine_features.data.crop", "squash", "C", SQUASH),
            *network("efiqa_cp", NNPU),
            *network("cnn", BCE),
            *adapter(100.0, "C: of this ablation"),
        ),
    ),
    *(
        Method(f"MKCNet, {MKCNET[name][0]}", "mkcnet", f"paper:{name}", "", mkcnet(name))
        for name in MKCNET
    ),
    Method("Multi-task, EyeQ", "multitask", "paper", "", multitask("eyeq", 25.0, 64)),
    Method(
        "Multi-task, DeepDRiD",
        "multitask",
        "paper,set=deepdrid",
        "",
        multitask("deepdrid", 40.0, 32),
    ),
)

# Numbers that stand in the code, because no recipe would change them: module, name, value, source.
CONSTANTS = (
    ("fiqa_jax.methods.efiqa_masks", "EPOCHS", 100, "EFIQA, P: of the schedules below"),
    ("fiqa_jax.methods.efiqa_masks", "WARM", 20, "EFIQA, P, C: epoch at which they begin to move"),
    ("fiqa_jax.methods.efiqa_masks", "FULL", 80, "EFIQA, P, C: epoch at which they end"),
    ("fiqa_jax.methods.efiqa_masks", "MASKED", 0.8, "EFIQA, P, C: least share masked, falls to 0"),
    ("fiqa_jax.methods.efiqa_masks", "CROPPED", 0.5, "EFIQA, P, C: share cropped, rises from 0"),
    ("fiqa_jax.methods.efiqa_masks", "FEWEST", 4, "EFIQA, C: blocks along an edge"),
    ("fiqa_jax.methods.efiqa_masks", "MOST", 32, "EFIQA, C: blocks along an edge"),
    ("fiqa_jax.methods.efiqa_masks", "SMALLEST", 0.5, "EFIQA, P, C: of a crop"),
    ("fiqa_jax.methods.efiqa_masks", "FEED", 224 / 256, "EFIQA, C: of a crop, 224 pixels or more"),
    ("fiqa_jax.methods.efiqa_labels", "SHARE", 0.9, "EFIQA, C: relax ratio of a cell"),
    ("fiqa_jax.methods.efiqa_labels", "PUBLISHED", 0.02, "EFIQA, C: threshold of its network"),
    ("fiqa_jax.maps.pooling", "STEPS", 50_000, "EFIQA, P: from map to photograph"),
    ("fiqa_jax.maps.pooling", "RATE", 3e-4, "EFIQA, P: AdamW"),
    ("fiqa_jax.maps.pooling", "DECAY", 0.01, "EFIQA, P: AdamW's default"),
    ("fiqa_jax.maps.pooling", "BATCH", 32, "EFIQA, P"),
    ("fiqa_jax.models.efiqa_cp", "DROP", (0.033, 0.066, 0.1), "EFIQA-CP, C: drop-path of stages"),
    ("input_pipeline.photo.enhance", "WIDTH", 1408, "R2-V2: of its preparation"),
    ("input_pipeline.photo.enhance", "MULTIPLE", 32, "R2-V2: padding"),
)
