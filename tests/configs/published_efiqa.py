"""What was published of EFIQA and EFIQA-CP; see `published` for the sources."""

from published_rows import (
    DINOV3,
    FEW,
    NOT_PUBLISHED,
    OUTSIDE,
    OWN_DATA,
    SEED,
    SPEED,
    SQUASH,
    Row,
    adamw,
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
IMAGENET = (
    Row("data.mean", (0.485, 0.456, 0.406), "ImageNet's, C: DINOv3's processor"),
    Row("data.std", (0.229, 0.224, 0.225), "ImageNet's, C: DINOv3's processor"),
)
FEATURES = (
    *IMAGENET,
    Row("data.source", "mshf", "C, README", OWN_DATA),
    Row("data.lists", "all", "C: all 802 photographs", OWN_DATA),
    Row("data.crop", "squash", "C: resized to (s, s)", SQUASH),
    Row("data.resample", "bicubic", "C: DINOv3's processor", SQUASH),
    Row("data.side", 256, "C: the grid of the 16 x 16 labels"),
    Row(
        "stage.features.encoder",
        DINOV3,
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
    Row("stage.grades.data.lists", "", "P: EyeQ's own lists of 12,543 and 16,249"),
    Row("stage.eyeq_features.data.crop", "squash", "C: of the other sets", SQUASH),
    Row(
        "stage.eyeq_features.encoder",
        DINOV3,
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
