"""What was published of MKCNet; see `published` for the sources."""

from published_rows import ALL, FEW, OWN_DATA, SEED, SPEED, SQUASH, Row

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
